"""Every mechanism of the second corpus, leaky and mended, and every look-alike, in one of its two architectures."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from evaluation.case import Case
from evaluation.corpora.mechanisms.building import lines
from evaluation.corpora.mechanisms.corpus import CORPUS
from evaluation.corpora.mechanisms.registry import REGISTRY
from evaluation.judge import judge

OPEN = {
    "ATT-18 OnlyWherePadded/Frames/leaky/half",
    "ATT-18 OnlyWherePadded/Words/leaky/half",
    "ATT-29 StepWithoutMask/Words/leaky/left",
    "MIX-03 OldRows/Frames/leaky/module",
}
"""Where the audit is not right yet; what became right leaves this list."""
FORMS = ("module", "left", "half")


def _turn(case: Case) -> int:
    """Which of the two architectures a case is in, the other way round for every second mechanism."""
    placed = case.subject
    return (placed.mechanism.number + (placed.host is placed.hosts[0])) % 2


CHOSEN = [c for c in CORPUS.cases() if c.condition in FORMS and _turn(c)]


def _expected(case: Case) -> object:
    marks = [pytest.mark.xfail(reason="the audit is not right yet", strict=True)] if case.name in OPEN else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_expected(c) for c in CHOSEN])
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found = judge(CORPUS, case)
    assert found.truth.undecided or found.right, found


def test_every_mechanism_has_a_line_and_is_there_once() -> None:
    assert len({m.name for m in REGISTRY}) == len(REGISTRY) > 75
    for case in CORPUS.cases():
        assert bool(lines(case)) is not case.subject.mechanism.sound, case.name
