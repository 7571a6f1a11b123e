"""Every mechanism of the second corpus, leaky and mended, and every look-alike, in one of its two architectures."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from evaluation.corpora.mechanisms.cases import Case, cases, lines
from evaluation.corpora.mechanisms.judge import judge
from evaluation.corpora.mechanisms.registry import REGISTRY
from evaluation.score import origins_right

OPEN = {
    "ATT-18 OnlyWherePadded/Frames/leaky/half",
    "ATT-18 OnlyWherePadded/Words/leaky/half",
    "ATT-29 StepWithoutMask/Words/leaky/left",
    "MIX-03 OldRows/Frames/leaky/module",
}
"""Where the audit is not right yet; what became right leaves this list."""
FORMS = ("module", "left", "half")
CHOSEN = [c for c in cases() if c.form in FORMS and (c.mechanism.number + (c.host is c.hosts[0])) % 2]


def _expected(case: Case) -> object:
    marks = [pytest.mark.xfail(reason="the audit is not right yet", strict=True)] if case.name in OPEN else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_expected(c) for c in CHOSEN])
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found = judge(case)
    if found["undecided"]:
        return
    if not found["leaky"]:
        assert found["outcome"] == "clean", found
        return
    assert found["outcome"] == "leaky", found
    assert origins_right(found), found
    assert found["causes_right"] == len(found["causes"]), found


def test_every_mechanism_has_a_line_and_is_there_once() -> None:
    assert len({m.name for m in REGISTRY}) == len(REGISTRY) > 75
    for case in cases():
        assert bool(lines(case)) is not case.mechanism.sound, case.name
