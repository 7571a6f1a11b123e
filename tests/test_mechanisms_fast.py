"""Every mechanism of the second corpus, leaky and mended, and every look-alike, in one of its two architectures."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from benchmarks.mechanisms.cases import Case, cases, lines
from benchmarks.mechanisms.judge import judge
from benchmarks.mechanisms.registry import REGISTRY
from benchmarks.scores import origins_right

KNOWN = {
    # Blocks of steps that are filled up inside the layer: nothing tells the filled steps from real ones, so the place
    # that is named is where the filling happens, a line before the scale that the pads enter.
    "QNT-02 BlockScale": {"origin", "cause"},
}
OPEN = {
    "ATT-15 WindowInPads/Frames/leaky/module",
    "ATT-15 WindowInPads/Words/leaky/module",
    "ATT-18 OnlyWherePadded/Frames/leaky/half",
    "ATT-18 OnlyWherePadded/Words/leaky/half",
    "ATT-22 WithoutBounds/Frames/leaky/module",
    "ATT-22 WithoutBounds/Words/leaky/module",
    "ATT-29 EmptySlots/Frames/leaky/module",
    "ATT-29 EmptySlots/Words/leaky/module",
    "ATT-29 StepWithoutMask/Words/leaky/left",
    "CONV-09 Backbone/Detector/leaky/module",
    "CONV-09 ReadsTheMargin/Detector/leaky/module",
    "EMB-06 LengthFromIds/Marked/leaky/module",
    "EMB-06 LengthFromIds/MarkedClassifier/leaky/module",
    "MIX-03 OldRows/Frames/leaky/module",
    "MIX-03 OldRows/Words/leaky/module",
    "MOE-02 BalancedByLoad/Frames/leaky/module",
    "MOE-02 BalancedByLoad/Words/leaky/module",
    "NORM-06 ScaledAway/ValuedClassifier/leaky/module",
    "NORM-06 ScaledAway/ValuedTagger/leaky/module",
    "POOL-07 LastByIds/ChosenAttention/leaky/module",
    "POOL-07 LastByIds/ChosenState/leaky/module",
    "POS-07 BiasFromTheEnd/Frames/leaky/module",
    "POS-07 BiasFromTheEnd/Words/leaky/module",
    "RNN-12 Stateful/Words/leaky/module",
    "RNN-13 SentencesWithoutMask/Visits/leaky/module",
    "RNN-13 SentencesWithoutMask/Visits/mended/module",
    "RNN-13 WordsWithoutMask/Visits/leaky/module",
    "RNN-13 WordsWithoutMask/Visits/mended/module",
}
"""Where the audit is not right yet; what became right leaves this list."""
FORMS = ("module", "left", "half")
CHOSEN = [c for c in cases() if c.form in FORMS and (c.mechanism.number + (c.host is c.hosts[0])) % 2]


def _expected(case: Case) -> object:
    marks = [pytest.mark.xfail(reason="the audit is not right yet")] if case.name in OPEN else []
    return pytest.param(case, id=case.name, marks=marks)


@pytest.mark.parametrize("case", [_expected(c) for c in CHOSEN])
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found = judge(case)
    excused = KNOWN.get(case.mechanism.name, set())
    if found["undecided"]:
        return
    if not found["leaky"]:
        assert found["outcome"] == "clean", found
        return
    assert found["outcome"] == "leaky", found
    assert origins_right(found) or "origin" in excused, found
    assert found["causes_right"] == len(found["causes"]) or "cause" in excused, found


def test_every_mechanism_has_a_line_and_is_there_once() -> None:
    assert len({m.name for m in REGISTRY}) == len(REGISTRY) > 75
    for case in cases():
        assert bool(lines(case)) is not case.mechanism.sound, case.name
