"""Two audits side by side, for a terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import RenderableType
from rich.text import Text

from maskcheck.core.comparison import Change, Comparison, TwinChange
from maskcheck.core.report import Finding, ModelReport, Report, Status
from maskcheck.report.canvas import clean, flow, hanging, indented, joined, shorten, to_text, words
from maskcheck.report.console import LABEL, MARGIN, OUTCOMES
from maskcheck.report.findings_view import source_line, title
from maskcheck.report.json import SCHEMA_VERSION, document
from maskcheck.report.plain import dump
from maskcheck.report.quantities import deviations, plural
from maskcheck.report.rendering import Rendering
from maskcheck.report.verdict import sentence

STYLES = {Change.ADDED: "bold red", Change.GROWN: "bold red", Change.MENDED: "green", Change.UNKNOWN: "yellow"}
NAMES = {Change.UNKNOWN: "not comparable"}


def render(comparison: Comparison, rendering: Rendering) -> str:
    """Return the comparison in lines of at most ``rendering.width`` cells."""
    blocks: list[RenderableType] = [
        _model("before", comparison.before, rendering.width),
        _model("after", comparison.after, rendering.width),
        Text(),
    ]
    if rendering.verbosity >= 0:
        body = [*_twins(comparison.twins, rendering.verbosity > 0), *_details(comparison, rendering.width - MARGIN)]
        blocks += [indented(block, MARGIN) for block in body]
        blocks += [Text()] if body else []
    return to_text([*blocks, _conclusion(comparison)], rendering)


def render_json(comparison: Comparison, version: str) -> str:
    """Return the comparison as JSON text; ``before`` and ``after`` are models as in the JSON report."""
    return dump(comparison_document(comparison, version))


def comparison_document(comparison: Comparison, version: str) -> dict[str, object]:
    before, after = document(Report((comparison.before, comparison.after), version))["models"]
    return {
        "schema_version": SCHEMA_VERSION,
        "tool": {"name": "maskcheck", "version": version},
        "worse": comparison.worse,
        "comparable": comparison.comparable,
        "twins": [
            {
                "twin": row.twin,
                "domain": row.domain,
                "gating": row.gating,
                "change": row.change,
                "before": {"status": row.before, "difference": row.before_difference},
                "after": {"status": row.after, "difference": row.after_difference},
            }
            for row in comparison.twins
        ],
        "lost_inputs": comparison.lost,
        "added": [finding.fingerprint for finding in comparison.added],
        "gone": [finding.fingerprint for finding in comparison.gone],
        "before": before,
        "after": after,
    }


def _model(label: str, model: ModelReport, width: int) -> RenderableType:
    word, style = OUTCOMES[model.outcome]
    path = words(shorten(clean(model.path), width - LABEL), "bold")
    said = flow([path, words(word, style), words(sentence(model))], width - LABEL)
    return hanging(words(label, "dim"), said, LABEL)


def _twins(twins: Sequence[TwinChange], verbose: bool) -> Iterator[RenderableType]:
    """One line for each twin tried on either side; of those that do not gate, only what changed, unless asked."""
    tried = [row for row in twins if {row.before, row.after} != {Status.UNTESTED}]
    shown = [row for row in tried if verbose or row.gating or row.change not in (Change.SAME, Change.UNKNOWN)]
    for row in shown:
        name = f"{row.twin}{' *' if row.gating else ''}"
        change = words(NAMES.get(row.change, row.change), STYLES.get(row.change, "dim"))
        moved = words(f"{_state(row.before, row.before_difference)} -> {_state(row.after, row.after_difference)}")
        domain = words(f"({row.domain})", "dim") if len({r.domain for r in shown}) > 1 and row.domain else Text()
        yield hanging(words(name), joined([moved, change, domain]), LABEL)


def _state(status: Status, difference: float) -> str:
    if status is Status.LEAKY:
        return f"leaks {deviations(difference)}" if difference else "leaks"  # some twins measure no output
    return "safe" if status is Status.CLEAN else "untested"


def _details(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    for name in comparison.lost:
        text = f"{name}: the model before takes it to tell padding from data, the model after has nothing in its place."
        yield hanging(words("lost", "bold red"), words(text), LABEL)
    for finding in comparison.added:
        yield hanging(words("added", "bold red"), _finding(finding, width - LABEL), LABEL)
    for finding in comparison.gone:
        yield hanging(words("gone", "green"), _finding(finding, width - LABEL), LABEL)


def _finding(finding: Finding, width: int) -> RenderableType:
    place = [] if finding.site is None else [words(source_line(finding.site)), words(finding.site.name, limit=width)]
    head = words(f"{finding.severity}: {finding.rule} {title(finding)}")
    return flow([head, *(part for part in place if len(part))], width)


def _conclusion(comparison: Comparison) -> Text:
    if not comparison.comparable:
        return words("Not comparable: one of the two could not be audited.", "bold yellow")
    if comparison.worse:
        return words("Worse: padding does more to the model after than to the one before.", "bold red")
    mended = [row for row in comparison.twins if row.change is Change.MENDED]
    if mended:
        return words(f"Better: {plural(len(mended), 'kind')} of padding no longer leaks.", "green")
    return words("No worse: padding does to the model after what it did before.", "green")
