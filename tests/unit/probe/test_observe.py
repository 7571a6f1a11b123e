"""One comparison: which outputs count, against which limit, and what a reader is told of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Contract, OutputContract, OutputKind
from maskcheck.core.report import OutputDifference, Status, TwinKind, Variant
from maskcheck.probe.layout import Padding
from maskcheck.probe.noise import Floor, Noise
from maskcheck.probe.observe import Gap, Judge, Pair, merge, untested
from maskcheck.probe.runner import PaddedBatch, Runner, unpadded
from maskcheck.probe.samples import generate
from tests.unit.probe.build import EXACT, FLOOR, LOOSE, contract, features, masked_mean

VECTOR = OutputContract("vector", OutputKind.POOLED, (BATCH, None), None, "")
LOGITS = OutputContract("logits", OutputKind.POOLED, (BATCH, None), None, "")
TOLD = replace(contract(), outputs=(VECTOR, LOGITS))
ONES = {"vector": [np.array([1.0, -1.0, 1.0, -1.0])] * 3, "logits": [np.array([1.0, -1.0])] * 3}
"""Three rows of standard deviation 1."""


def judge(reacting: Sequence[str] = ("vector", "logits"), told: Contract = TOLD) -> Judge:
    runner = Runner(features(masked_mean), told)
    floors = {"vector": FLOOR, "logits": Floor(0.0, 0.01)}
    return Judge(runner, Noise(floors), {"vector": 0.5}, frozenset(reacting))


def moved(name: str, row: int, by: float, place: int = 0) -> dict[str, list[np.ndarray]]:
    answers = {key: [a.copy() for a in rows] for key, rows in ONES.items()}
    answers[name][row][place] += by
    return answers


@pytest.mark.parametrize(
    ("by", "exact", "leaks"),
    [
        (0.9 * LOOSE, False, False),
        (1.1 * LOOSE, False, True),
        (0.9 * EXACT, True, False),
        (1.1 * EXACT, True, True),
        (float("nan"), False, True),
    ],
)
def test_a_difference_above_its_limit_leaks(by: float, exact: bool, leaks: bool) -> None:
    gap = judge().compare(ONES, moved("vector", 1, by), exact=exact)
    assert gap.leaks is leaks
    assert gap.outputs[0].tolerance == pytest.approx(EXACT if exact else LOOSE)
    assert gap.outputs[0].noise_floor == FLOOR.response


def test_where_nothing_may_be_rounding_what_is_equal_is_clean_and_the_least_difference_leaks() -> None:
    strict = replace(judge(), noise=Noise({"vector": Floor(0.0, 0.0), "logits": Floor(0.0, 0.0)}))
    same = strict.compare(ONES, ONES)
    assert not same.leaks and same.row == 0
    assert (same.outputs[0].decisions_changed, same.outputs[0].cosine_change) == (None, None)
    assert strict.compare(ONES, moved("vector", 2, 1e-12)).leaks


def test_one_leaking_output_is_enough() -> None:
    assert judge().compare(ONES, moved("logits", 0, 0.5)).leaks


def test_an_output_that_reacts_to_nothing_is_not_compared() -> None:
    gap = judge(["vector"]).compare(ONES, moved("logits", 0, 9.0))
    assert not gap.leaks
    assert [o.name for o in gap.outputs] == ["vector"]


def test_the_row_that_moved_most_is_told() -> None:
    answers = moved("vector", 2, 0.5)
    answers["vector"][1][0] += 0.1
    assert judge().compare(ONES, answers).row == 2


def test_the_row_that_moved_most_is_told_within_rounding_too() -> None:
    gap = judge().compare(ONES, moved("vector", 2, 0.5 * LOOSE))
    assert (gap.leaks, gap.row) == (False, 2)


def test_the_row_is_that_of_the_output_that_exceeds_its_own_limit_most() -> None:
    answers = moved("vector", 2, 0.05)  # five times its limit
    answers["logits"][1][0] += 0.2  # not much above its own
    assert judge().compare(ONES, answers).row == 2


def test_only_the_rows_asked_for_are_compared_and_named_as_they_stand_in_the_batch() -> None:
    assert not judge().compare(ONES, moved("vector", 0, 1.0), rows=[1, 2]).leaks
    assert judge().compare(ONES, moved("vector", 2, 1.0), rows=[1, 2]).row == 2


def test_another_shape_is_the_row_that_moved_most() -> None:
    answers = moved("vector", 0, 5.0)
    answers["vector"][1] = np.zeros(3)
    gap = judge().compare(ONES, answers)
    assert gap.row == 1 and gap.worst == float("inf")
    assert gap.outputs[0].cosine_change is None and gap.outputs[0].decisions_changed is None


def test_influence_is_beside_one_real_token_and_unknown_where_none_moves_the_output() -> None:
    vector, logits = judge().compare(ONES, moved("vector", 0, 0.25)).outputs
    assert vector.influence == pytest.approx(0.5)
    assert logits.influence is None


def test_decisions_and_cosines_are_told_of_what_moved_only() -> None:
    vector, logits = judge().compare(ONES, moved("logits", 1, -3.0)).outputs
    assert logits.decisions_changed == "1/3"
    assert (vector.decisions_changed, vector.cosine_change) == (None, None)


@pytest.mark.parametrize(("name", "told"), [("vector", True), ("logits", False)])
def test_a_cosine_means_something_for_vectors_of_more_than_two(name: str, told: bool) -> None:
    found = next(o for o in judge().compare(ONES, moved(name, 0, 2.0)).outputs if o.name == name)
    assert (found.cosine_change is not None) is told


def test_a_cosine_means_nothing_for_sequences() -> None:
    steps = OutputContract("vector", OutputKind.SEQUENCE, (BATCH, "seq"), "seq", "")
    gap = judge(["vector"], replace(contract(), outputs=(steps,))).compare(ONES, moved("vector", 0, 2.0))
    assert gap.leaks and gap.outputs[0].cosine_change is None


def found(name: str, difference: float, tolerance: float, decisions: str | None = None) -> OutputDifference:
    return OutputDifference(
        name=name, difference=difference, noise_floor=0.0, tolerance=tolerance, decisions_changed=decisions
    )


def gap_of(*outputs: OutputDifference) -> Gap:
    return Gap(outputs, 0, True)


@pytest.mark.parametrize(
    ("first", "second", "kept"),
    [
        (found("a", 1.0, 1.0), found("a", 2.0, 1.0), 2.0),
        (found("a", 2.0, 1.0), found("a", 1.0, 1.0), 2.0),
        (found("a", 1.0, 0.1), found("a", 2.0, 1.0), 1.0),
        (found("a", 1.0, 0.0), found("a", 2.0, 1.0), 1.0),
        (found("a", 0.0, 1.0), found("a", 0.5, 0.0), 0.5),
    ],
)
def test_of_several_comparisons_the_one_furthest_above_its_limit_is_kept(
    first: OutputDifference, second: OutputDifference, kept: float
) -> None:
    assert [o.difference for o in merge([gap_of(first), gap_of(second)])] == [kept]


def test_every_output_is_merged_by_itself() -> None:
    merged = merge([gap_of(found("a", 1, 1), found("b", 4, 1)), gap_of(found("a", 3, 1), found("b", 2, 1))])
    assert [(o.name, o.difference) for o in merged] == [("a", 3), ("b", 4)]


@pytest.mark.parametrize(
    ("decisions", "kept"),
    [(["1/3", "2/3"], "2/3"), (["2/3", "1/3"], "2/3"), (["9/16", "10/16"], "10/16"), (["0/3", None], "0/3")],
)
def test_decisions_are_kept_from_whichever_comparison_changed_most(decisions: list[str | None], kept: str) -> None:
    gaps = [gap_of(found("a", 9.0 - i, 1.0, d)) for i, d in enumerate(decisions)]
    assert merge(gaps)[0].decisions_changed == kept


def test_nothing_compared_is_nothing_merged() -> None:
    assert merge([]) == ()
    assert gap_of().worst == 0.0


def test_a_pair_says_where_its_row_stands_in_each_call() -> None:
    rows = generate(contract(), 3, {"seq": 4}, seed=0)
    alone, beside = unpadded(rows[:1]), PaddedBatch(rows, Padding({"seq": 4}))
    pair = Pair(
        twin=TwinKind.MATES,
        variant=Variant.REORDERED,
        domain="seq",
        reference=alone,
        other=beside,
        row=2,
        difference=1.0,
    )
    assert pair.rows == (0, 2)
    assert replace(pair, reference=beside).rows == (2, 2)
    assert replace(pair, other_row=1).rows == (0, 1)


def test_an_untested_row_has_its_reason_and_gates_only_where_that_is_said() -> None:
    row = untested(TwinKind.MATES, Variant.ANY, "seq", "one row").row
    assert (row.status, row.reason, row.gating, row.domain) == (Status.UNTESTED, "one row", False, "seq")
    assert untested(TwinKind.MATES, Variant.ANY, None, "one row", True).row.gating
