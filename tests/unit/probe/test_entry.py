"""Where content becomes numbers: the tensors to perturb, and which of their places belong to pads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Contract, InputContract, Side
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.probe.entry import (
    EntryPoint,
    entries,
    feeds,
    one_ulp,
    pad_positions,
    pad_rows_changed,
    steps_of,
    with_row,
)
from maskcheck.probe.layout import Padding
from maskcheck.probe.runner import PaddedBatch
from maskcheck.probe.samples import generate
from tests.fakes import FakeModel
from tests.sites import use as an_input_use
from tests.unit.probe.build import IDS, MASK, X, contract, features, masked_mean, words


def batch(told: Contract, rows: int = 2, total: int = 5, side: Side = Side.RIGHT) -> PaddedBatch:
    return PaddedBatch(generate(told, rows, {"seq": 3}, 0), Padding({"seq": total}, sides={"seq": side}))


def found(model: FakeModel, told: Contract) -> list[tuple[str, str]]:
    trace = model.trace(feeds(told, batch(told)))
    return [(e.key, e.site) for e in entries(model, told, trace)]


def test_features_enter_as_they_are_and_ids_by_their_embedding() -> None:
    assert found(features(masked_mean), contract(X, MASK)) == [("x", "")]
    assert found(words(masked_mean), contract(IDS, MASK)) == [("embed", "embed")]


def test_features_whose_padding_a_layer_tells_enter_behind_it() -> None:
    model = features(masked_mean)
    model.uses = (an_input_use("x", UseKind.MASKING, "answer", "Masking", 0.0),)
    assert found(model, contract(X, MASK)) == [("answer", "answer")]


@pytest.mark.parametrize(
    "use",
    [
        an_input_use("ids", UseKind.COMPARE, "embed", "ne", 0),
        an_input_use("ids", UseKind.INDEX, "elsewhere", "gather", 50),
        an_input_use("unknown", UseKind.INDEX, "embed", "gather", 50),
        an_input_use("mask", UseKind.INDEX, "embed", "gather", 50),
    ],
)
def test_other_uses_are_no_entries(use: InputUse) -> None:
    model = words(masked_mean)
    model.uses = (use,)
    assert found(model, contract(IDS, MASK)) == []


def test_what_is_made_of_ids_enters_only_as_floating_values() -> None:
    model = words(lambda x, m: masked_mean(x, m))
    model._weights["table"] = (model._weights["table"] * 10).astype(np.int64)
    assert found(model, contract(IDS, MASK)) == []


def test_an_entry_is_moved_by_one_unit_at_random_and_integers_are_not() -> None:
    value = np.linspace(-3, 3, 300, dtype=np.float32)
    trace = Trace((), {"a": value, "n": np.arange(3)}, {})
    moved = one_ulp(trace, (EntryPoint("a", X, ""), EntryPoint("n", X, "")), seed=0)
    assert set(moved) == {"a"}
    steps = np.sign(moved["a"] - value)
    assert [np.sum(steps == sign) > 70 for sign in (-1, 0, 1)] == [True] * 3
    towards = np.where(steps > 0, np.inf, -np.inf).astype(np.float32)
    assert (moved["a"] == np.where(steps == 0, value, np.nextafter(value, towards))).all()
    assert (one_ulp(trace, (EntryPoint("a", X, ""),), seed=1)["a"] != moved["a"]).any()


# Pads.


@pytest.mark.parametrize(
    ("side", "expected"), [(Side.RIGHT, [False] * 3 + [True] * 2), (Side.LEFT, [True] * 2 + [False] * 3)]
)
def test_pads_are_where_no_row_is_real(side: Side, expected: list[bool]) -> None:
    told = contract(IDS, MASK)
    assert pad_positions(IDS, batch(told, side=side)).tolist() == [expected] * 2
    of_features = pad_positions(X, batch(contract(X, MASK), side=side))
    assert of_features.shape == (2, 5, 3) and of_features[0, :, 1].tolist() == expected


def test_pads_stand_in_columns_where_time_comes_before_the_batch() -> None:
    first = replace(IDS, dims=("seq", BATCH))
    told = contract(first)
    call = batch(told)
    call = replace(call, rows=(call.rows[0], replace(call.rows[1], lengths={"seq": 4})))
    assert pad_positions(first, call).T.tolist() == [[False] * 3 + [True] * 2, [False] * 4 + [True]]


def test_without_a_batch_axis_the_first_row_tells() -> None:
    lone = replace(IDS, dims=("seq",))
    assert pad_positions(lone, batch(contract(lone))).tolist() == [False] * 3 + [True] * 2


def test_a_pad_of_height_or_of_width_is_a_pad_of_an_image() -> None:
    image = InputContract("i", X.role, "float32", (BATCH, "h", "w"), (0, 0, 0), "seq", "")
    rows = (replace(generate(contract(IDS), 1, {"seq": 3}, 0)[0], lengths={"h": 1, "w": 2}),)
    pads = pad_positions(image, PaddedBatch(rows, Padding({"h": 2, "w": 3})))
    assert pads[0].tolist() == [[False, False, True], [True, True, True]]


MARKED = np.array([[False, True, True], [False, False, True]])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 3, 4), MARKED),
        ((2, 3), MARKED),
        ((6, 4), MARKED.ravel()),
        ((6,), MARKED.ravel()),
        ((2, 4), None),
        ((), None),
    ],
)
def test_marked_steps_are_found_in_what_was_made_of_them(shape: tuple[int, ...], expected: np.ndarray | None) -> None:
    told = steps_of(IDS, MARKED, np.zeros(shape))
    assert (told is None and expected is None) or np.array_equal(told, expected)  # type: ignore[arg-type]


def test_features_are_marked_step_by_step() -> None:
    marked = np.repeat(MARKED[..., None], 3, axis=2)
    told = steps_of(X, marked, np.zeros((2, 3, 8)))
    assert told is not None and told.tolist() == MARKED.tolist()


def test_all_marked_steps_hold_one_row() -> None:
    value = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    moved = with_row(value, MARKED, np.random.default_rng(0))
    assert (moved[~MARKED] == value[~MARKED]).all() and moved.dtype == np.float32
    assert len(np.unique(moved[MARKED], axis=0)) == 1 and (moved[MARKED] != value[MARKED]).all()
    assert (with_row(value, MARKED, np.random.default_rng(0), 7.0)[MARKED] == 7).all()


def test_a_drawn_row_has_twice_the_scale_of_the_rest() -> None:
    for scale in (1.0, 100.0):
        value = np.random.default_rng(0).standard_normal((2, 3, 4000)) * scale
        moved = with_row(value, MARKED, np.random.default_rng(1))
        assert moved[MARKED].std() == pytest.approx(2 * scale, rel=0.1)
    flat = with_row(np.zeros((2, 3, 4000)), MARKED, np.random.default_rng(1))
    assert flat[MARKED].std() == pytest.approx(2, rel=0.1)


def test_every_pad_of_ids_gets_another_embedding_and_features_none() -> None:
    model, told = words(masked_mean), contract(IDS, MASK)
    call = batch(told)
    trace = model.trace(feeds(told, call))
    points = entries(model, told, trace)
    (patch,) = pad_rows_changed(call, trace, points, None, seed=0).values()
    moved = (patch != trace.tensors["embed"]).any(axis=-1)
    assert moved.tolist() == [[False] * 3 + [True] * 2] * 2
    assert pad_rows_changed(call, trace, (EntryPoint("embed", IDS, ""),), None, seed=0) == {}
