"""What reports say of mechanisms that show otherwise than by padding, and of models that nothing can be said of."""

from __future__ import annotations

from dataclasses import replace

from evaluation.case import Case
from evaluation.corpora.mechanisms.building import Placed, padded
from evaluation.corpora.mechanisms.registry import EMPTY, PADDING, REPEAT, UNFIT, VALID
from evaluation.marks import Marks
from evaluation.reading import Said, errors, told
from evaluation.reading import read as read_errors
from maskcheck.core.report import ModelReport, Outcome, PassportRow, Status, TwinKind


def read(case: Case[Placed], marks: Marks, report: ModelReport) -> Said:
    return _READ[case.subject.mechanism.expects](case, marks, report)


def _moved(case: Case[Placed], marks: Marks, report: ModelReport) -> Said:
    """Answers that move. Where nothing can be padded it is right to say so, and to skip the model."""
    said = read_errors(case, marks, report)
    left = not padded(case).domains and report.outcome is Outcome.SKIPPED and not errors(report)
    return replace(said, outcome=Outcome.CLEAN.value) if left else said


def _noticed(case: Case[Placed], marks: Marks, report: ModelReport) -> Said:
    """What does not gate: the passport says it, a finding of it names the line if there are any, nothing else leaks."""
    twin = TwinKind(case.subject.mechanism.expects)
    rows = [row for row in report.passport if row.twin is twin]
    bad = any(_bad(row) for row in rows)
    quiet = report.outcome is _fitting(twin, bad) and not errors(report)
    outcome = "leaky" if bad else "clean" if quiet else report.outcome.value
    reason = report.reason or "; ".join(f"{r.variant}: {r.status.value}, {r.reason}" for r in rows)
    said = told(marks, [f for f in report.findings if twin in f.twins] if bad else [], outcome, reason)
    if not case.subject.mechanism.rules:
        return replace(said, placed=quiet, causes={}, causes_right=0)
    return replace(said, placed=quiet and set(said.named) == {str(place) for place in marks.places})


def _bad(row: PassportRow) -> bool:
    return row.status is Status.LEAKY or (row.twin is TwinKind.EMPTY and bool(row.reason))


def _fitting(twin: TwinKind, bad: bool) -> Outcome:
    """Of a model that answers the same input in two ways nothing else can be said."""
    return Outcome.SKIPPED if twin is TwinKind.REPEAT and bad else Outcome.CLEAN


def _refused(case: Case[Placed], marks: Marks, report: ModelReport) -> Said:
    """Answers that are no numbers before any padding: nothing can be said, and that is said."""
    unfit = report.outcome is Outcome.SKIPPED and "NaN" in (report.reason or "")
    return Said(outcome="leaky" if unfit else report.outcome.value, reason=report.reason, placed=unfit)


_READ = {PADDING: _moved, REPEAT: _noticed, VALID: _noticed, EMPTY: _noticed, UNFIT: _refused}
