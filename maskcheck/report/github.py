"""Report -> annotations of a GitHub Actions run: workflow commands, one a line.

Whatever is printed in a job and starts with ``::`` is a command, so names from a model never reach a line unescaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from maskcheck.core.report import Finding, ModelReport, Outcome, Report, Severity
from maskcheck.report.canvas import clean
from maskcheck.report.findings_view import source_line, title
from maskcheck.report.quantities import deviations, plural
from maskcheck.report.rendering import Rendering
from maskcheck.report.verdict import sentence, summary

MOST_SHOWN = 10
"""Annotations of one level that GitHub shows for a step; of more, the last one says how many are hidden."""
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render(report: Report, rendering: Rendering) -> str:
    """Return the annotations, worst first, and the run in one sentence, which is an annotation as well."""
    by_level: dict[str, list[str]] = {level: [] for level in ("error", "warning", "notice")}
    for model in report.models:
        for level, line in _model(model, rendering):
            by_level[level].append(line)
    lines = [line for level, all_lines in by_level.items() for line in _limited(level, all_lines)]
    return "\n".join([*lines, f"maskcheck: {_visible(summary(report))}"]) + "\n"


def _limited(level: str, lines: list[str]) -> list[str]:
    if len(lines) <= MOST_SHOWN:
        return lines
    rest = len(lines) - MOST_SHOWN + 1
    more = annotation(level, "maskcheck", f"and {plural(rest, 'more ' + level)}; the report has them all")
    return [*lines[: MOST_SHOWN - 1], more]


def _model(model: ModelReport, rendering: Rendering) -> Iterator[tuple[str, str]]:
    where = rendering.locate(model.path)
    if model.outcome in (Outcome.ERROR, Outcome.SKIPPED):
        level = "error" if model.outcome is Outcome.ERROR else "warning"
        title_ = f"{model.path}: {model.outcome}"
        yield level, annotation(level, title_, sentence(model), where)
    for finding in sorted(model.findings, key=lambda f: list(Severity).index(f.severity)):
        level = LEVELS[finding.severity]
        yield level, _finding(level, model, finding, rendering)
    for stale in model.stale:
        yield "notice", annotation("notice", f"{model.path}: stale acceptance", stale, where)


def _finding(level: str, model: ModelReport, finding: Finding, rendering: Rendering) -> str:
    file, line = rendering.locate(model.path), 1
    site = finding.site
    if site is not None and site.source is not None and (source := rendering.locate(site.source.file)):
        file, line = source, site.source.line
    at = "" if site is None else f" at {source_line(site) or site.name}"
    size = f" It moves the answer {deviations(finding.difference)}." if finding.difference else ""
    message = f"{model.path}{at}: {finding.message}{size}" + (f"\nMend: {finding.fix}" if finding.fix else "")
    return annotation(level, f"{finding.rule} {title(finding)}", message, file, line)


def annotation(level: str, heading: str, message: str, file: str | None = None, line: int = 1) -> str:
    """Return one workflow command with everything in it escaped."""
    properties = [("file", file), ("line", str(max(line, 1)))] if file and _visible(file) else []
    text = ",".join(f"{key}={_property(value)}" for key, value in (*properties, ("title", heading)))
    return f"::{level} {text}::{_message(message)}"


def _message(text: str) -> str:
    lines = [_visible(line.rstrip()) for line in text.replace("\r", "\n").split("\n")]
    return "%0A".join(line.replace("%", "%25") for line in lines)


def _property(text: str) -> str:
    return _visible(text).replace("%", "%25").replace(":", "%3A").replace(",", "%2C")


def _visible(text: str) -> str:
    """Return text on one line that the runner takes for text: the old form of a command may stand anywhere in it."""
    return clean(text).replace("##[", "# #[")
