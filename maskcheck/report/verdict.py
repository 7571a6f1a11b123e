"""The one sentence that says whether to worry."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck.core.report import ModelReport, Outcome, PassportRow, Report, Severity, Status, TwinKind
from maskcheck.report.passport_view import answers_changed, worst_output
from maskcheck.report.quantities import deviations, plural

SUBJECTS = {
    TwinKind.MATES: "its place in the batch",
    TwinKind.EMPTY: "an empty row",
    TwinKind.VALID: "the mask",
}


def sentence(model: ModelReport) -> str:
    """Say what the verdict rests on; for skipped and failed models, why there is none."""
    if model.outcome is Outcome.LEAKY:
        said = _leaky([row for row in model.passport if row.gating and row.status is Status.LEAKY])
        return f"{said}, all of it accepted" if model.excused else said
    if model.outcome is Outcome.CLEAN:
        return _clean(model)
    return model.reason or "no reason given"


def _leaky(rows: Sequence[PassportRow]) -> str:
    worst = worst_output(rows)
    if rows and all(row.twin is TwinKind.TRAINING for row in rows):
        return "padding changes its training"
    if worst is None:
        return "padding changes the answers"
    twins = {row.twin for row in rows}
    subject = SUBJECTS.get(next(iter(twins)), "padding") if len(twins) == 1 else "padding"
    changed = answers_changed(rows)
    if changed is not None:
        return f"{subject} changes {changed[0]} of {plural(changed[1], 'answer')}"
    if worst.difference != worst.difference:
        return f"{subject} turns {worst.name} into NaN"
    return f"{subject} moves {worst.name} by {deviations(worst.difference)}"


def _clean(model: ModelReport) -> str:
    untested = dict.fromkeys(row.twin.value for row in model.passport if row.gating and row.status is Status.UNTESTED)
    tested = {row.twin.value for row in model.passport if row.gating and row.status is not Status.UNTESTED}
    missing = [twin for twin in untested if twin not in tested]
    scope = f"as far as tested (not: {', '.join(missing)})" if missing else ""
    warnings = model.count(Severity.WARNING)
    said = " ".join(part for part in ("padding changes nothing", scope) if part)
    return f"{said}; {plural(warnings, 'warning')} all the same" if warnings else said


def summary(report: Report) -> str:
    """Return the whole run in one sentence."""
    outcomes = ", ".join(f"{count} {outcome}" for outcome in Outcome if (count := report.outcomes(outcome)))
    counts = [(severity, report.findings(severity)) for severity in Severity]
    total = sum(count for _, count in counts)
    detail = ", ".join(_counted(severity, count) for severity, count in counts if count)
    findings = f"{plural(total, 'finding')} ({detail})" if total else "no findings"
    accepted = sum(model.suppressed for model in report.models)
    more = f", {accepted} accepted" if accepted else ""
    return f"{plural(len(report.models), 'model')}: {outcomes or 'none'}; {findings}{more}."


def _counted(severity: Severity, count: int) -> str:
    return f"{count} {severity}" if severity is Severity.INFO else plural(count, severity)
