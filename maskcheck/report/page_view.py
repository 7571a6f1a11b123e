"""Report -> everything the HTML page shows, as plain cleaned text and numbers. The template only arranges it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from maskcheck.core.contract import Contract
from maskcheck.core.report import Accepted, AttentionMap, Finding, ModelReport, Outcome, PassportRow, Report, Severity
from maskcheck.core.report import Status as RowStatus
from maskcheck.ir.graph import Site
from maskcheck.report.canvas import clean, code
from maskcheck.report.contract_view import describe_input, describe_output
from maskcheck.report.drawings import Curve, HeadBar, Heatmap, Scale, curve, head_bars, heatmap, scale
from maskcheck.report.findings_view import share_of, source_line, title
from maskcheck.report.layer_tree import Branch, branches
from maskcheck.report.passport_view import LEAKS, PassportEntry, answers_changed, entries, worst_output, worst_row
from maskcheck.report.quantities import deviations, percent, plural, quantity
from maskcheck.report.rendering import Rendering
from maskcheck.report.reproduction import command
from maskcheck.report.twin_view import MEANINGS
from maskcheck.report.verdict import sentence, summary

MOST_FINDINGS = 100
MOST_MAPS = 48
MOST_PICTURES = 6
MOST_RELATED = 24
TONES = {Outcome.CLEAN: "good", Outcome.LEAKY: "bad", Outcome.SKIPPED: "warn", Outcome.ERROR: "bad"}
SEVERITY_TONES = {Severity.ERROR: "bad", Severity.WARNING: "warn", Severity.INFO: "calm"}


Pieces = tuple[tuple[str, bool], ...]
"""Running text in pieces; ``True`` marks those that are code."""


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    text: str


@dataclass(frozen=True, slots=True)
class PassportLine:
    """One twin: its word and tone, how far it moved the answer, and what else is to be said."""

    twin: str
    meaning: str
    gating: bool
    word: str
    tone: str
    size: str
    scale: Scale | None
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindingCard:
    code: str
    title: str
    severity: str
    tone: str
    share: str
    place: str
    source_text: str
    names: tuple[str, ...]
    message: Pieces
    cause: Pieces
    cause_place: str
    fix: Pieces
    why: Pieces
    facts: tuple[Fact, ...]
    related: tuple[str, ...]
    hidden_related: int
    interval: int
    command: str
    explain: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class AttentionLine:
    name: str
    most: str
    mean: str
    axis: str
    looks: bool
    bars: tuple[HeadBar, ...]
    heads: int
    picture: Heatmap | None


@dataclass(frozen=True, slots=True)
class AcceptedLine:
    code: str
    title: str
    place: str
    size: str
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class ModelPage:
    anchor: str
    path: str
    word: str
    tone: str
    sentence: str
    lead: tuple[str, ...]
    facts: tuple[Fact, ...]
    command: str
    passport: tuple[PassportLine, ...]
    variants: tuple[PassportLine, ...]
    inputs: tuple[tuple[str, str, str], ...]
    outputs: tuple[tuple[str, str, str], ...]
    remarks: tuple[Fact, ...]
    branches: tuple[Branch, ...]
    positions: bool
    findings: tuple[FindingCard, ...]
    hidden_findings: int
    attention: tuple[AttentionLine, ...]
    blind: int
    hidden_maps: int
    curve: Curve | None
    accepted: tuple[AcceptedLine, ...]
    stale: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Page:
    title: str
    summary: str
    version: str
    models: tuple[ModelPage, ...]
    environment: tuple[Fact, ...]
    settings: tuple[Fact, ...]


def page(report: Report, rendering: Rendering) -> Page:
    models = tuple(_model(report, model, i, rendering) for i, model in enumerate(report.models, start=1))
    name = models[0].path.rsplit("/", 1)[-1] if len(models) == 1 else plural(len(models), "model")
    return Page(
        f"Padding audit of {name}",
        summary(report),
        clean(report.version),
        models,
        _facts(report.environment),
        _facts(report.settings),
    )


def _facts(entries: Mapping[str, object]) -> tuple[Fact, ...]:
    return tuple(Fact(clean(str(name)), _value(value)) for name, value in entries.items() if value is not None)


def _value(value: object) -> str:
    return clean(", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value))


def _model(report: Report, model: ModelReport, number: int, rendering: Rendering) -> ModelPage:
    ranked = sorted(model.findings, key=lambda finding: list(Severity).index(finding.severity))
    looking = sorted((m for m in model.attention if m.pad_mass_max > 0), key=lambda m: -m.pad_mass_max)
    reproduce = command(report, model)
    return ModelPage(
        f"model-{number}",
        clean(model.path),
        model.outcome.value,
        "warn" if model.excused else TONES[model.outcome],
        clean(sentence(model)),
        tuple(_lead(model, ranked)),
        tuple(_about(model)),
        reproduce,
        tuple(_entry(e) for e in entries(model.passport, one_by_one=False)),
        tuple(_entry(e, alone=True) for e in entries(model.passport, one_by_one=True)),
        *_contract(model.contract),
        branches(model.layers),
        any(layer.positions for layer in model.layers),
        tuple(_finding(f, reproduce, rendering) for f in ranked[:MOST_FINDINGS]),
        max(len(ranked) - MOST_FINDINGS, 0),
        tuple(_attention(m, i < MOST_PICTURES) for i, m in enumerate(looking[:MOST_MAPS])),
        len(model.attention) - len(looking),
        max(len(looking) - MOST_MAPS, 0),
        curve(model.curve),
        tuple(_accepted(a) for a in model.accepted),
        tuple(clean(line) for line in model.stale),
        tuple(clean(note) for note in model.notes),
    )


def _lead(model: ModelReport, ranked: Sequence[Finding]) -> Iterator[str]:
    """What to know beyond the verdict: how large, how many, how often."""
    gating = [row for row in model.passport if row.gating and row.status is RowStatus.LEAKY]
    worst = worst_output(gating)
    if worst is not None:
        over = worst.difference / worst.noise_floor if worst.noise_floor > 0 else 0.0
        moved = f"The answer {clean(worst.name)} moves by {deviations(worst.difference)}"
        if worst.difference != worst.difference:
            moved = f"The answer {clean(worst.name)} becomes NaN"
        times = f", {float(quantity(over, 1)):,.0f} times what rounding does" if 10 < over < 1e12 else ""
        yield f"{moved}{times}."
        if worst.influence is not None and 0 < worst.influence < float("inf"):
            yield f"Padding counts {quantity(worst.influence)} of a real token."
    errors = [f for f in ranked if f.severity is Severity.ERROR]
    places = len(errors) + sum(len(f.related) for f in errors)
    if errors:
        yield f"It gets in at {plural(places, 'place')}."


def _about(model: ModelReport) -> Iterator[Fact]:
    yield Fact("format", clean(model.format))
    if model.sha256:
        yield Fact("sha256", clean(model.sha256))
    if model.duration_s:
        yield Fact("audited in", f"{model.duration_s:.1f} s")


def _entry(entry: PassportEntry, alone: bool = False) -> PassportLine:
    row = entry.rows[0]
    worst = worst_output(entry.chosen)
    untested = entry.status is RowStatus.UNTESTED
    shown = None if worst is None or untested else worst
    return PassportLine(
        clean(f"{row.twin.value} {row.label}" if alone else row.twin.value),
        MEANINGS.get(row.twin, ""),
        row.gating,
        _word(entry),
        _tone(entry),
        "" if shown is None else _size(shown.difference),
        None if shown is None else scale(shown),
        tuple(clean(remark) for remark in _remarks(entry, alone) if remark),
    )


def _word(entry: PassportEntry) -> str:
    if entry.status is RowStatus.LEAKY:
        return LEAKS.get(entry.rows[0].twin, "leaks")
    return "safe" if entry.status is RowStatus.CLEAN else "untested"


def _tone(entry: PassportEntry) -> str:
    if entry.status is RowStatus.LEAKY:
        return "bad" if entry.rows[0].gating else "warn"
    return "good" if entry.status is RowStatus.CLEAN else "none"


def _size(difference: float) -> str:
    return "not one bit" if difference == 0 else deviations(difference)


def _remarks(entry: PassportEntry, alone: bool) -> Iterator[str]:
    if entry.status is RowStatus.UNTESTED:
        yield "; ".join(dict.fromkeys(row.reason or "no reason given" for row in entry.rows))
        return
    if entry.status is RowStatus.LEAKY:
        changed = answers_changed(entry.chosen)
        yield f"changes {changed[0]} of {plural(changed[1], 'answer')}" if changed else ""
        yield "" if alone else _variants(entry.chosen)
    worst = worst_row(entry.chosen)
    reasons = [worst.reason] if worst is not None else [row.reason for row in entry.chosen]
    yield "; ".join(dict.fromkeys(reason for reason in reasons if reason))
    untested = sum(row.status is RowStatus.UNTESTED for row in entry.rows)
    yield f"{untested} of {len(entry.rows)} variants untested" if untested else ""


def _variants(rows: Sequence[PassportRow]) -> str:
    names = [name for name in dict.fromkeys(row.label for row in rows) if name]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _contract(
    contract: Contract | None,
) -> tuple[tuple[tuple[str, str, str], ...], tuple[tuple[str, str, str], ...], tuple[Fact, ...]]:
    if contract is None:
        return (), (), ()
    inputs = tuple((clean(i.name), clean(describe_input(i)), clean(i.inferred_from)) for i in contract.inputs)
    outputs = tuple((clean(o.name), clean(describe_output(o)), clean(o.inferred_from)) for o in contract.outputs)
    remarks = (
        *(Fact("chosen", clean(choice)) for choice in contract.choices),
        *(Fact("conflict", clean(f"{c.input}: {c.message}")) for c in contract.conflicts),
    )
    return inputs, outputs, remarks


def _finding(finding: Finding, reproduce: str, rendering: Rendering) -> FindingCard:
    site, cause = finding.site, finding.root_cause
    text = rendering.texts.get(finding.rule)
    return FindingCard(
        clean(finding.rule),
        clean(title(finding)),
        finding.severity.value,
        SEVERITY_TONES[finding.severity],
        "" if finding.share is None else share_of(finding.share),
        place(site),
        clean(site.source.text or "") if site is not None and site.source is not None else "",
        tuple(_names(site)),
        pieces(clean(finding.message)),
        pieces(clean(cause.reason)) if cause is not None else (),
        place(cause.site) if cause is not None and cause.site is not None else "",
        pieces(code(finding.fix).plain),
        pieces(clean(text.why)) if text is not None else (),
        tuple(_measured(finding)),
        tuple(_short(s) for s in finding.related[:MOST_RELATED]),
        max(len(finding.related) - MOST_RELATED, 0),
        len(finding.interval),
        reproduce,
        f"maskcheck explain {clean(finding.rule)}",
        clean(finding.fingerprint),
    )


def pieces(text: str) -> Pieces:
    """Split text at its backticks; without a partner a backtick is a character like others."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return ((text, False),)
    return tuple((part, i % 2 == 1) for i, part in enumerate(parts) if part)


def place(site: Site | None) -> str:
    """Return where to look: the source line where it is known, else the site's module or name."""
    if site is None:
        return "the model as a whole"
    return source_line(site) or clean(site.module or site.name)


def _short(site: Site) -> str:
    return clean(f"{site.module}: {site.name}" if site.module and site.module != site.name else site.name)


def _names(site: Site | None) -> Iterator[str]:
    if site is None:
        return
    yield from (clean(n) for n in dict.fromkeys((site.module or "", site.operator, site.name)) if clean(n))


def _measured(finding: Finding) -> Iterator[Fact]:
    if finding.twins:
        yield Fact("leaks under", ", ".join(twin.value for twin in finding.twins))
    if finding.difference:
        size = deviations(finding.difference)
        yield Fact("moves the answer", f"{size} (noise {quantity(finding.noise_floor, 1)})")
    if finding.influence is not None:
        yield Fact("a pad counts", f"{quantity(finding.influence)} of a real token")
    if finding.outputs:
        yield Fact("seen in", clean(", ".join(finding.outputs)))


def _attention(weights: AttentionMap, picture: bool) -> AttentionLine:
    site = weights.site
    return AttentionLine(
        clean(site.module or site.name),
        percent(weights.pad_mass_max),
        percent(weights.pad_mass_mean),
        clean(weights.axis),
        weights.pad_mass_max > 0,
        head_bars(weights),
        weights.heads,
        heatmap(weights.sample) if picture and weights.sample is not None else None,
    )


def _accepted(accepted: Accepted) -> AcceptedLine:
    finding = accepted.finding
    return AcceptedLine(
        clean(finding.rule),
        clean(title(finding)),
        place(finding.site),
        _size(finding.difference),
        clean(accepted.reason),
        clean(accepted.source),
    )
