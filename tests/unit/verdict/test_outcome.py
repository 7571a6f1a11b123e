"""The outcome: which rows decide it, and what is never clean."""

from __future__ import annotations

import pytest

from maskcheck.core.contract import Contract
from maskcheck.core.report import Outcome, PassportRow, Status, TwinKind
from maskcheck.core.settings import DEFAULT_REQUIRE
from maskcheck.verdict.outcome import decide_outcome, describe_assumed
from tests.unit.verdict.build import contract, row

LENGTH, MATES, SIDE = TwinKind.LENGTH, TwinKind.MATES, TwinKind.SIDE
CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED


@pytest.mark.parametrize(
    ("rows", "outcome"),
    [
        ([row(LENGTH), row(MATES)], Outcome.CLEAN),
        ([row(LENGTH, LEAKY), row(MATES)], Outcome.LEAKY),
        ([row(LENGTH), row(MATES, LEAKY)], Outcome.LEAKY),
        ([row(LENGTH), row(MATES, UNTESTED, reason="one row")], Outcome.CLEAN),
        ([row(LENGTH, UNTESTED, reason="refused"), row(MATES)], Outcome.SKIPPED),
        ([row(LENGTH, UNTESTED, reason="refused"), row(LENGTH), row(MATES)], Outcome.CLEAN),
        ([row(LENGTH, UNTESTED, reason="refused"), row(MATES, LEAKY)], Outcome.LEAKY),
        ([row(LENGTH, gating=False), row(MATES)], Outcome.SKIPPED),
        ([], Outcome.SKIPPED),
    ],
)
def test_the_outcome_by_rows(rows: list[PassportRow], outcome: Outcome) -> None:
    assert decide_outcome(contract(), rows, DEFAULT_REQUIRE)[0] is outcome


def test_an_untested_number_of_pads_is_skipped_with_every_reason_once() -> None:
    rows = [row(LENGTH, UNTESTED, reason="refused"), row(LENGTH, UNTESTED, reason="refused"), row(MATES)]
    assert decide_outcome(contract(), rows, DEFAULT_REQUIRE)[1] == "the number of pads could not be tried: refused."


def test_where_the_number_of_pads_is_not_required_other_clean_twins_are_enough() -> None:
    rows = [row(LENGTH, UNTESTED, reason="refused", gating=False), row(MATES)]
    assert decide_outcome(contract(), rows, ("mates",)) == (Outcome.CLEAN, None)


def test_rows_that_do_not_gate_decide_nothing() -> None:
    rows = [row(LENGTH), row(SIDE, LEAKY, gating=False)]
    assert decide_outcome(contract(), rows, DEFAULT_REQUIRE) == (Outcome.CLEAN, None)


def test_a_required_twin_of_another_kind_gates() -> None:
    rows = [row(LENGTH), row(SIDE, LEAKY, gating=True)]
    assert decide_outcome(contract(), rows, (*DEFAULT_REQUIRE, "side"))[0] is Outcome.LEAKY


def test_nothing_that_gates_is_skipped_and_says_so() -> None:
    assert decide_outcome(contract(), [], ("mates",)) == (Outcome.SKIPPED, "nothing that gates could be tried.")


def test_inputs_that_nothing_says_are_padded_are_skipped_however_clean() -> None:
    outcome, reason = decide_outcome(contract(assumed=True), [row(LENGTH), row(MATES)], DEFAULT_REQUIRE)
    assert outcome is Outcome.SKIPPED
    assert reason is not None and "nothing says that ids is ever padded" in reason


def test_a_leak_beats_the_doubt_whether_anything_is_padded() -> None:
    assert decide_outcome(contract(assumed=True), [row(MATES, LEAKY)], DEFAULT_REQUIRE)[0] is Outcome.LEAKY


def test_a_model_without_domains_is_judged_by_its_rows() -> None:
    assert decide_outcome(Contract((), (), ()), [row(LENGTH)], DEFAULT_REQUIRE)[0] is Outcome.CLEAN


@pytest.mark.parametrize(("fixed", "says"), [(None, ": no mask or lengths"), (6, ": its length is fixed, and no mask")])
def test_what_is_assumed_says_why(fixed: int | None, says: str) -> None:
    assert says in describe_assumed(contract(assumed=True, fixed=fixed))


def test_nothing_assumed_says_nothing() -> None:
    assert describe_assumed(contract()) == ""
