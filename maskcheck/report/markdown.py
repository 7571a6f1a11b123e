"""Report -> Markdown for a pull request or a job summary.

Names from a model stand in code spans, where neither markup nor mentions nor links work; all other text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from maskcheck.core.report import Finding, ModelReport, Report, Severity, Status
from maskcheck.report.canvas import clean, code
from maskcheck.report.findings_view import share_of, source_line, title
from maskcheck.report.passport_view import LEAKS, PassportEntry, answers_changed, entries, worst_output
from maskcheck.report.quantities import deviations, plural, quantity
from maskcheck.report.rendering import Rendering
from maskcheck.report.reproduction import command
from maskcheck.report.verdict import sentence, summary

MOST_FINDINGS = 30
LONGEST_SUMMARY = 1_000_000
"""Bytes of a job summary that GitHub takes, with some to spare."""


def render(report: Report, rendering: Rendering | None = None) -> str:
    """Return the whole report: a table of the models, then each model with its passport and findings."""
    blocks = [f"## Padding audit\n\n{escaped(summary(report))}", _overview(report)]
    blocks += ["\n\n".join(block for block in _model(report, model) if block) for model in report.models]
    return "\n\n".join(block for block in blocks if block) + "\n"


def job_summary(report: Report, rendering: Rendering | None = None) -> str:
    """Return the report cut so that GitHub takes it as a job summary."""
    text = render(report, rendering)
    data = text.encode("utf-8", "replace")
    if len(data) <= LONGEST_SUMMARY:
        return text
    kept = data[:LONGEST_SUMMARY].decode("utf-8", "ignore")
    kept = kept[: kept.rfind("\n\n### ")] if "\n\n### " in kept else f"## Padding audit\n\n{escaped(summary(report))}"
    return f"{kept}\n\nThe rest was cut: a job summary holds a megabyte. The HTML report has everything.\n"


def escaped(text: str) -> str:
    """Return text on one line in which nothing is markup, a mention or a link."""
    marked = re.sub(r"([\\`*_{}\[\]<>#!|~$&])", r"\\\1", clean(text))
    marked = re.sub(r"@(?=\w)|#(?=\d)|:(?=//)|(?<=www)\.", r"\g<0>&#8288;", marked)
    return re.sub(r"^([-+=]|\d+(?=[.)]\s))", r"&#8288;\1", marked)


def span(text: str) -> str:
    """Return text as a code span, whatever backticks it holds."""
    content = clean(text)
    longest = max((len(run) for run in re.findall(r"`+", content)), default=0)
    fence = "`" * (longest + 1)
    gap = " " if content.startswith("`") or content.endswith("`") else ""
    return f"{fence}{gap}{content}{gap}{fence}" if content else "(no name)"


def cell(text: str) -> str:
    """Return text as a code span inside a table, where a bar would end the cell even there."""
    return span(text).replace("|", "\\|")


def block(text: str) -> str:
    """Return text as a fenced block, whatever it holds."""
    content = code(text).plain
    longest = max((len(run) for run in re.findall(r"`{3,}", content)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}text\n{content}\n{fence}"


def _overview(report: Report) -> str:
    if len(report.models) < 2:
        return ""
    rows = [f"| {cell(m.path)} | {m.outcome.value.upper()} | {escaped(sentence(m))} |" for m in report.models]
    return "\n".join(["| model | outcome | |", "|---|---|---|", *rows])


def _model(report: Report, model: ModelReport) -> Iterator[str]:
    yield f"### {span(model.path)}: {model.outcome.value.upper()}"
    yield escaped(sentence(model))
    yield _passport(model)
    ranked = sorted(model.findings, key=lambda finding: list(Severity).index(finding.severity))
    for finding in ranked[:MOST_FINDINGS]:
        yield "\n\n".join(part for part in _finding(finding) if part)
    if len(ranked) > MOST_FINDINGS:
        yield f"and {plural(len(ranked) - MOST_FINDINGS, 'further finding')}"
    yield _accepted(model)
    yield "\n".join(f"- stale: {escaped(line)}" for line in model.stale)
    yield "\n".join(f"- note: {escaped(note)}" for note in model.notes)
    yield f"Run it again:\n\n{block(command(report, model))}"


def _passport(model: ModelReport) -> str:
    rows = [_row(entry) for entry in entries(model.passport, one_by_one=False)]
    if not rows:
        return ""
    legend = ["", "\\* decides the verdict"] if any(row.gating for row in model.passport) else []
    return "\n".join(["| twin | verdict | moves the answer | answers changed |", "|---|---|---|---|", *rows, *legend])


def _row(entry: PassportEntry) -> str:
    twin, star = entry.rows[0].twin, "\\*" if entry.rows[0].gating else ""
    if entry.status is Status.UNTESTED:
        reasons = "; ".join(dict.fromkeys(row.reason or "no reason given" for row in entry.rows))
        return f"| {twin.value}{star} | untested | {escaped(reasons)} | |"
    worst = worst_output(entry.chosen)
    size = "" if worst is None else f"{deviations(worst.difference)} (noise {quantity(worst.noise_floor, 1)})"
    size = "not one bit" if worst is not None and worst.difference == 0 else size
    changed = answers_changed(entry.chosen)
    share = f"{changed[0]} of {changed[1]}" if changed else ""
    if entry.status is Status.LEAKY:
        word = LEAKS.get(twin, "leaks")
        return f"| {twin.value}{star} | {f'**{word}**' if star else word} | {escaped(size)} | {share} |"
    return f"| {twin.value}{star} | safe | {escaped(size)} | {share} |"


def _finding(finding: Finding) -> Iterator[str]:
    share = "" if finding.share is None else f", {share_of(finding.share)}"
    yield f"#### {span(finding.rule)} {escaped(title(finding))}\n\n{finding.severity}{share}"
    yield _places(finding)
    yield escaped(finding.message)
    if finding.root_cause is not None:
        yield f"Cause: {escaped(finding.root_cause.reason)}"
    if finding.fix:
        yield f"Mend:\n\n{block(finding.fix)}"


def _places(finding: Finding) -> str:
    site = finding.site
    if site is None:
        return "At the model as a whole."
    names: Sequence[str] = (source_line(site), site.module or "", site.operator, site.name)
    more = f", and at {plural(len(finding.related), 'further place')}" if finding.related else ""
    return "At " + ", ".join(span(name) for name in dict.fromkeys(names) if clean(name)) + more + "."


def _accepted(model: ModelReport) -> str:
    lines = []
    for accepted in model.accepted:
        site = accepted.finding.site
        where = f" at {span(source_line(site) or site.name)}" if site is not None else ""
        name = f"{span(accepted.finding.rule)} {escaped(title(accepted.finding))}{where}"
        lines.append(f"- accepted: {name}: {escaped(accepted.reason)} ({span(accepted.source)})")
    return "\n".join(lines)
