"""Leaks that few contents show: when many more rows are tried, and what is said of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.noise import Floor
from maskcheck.probe.row_traces import trace_row
from maskcheck.probe.twins.context import TwinContext
from maskcheck.probe.twins.rare import rare, takes_maximum, try_more_rows
from tests.fakes import FakeModel
from tests.unit.probe.build import (
    IDS,
    Answer,
    Recast,
    Untraceable,
    X,
    context,
    contract,
    features,
    masked_mean,
    summed_by_length,
    words,
)

CLEAN, LEAKY = Status.CLEAN, Status.LEAKY


def rarely(share: float) -> Answer:
    """Pads reach the answer for that share of contents, told by the first feature of the first step."""

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        few = np.abs(x[:, :1, 0]) < share
        return masked_mean(x, mask) + few * x.shape[1] / 10

    return answer


def row(twin: TwinKind = TwinKind.POKE, status: Status = LEAKY, gating: bool = False) -> PassportRow:
    return PassportRow(twin=twin, variant=Variant.ANY, domain="seq", status=status, gating=gating)


def tried(asked: TwinContext, rows: Sequence[PassportRow]) -> list[PassportRow]:
    return [o.row for o in rare(asked, rows)]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([], False),
        ([row()], True),
        ([row(TwinKind.CONTENT)], True),
        ([row(TwinKind.LENGTH)], True),
        ([row(TwinKind.MATES)], False),
        ([row(TwinKind.POKE, CLEAN)], False),
        ([row(), row(TwinKind.LENGTH, LEAKY, True)], False),
        ([row(), row(TwinKind.LENGTH, CLEAN, True)], True),
        ([row(), row(TwinKind.MATES, LEAKY, True)], True),
    ],
)
def test_more_rows_are_tried_where_something_but_no_padding_shows_a_way(
    rows: list[PassportRow], expected: bool
) -> None:
    assert bool(tried(context(features(rarely(0.05))), rows)) is expected


def test_a_leak_of_few_contents_is_a_gating_leak_of_length() -> None:
    (found,) = tried(context(features(rarely(0.05))), [row()])
    assert (found.twin, found.variant, found.status, found.gating) == (TwinKind.LENGTH, Variant.RARE, LEAKY, True)
    assert found.reason is not None
    assert found.reason.startswith("for few texts only: in ") and found.reason.endswith("of 24 further batches of 4")


def test_what_many_rows_do_not_show_is_not_told() -> None:
    assert tried(context(features(masked_mean)), [row()]) == []


@pytest.mark.parametrize(("rows", "batches"), [(8, 12), (4, 24), (96, 1)])
def test_about_a_hundred_rows_are_tried_half_of_them_short(rows: int, batches: int) -> None:
    seen: list[tuple[int, int]] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        seen.append((len(x), int(mask.sum(1).max())))
        return masked_mean(x, mask)

    asked = context(features(answer), rows=rows)
    seen.clear()
    found = try_more_rows(asked)
    assert found is not None and found.row.status is CLEAN and found.row.reason is None
    runs = [pair for pair in seen if pair[0] == rows]
    assert runs.count((rows, 9)) == 2 * (batches - batches // 2)
    assert runs.count((rows, 3)) == 2 * (batches // 2)


def test_short_rows_are_no_shorter_than_worth_trying() -> None:
    lengths: set[int] = set()

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        lengths.add(int(mask.sum(1).max()))
        return masked_mean(x, mask)

    asked = context(features(answer), contract(minimum=7))
    lengths.clear()
    try_more_rows(asked)
    assert lengths == {9, 7}


def test_a_model_that_refuses_so_many_rows_is_not_told() -> None:
    calls: list[int] = []

    def tired(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        calls.append(1)
        if len(calls) > 10:
            raise ValueError("enough")
        return masked_mean(x, mask)

    assert try_more_rows(context(features(tired))) is None


def test_rows_are_asked_in_single_where_half_precision_drowns_the_leak() -> None:
    model = features(masked_mean, cls=Recast, precision="float16")
    assert isinstance(model, Recast)
    model.wide = features(rarely(0.05))
    (found,) = tried(context(model, floor=Floor(0.1, 0.1)), [row()])
    assert found.reason is not None and found.reason.endswith(", in float32")
    model.wide = features(masked_mean)
    assert tried(context(model, floor=Floor(0.1, 0.1)), [row()]) == []


@pytest.mark.parametrize("mask", [True, False])
def test_at_a_fixed_length_pads_become_something_else(mask: bool) -> None:
    def few(x: np.ndarray, *mask: np.ndarray) -> np.ndarray:
        return x[:, :3].mean(1) + (np.abs(x[:, :1, 0]) < 0.05) * x[:, -1, :1]

    asked = context(features(few, mask=mask), contract(*(() if mask else (X,)), fixed=12))
    found = try_more_rows(asked)
    assert found is not None and (found.row.variant, found.row.status) == (Variant.RARE, LEAKY)
    assert found.row.gating and "further comparisons" in (found.row.reason or "")
    assert found.pair is not None and not found.pair.pad_row


def test_at_a_fixed_length_the_pads_of_ids_have_another_row() -> None:
    asked = context(words(lambda x: x.mean(1), mask=False), contract(IDS, fixed=12))
    found = try_more_rows(asked)
    assert found is not None and found.row.status is LEAKY
    assert found.pair is not None and found.pair.pad_row


def test_at_a_fixed_length_half_of_the_rows_are_short() -> None:
    lengths: list[int] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        lengths.append(int(mask.sum(1).max()))
        return masked_mean(x, mask)

    asked = context(features(answer), contract(fixed=20))
    lengths.clear()
    found = try_more_rows(asked)
    assert found is not None and (found.row.status, found.row.reason) == (CLEAN, None)
    assert (lengths.count(11), lengths.count(3)) == (36, 36)


def test_at_a_fixed_length_a_model_without_traces_shows_nothing() -> None:
    model = words(lambda x: x.mean(1), mask=False, cls=Untraceable)
    assert try_more_rows(context(model, contract(IDS, fixed=12))) is None


def test_at_a_fixed_length_pads_that_cannot_be_changed_show_nothing() -> None:
    told = contract(replace(X, ids_carry_mask=True), fixed=12)
    assert try_more_rows(context(features(lambda x: x.mean(1), mask=False), told)) is None


# A maximum over the sequence is reason enough.


def maximum(kind: K, over: str) -> FakeModel:
    axis = {"sequence": 1, "features": 2}[over]
    return features(lambda x, mask: x.max(axis=axis), kind=kind)


@pytest.mark.parametrize(
    ("kind", "over", "found"),
    [(K.REDUCE_MAX, "sequence", True), (K.REDUCE_MAX, "features", False), (K.REDUCE_MEAN, "sequence", False)],
)
def test_a_maximum_over_the_sequence_is_seen_among_the_operations(kind: K, over: str, found: bool) -> None:
    model = maximum(kind, over)
    asked = context(model)
    traces = trace_row(model, contract(), asked.rows[0], asked.plan.few, fixed=False)
    assert takes_maximum(traces) is found


def test_a_maximum_over_the_sequence_is_tried_with_more_rows() -> None:
    model = features(summed_by_length, kind=K.REDUCE_MAX)
    asked = context(model)
    traces = trace_row(model, contract(), asked.rows[0], asked.plan.few, fixed=False)
    assert tried(replace(asked, traces=traces), [])
    assert not tried(asked, [])
