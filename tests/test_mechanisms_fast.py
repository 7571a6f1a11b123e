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
FORMS = ("module", "left")
CHOSEN = [c for c in cases() if c.form in FORMS and (c.mechanism.number + (c.host is c.hosts[0])) % 2]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda c: c.name)
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
    assert found["causes_right"] or "cause" in excused, found


def test_every_mechanism_has_a_line_and_is_there_once() -> None:
    assert len({m.name for m in REGISTRY}) == len(REGISTRY) > 75
    for case in cases():
        assert bool(lines(case)) is not case.mechanism.sound, case.name
