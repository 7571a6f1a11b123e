"""Running batches: in sizes that a model takes, and its answers cut to what belongs to real steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Contract, OutputContract, OutputKind, Side
from maskcheck.core.errors import RunError
from maskcheck.probe.layout import Padding
from maskcheck.probe.runner import PaddedBatch, Runner, split_rows, unpadded
from maskcheck.probe.samples import generate
from tests.unit.probe.build import STEPS, Answer, X, contract, features, masked_mean


def runner(answer: Answer = masked_mean, told: Contract | None = None) -> tuple[Runner, list[int]]:
    """A runner, and the sizes of the batches that its model is given."""
    sizes: list[int] = []

    def counting(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return answer(x, mask)

    return Runner(features(counting), told or contract()), sizes


def batch(count: int, total: int = 7, side: Side = Side.RIGHT) -> PaddedBatch:
    rows = generate(contract(), count, {"seq": 5}, seed=0)
    return PaddedBatch(rows, Padding({"seq": total}, sides={"seq": side}))


@pytest.mark.parametrize(
    ("changes", "rows", "expected"),
    [
        ({}, 5, [5]),
        ({"fixed_batch": 2}, 5, [2, 2, 2]),
        ({"fixed_batch": 1}, 3, [1, 1, 1]),
        ({"batches": (3, 4)}, 5, [3, 3]),
        ({"batches": (3, 4)}, 4, [4]),
    ],
)
def test_rows_are_run_in_batches_of_a_size_that_runs(changes: dict, rows: int, expected: list[int]) -> None:  # type: ignore[type-arg]
    made, sizes = runner(told=contract(**changes))
    answers = made.run(batch(rows))["answer"]
    assert (sizes, len(answers), made.runs) == (expected, rows, len(expected))
    plain = runner()[0].run(batch(rows))["answer"]
    assert all(np.allclose(a, b) for a, b in zip(answers, plain, strict=True))


def test_rows_are_kept_together_where_that_is_asked_for() -> None:
    made, sizes = runner(told=contract(batches=(3, 4)))
    made.run(batch(5), together=True)
    assert sizes == [5]


def test_a_model_without_a_batch_axis_takes_one_row_after_the_other() -> None:
    told = contract(replace(X, dims=("seq", None), shape=(0, 3)))
    model = features(lambda x: x.mean(0), mask=False)
    made = Runner(model, replace(told, outputs=(replace(told.outputs[0], dims=(None,)),)))
    assert (made.batch_size(4), made.mixes_rows) == (1, False)
    rows = generate(made.contract, 3, {"seq": 5}, 0)
    assert len(made.run(unpadded(rows))["answer"]) == 3 and model.runs == 3


@pytest.mark.parametrize(("fixed", "mixes"), [(None, True), (2, True), (1, False)])
def test_different_rows_can_stand_in_a_batch_of_more_than_one(fixed: int | None, mixes: bool) -> None:
    assert runner(told=contract(fixed_batch=fixed))[0].mixes_rows is mixes


@pytest.mark.parametrize("side", [Side.RIGHT, Side.LEFT])
def test_answers_by_step_are_cut_to_the_real_steps(side: Side) -> None:
    made, _ = runner(lambda x, mask: x, contract(output=STEPS))
    call = batch(2, side=side)
    for row, found in zip(call.rows, made.valid(call)["answer"], strict=True):
        assert (found == row.content["x"]).all()


def test_how_many_answers_belong_to_real_steps_is_learned_from_an_unpadded_run() -> None:
    made, sizes = runner(lambda x, mask: x[:, ::2], contract(output=STEPS))
    (found, _) = made.valid(batch(2, total=12))["answer"]
    assert len(found) == 3
    made.valid(batch(2, total=12))
    assert sizes == [2, 1, 2], "learned once"


@pytest.mark.parametrize(("fixed", "stride", "expected"), [(12, 1, 5), (12, 2, 3), (12, 3, 2)])
def test_at_a_fixed_length_an_even_stride_is_assumed(fixed: int, stride: int, expected: int) -> None:
    made, _ = runner(lambda x, mask: x[:, ::stride], contract(output=STEPS, fixed=fixed))
    assert len(made.valid(batch(1, total=12))["answer"][0]) == expected


def test_regions_have_the_side_of_the_padding_and_the_lengths_of_the_row() -> None:
    made, _ = runner(lambda x, mask: x, contract(output=STEPS))
    region = made.regions({"seq": 5}, Padding({"seq": 7}, sides={"seq": Side.LEFT}))["answer"]
    assert (region.extents, region.lengths) == ((5, None), (5, None))
    assert region.sides == (Side.LEFT, Side.RIGHT)


def test_outputs_that_a_trace_lacks_are_left_out() -> None:
    made, _ = runner(lambda x, mask: x, contract(output=STEPS))
    assert made.valid_outputs({"other": np.zeros((1, 7, 3))}, batch(1)) == {}
    found = made.valid_outputs({"answer": np.zeros((1, 7, 3))}, batch(1))
    assert found["answer"][0].shape == (5, 3)


def test_a_batch_knows_its_lengths_and_can_be_cut_to_one_row() -> None:
    call = batch(3)
    assert call.lengths == [{"seq": 5}] * 3
    assert call.only(1) == PaddedBatch((call.rows[1],), call.padding, call.seed)
    assert unpadded(call.rows, 4).padding.totals == {"seq": 5} and unpadded(call.rows, 4).seed == 4


@pytest.mark.parametrize("rows", [2, 3])
def test_an_output_with_fewer_rows_than_the_batch_is_refused(rows: int) -> None:
    spec = OutputContract("answer", OutputKind.POOLED, (BATCH, None), None, "")
    assert len(split_rows(np.zeros((3, 2)), spec, rows)) == rows
    with pytest.raises(RunError, match="'answer' has 1 rows for a batch of"):
        split_rows(np.zeros((1, 2)), spec, rows)


def test_where_rows_meet_rows_each_has_what_it_makes_of_itself() -> None:
    spec = OutputContract("answer", OutputKind.POOLED, (BATCH, BATCH), None, "")
    table = np.arange(9).reshape(3, 3)
    assert [int(a) for a in split_rows(table, spec, 3)] == [0, 4, 8]
    with pytest.raises(RunError):
        split_rows(table[:, :2], spec, 3)


def test_an_output_without_a_batch_axis_is_every_rows() -> None:
    spec = OutputContract("answer", OutputKind.POOLED, (None,), None, "")
    found = split_rows(np.arange(3), spec, 2)
    assert [a.tolist() for a in found] == [[0, 1, 2], [0, 1, 2]]
