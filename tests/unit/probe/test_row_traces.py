"""One row traced unpadded and padded, and the axes that the two runs tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Side
from maskcheck.core.trace import Trace
from maskcheck.probe.align import Axes, View
from maskcheck.probe.layout import Padding
from maskcheck.probe.row_traces import RowTraces, axes_of, trace_row, with_noise
from maskcheck.probe.runner import PaddedBatch
from maskcheck.probe.samples import generate
from tests.unit.probe.build import contract, features, masked_mean

(ROW,) = generate(contract(), 1, {"seq": 3}, seed=0)


def traced(fixed: bool = False, batch: int = 1) -> RowTraces:
    return trace_row(features(masked_mean), contract(), ROW, {"seq": 5}, fixed=fixed, batch=batch, seeds=(1, 2))


@pytest.mark.parametrize("batch", [1, 3])
def test_the_row_is_traced_padded_on_the_right_and_unpadded(batch: int) -> None:
    found = traced(batch=batch)
    assert found.padded.tensors["mask"].tolist() == [[1, 1, 1, 0, 0]] * batch
    assert found.unpadded is not None and found.unpadded.tensors["mask"].tolist() == [[1, 1, 1]] * batch
    assert found.unpadded_batch is not None
    assert (found.unpadded_batch.seed, found.padded_batch.seed) == (1, 2)
    assert dict(found.noise) == {}


def test_at_a_fixed_length_there_is_no_unpadded_run() -> None:
    found = traced(fixed=True)
    assert (found.unpadded, found.unpadded_batch) == (None, None)


@pytest.mark.parametrize(("fixed", "steps"), [(False, 3), (True, 5)])
def test_noise_is_measured_once_on_the_unpadded_run_where_there_is_one(fixed: bool, steps: int) -> None:
    lengths: list[int] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        lengths.append(x.shape[1])
        return masked_mean(x, mask).astype(np.float32)

    model, found = features(answer), traced(fixed)
    loud = with_noise(found, model, contract(), seed=0)
    assert set(loud.noise) >= {"answer"} and lengths == [steps]
    assert with_noise(loud, model, contract(), seed=0) is loud


def traces(padded: dict[str, np.ndarray], unpadded: dict[str, np.ndarray] | None = None, batch: int = 1) -> RowTraces:
    def call(total: int) -> PaddedBatch:
        return PaddedBatch((ROW,) * batch, Padding({"seq": total}))

    return RowTraces(
        padded_batch=call(5),
        padded=Trace((), padded, {}),
        unpadded_batch=call(3) if unpadded is not None else None,
        unpadded=Trace((), unpadded, {}) if unpadded is not None else None,
    )


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def axes(found: RowTraces, value: np.ndarray, view: View, *, among: bool = False) -> Axes | None:
    return axes_of(found, Trace((), {"t": value}, {}), view, among=among)["t"]


ONE, THREE = View(True), View(True, rows=3)


def test_axes_are_learned_from_sizes_that_change() -> None:
    pair = traces({"t": zeros(1, 5, 4)}, {"t": zeros(1, 3, 4)})
    assert axes(pair, zeros(1, 5, 4), ONE) == Axes({1: (3, 5)})
    assert axes(pair, zeros(3, 5, 4), THREE, among=True) == Axes({1: (3, 5)}, (0,))


def test_where_batches_are_as_large_the_first_axis_of_that_size_holds_the_rows() -> None:
    pair = traces({"t": zeros(3, 5, 3)}, {"t": zeros(3, 3, 3)}, batch=3)
    assert axes(pair, zeros(3, 5, 3), THREE) == Axes({1: (3, 5)}, (0,))
    assert axes(pair, zeros(3, 5, 3), THREE, among=True) == Axes({1: (3, 5)}, (0,))
    pooled = traces({"t": zeros(4)}, {"t": zeros(4)}, batch=3)
    assert axes(pooled, zeros(4), THREE) == Axes()


def test_other_rows_are_only_looked_at_where_there_are_some() -> None:
    pair = traces({"t": zeros(1, 5)}, {"t": zeros(1, 3)})
    assert axes(pair, zeros(3, 5), ONE) == Axes({1: (3, 5)})


def test_tensors_of_one_run_only_have_no_axes() -> None:
    assert axes(traces({}, {"t": zeros(1, 3)}), zeros(1, 5), ONE) is None
    assert axes(traces({"t": zeros(1, 5)}, {}), zeros(1, 5), ONE) is None


def test_at_a_fixed_length_axes_are_guessed_from_sizes() -> None:
    pair = traces({"t": zeros(1, 5, 4)})
    assert axes(pair, zeros(1, 5, 4), ONE) == Axes({1: (3, 5)})
    assert axes(pair, zeros(3, 5, 4), THREE) == Axes({1: (3, 5)}, (0,))


@pytest.mark.parametrize(
    ("place", "side", "sequence"),
    [
        (4, Side.RIGHT, {1: (3, 5)}),
        (1, Side.RIGHT, {}),
        (1, Side.LEFT, {1: (3, 5)}),
    ],
    ids=["behind", "in front", "in front, padded there"],
)
def test_features_as_many_as_steps_are_no_sequence_if_their_front_differs(
    place: int, side: Side, sequence: dict[int, tuple[int, int]]
) -> None:
    value = zeros(1, 5)
    value[0, place] = 1
    assert axes(traces({"t": zeros(1, 5)}), value, View(True, side)) == Axes(sequence)


def test_nan_in_front_is_no_difference_and_other_ranks_are_left_alone() -> None:
    value = zeros(1, 5)
    value[0, 0] = np.nan
    assert axes(traces({"t": value.copy()}), value, ONE) == Axes({1: (3, 5)})
    cube = zeros(1, 5, 2)
    cube[0, 0] = 1
    assert axes(traces({"t": zeros(1, 5, 2)}), cube, ONE) == Axes({1: (3, 5)})
    ints = np.zeros((1, 5), np.int64)
    assert axes(traces({"t": ints}), ints + np.arange(5), ONE) == Axes()


def test_a_full_row_shows_no_sequence_at_a_fixed_length() -> None:
    full = traces({"t": zeros(1, 5)})
    full = replace(full, padded_batch=PaddedBatch((ROW,), Padding({"seq": 3})))
    assert axes(full, zeros(1, 3), ONE) is not None
    assert (
        axes_of(replace(full, padded=Trace((), {"t": zeros(1, 3)}, {})), Trace((), {"t": zeros(1, 3)}, {}), ONE)["t"]
        == Axes()
    )
