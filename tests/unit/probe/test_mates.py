"""The mates twin: a row keeps its answer whoever stands beside it, in whatever order, beside nothing as well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract
from maskcheck.core.report import Status, Variant
from maskcheck.probe.twins.mates import empty, mates
from tests.unit.probe.build import (
    EXACT,
    IDS,
    LOOSE,
    MASK,
    Answer,
    X,
    context,
    contract,
    features,
    masked_mean,
    plain_mean,
    seen,
    statuses,
    summed_by_length,
    words,
)

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED
BESIDE, REORDERED, EMPTY = Variant.BESIDE_LONGER, Variant.REORDERED, Variant.ALL_PAD_MATE

Shift = Callable[[np.ndarray], np.ndarray | float]
"""What every row's answer moves by, from the mask of the batch."""


def shifted(shift: Shift) -> Answer:
    return lambda x, mask: masked_mean(x, mask) + shift(mask)


def test_rows_that_ignore_each_other_are_clean_in_any_company_and_order() -> None:
    found = seen(mates(context(features(masked_mean))))
    assert {v: (r.status, r.gating) for v, r in found.items()} == {BESIDE: (CLEAN, True), REORDERED: (CLEAN, True)}


def test_the_number_of_pads_is_no_matter_of_mates() -> None:
    assert statuses(mates(context(features(summed_by_length)))) == {BESIDE: CLEAN, REORDERED: CLEAN}


@pytest.mark.parametrize(
    ("shift", "leaky"),
    [
        pytest.param(lambda m: m.sum(1).max() / 10, {BESIDE}, id="the longest row counts"),
        pytest.param(lambda m: float(len(m) == 2), {BESIDE}, id="two rows"),
        pytest.param(lambda m: float(len(m) == 3), {BESIDE}, id="three rows"),
        pytest.param(lambda m: float(len(m) == 4), {BESIDE}, id="as many rows as heads"),
        pytest.param(lambda m: float(len(m) == m.shape[1]), {BESIDE}, id="as many rows as positions"),
        pytest.param(lambda m: np.arange(len(m))[:, None] / 1.0, {REORDERED}, id="the place in the batch counts"),
    ],
)
def test_a_leak_between_rows_is_seen_in_its_row(shift: Shift, leaky: set[Variant]) -> None:
    found = statuses(mates(context(features(shifted(shift)))))
    assert {variant for variant, status in found.items() if status is LEAKY} == leaky


def test_rows_of_one_length_as_long_as_the_batch_is_wide_are_tried_up_to_a_limit() -> None:
    sizes: set[int] = set()

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sizes.add(len(x))
        return masked_mean(x, mask)

    list(mates(context(features(answer))))
    assert sizes == {1, 2, 3, 4, 12}
    sizes.clear()
    list(mates(context(features(answer), length=60)))
    assert sizes == {1, 2, 3, 4, 32}


def test_mates_are_longer_than_the_row_and_padded_no_further() -> None:
    batches: list[list[int]] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        batches.append([x.shape[1], *mask.sum(1).tolist()])
        return masked_mean(x, mask)

    list(mates(context(features(answer))))
    assert [12, 9, 12, 12] in batches, "beside two longer rows"
    assert [12, 9, 9, 12, 12] in batches and [12, 12, 9, 12, 9] in batches, "in two orders"


def test_only_the_row_itself_is_compared() -> None:
    """What a row does to its mates is their own trouble: they are others each time."""
    found = mates(context(features(shifted(lambda m: np.arange(len(m))[:, None] * len(m) / 1.0))))
    assert statuses(found)[BESIDE] is CLEAN


@pytest.mark.parametrize(("times", "status"), [(0.9, CLEAN), (1.1, LEAKY)])
def test_other_batch_sizes_round_otherwise(times: float, status: Status) -> None:
    asked = context(features(masked_mean), rows=4)
    spread = float(np.std(np.stack(asked.reference["answer"])[0]))
    drifts = shifted(lambda m: (len(m) > 1) * times * LOOSE * spread)
    assert statuses(mates(context(features(drifts), rows=4)))[BESIDE] is status


def test_the_reordered_row_is_told_with_its_place_in_each_order() -> None:
    place = shifted(lambda m: (np.arange(len(m)) == 3)[:, None] / 1.0)
    pair = next(o for o in mates(context(features(place))) if o.row.variant is REORDERED).pair
    assert pair is not None
    first, other = pair.rows
    assert pair.reference.rows[first] is pair.other.rows[other]
    assert first != other


def refusing(*sizes: int) -> Answer:
    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if len(x) in sizes:
            raise ValueError("no such batch")
        return masked_mean(x, mask)

    return answer


def test_batch_sizes_that_a_model_refuses_leave_the_others_tried() -> None:
    told = contract(batches=(1, 3))
    found = statuses(mates(context(features(refusing(2, 4, 12)), told, rows=3)))
    assert found == {BESIDE: CLEAN}


def test_where_every_batch_of_several_rows_is_refused_mates_are_untested() -> None:
    told = contract(batches=(1,))
    found = seen(mates(context(features(refusing(2, 3, 4, 12)), told)))
    assert {v: (r.status, r.gating, r.reason) for v, r in found.items()} == {
        BESIDE: (UNTESTED, True, "the model refused every batch of several rows")
    }


@pytest.mark.parametrize(("batches", "tried"), [((), True), ((1, 2, 4), True), ((1, 2, 3), False)])
def test_orders_of_four_rows_are_tried_where_four_rows_run(batches: tuple[int, ...], tried: bool) -> None:
    found = statuses(mates(context(features(masked_mean), contract(batches=batches))))
    assert (REORDERED in found) is tried


def test_a_batch_of_one_row_has_no_mates_and_that_does_not_gate() -> None:
    found = seen(mates(context(features(masked_mean), contract(fixed_batch=1))))
    assert {v: (r.status, r.gating) for v, r in found.items()} == {BESIDE: (UNTESTED, False)}


@pytest.mark.parametrize("rows", [3, 1])
@pytest.mark.parametrize(("shift", "status"), [(lambda m: 0.0, CLEAN), (lambda m: m.sum(1).max() / 10, LEAKY)])
def test_in_a_fixed_batch_the_others_are_exchanged(rows: int, shift: Shift, status: Status) -> None:
    lengths: list[list[int]] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        lengths.append(mask.sum(1).tolist())
        return shifted(shift)(x, mask)

    asked = context(features(answer), contract(fixed_batch=3), rows=rows)
    lengths.clear()
    assert statuses(mates(asked)) == {BESIDE: status}
    assert lengths[-2:] == [[9, 9, 9], [9, 12, 12]]


@pytest.mark.parametrize(("by", "status"), [(0.5 * EXACT, CLEAN), (0.5 * LOOSE, LEAKY)])
def test_in_a_fixed_batch_rounding_is_no_excuse(by: float, status: Status) -> None:
    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sound = masked_mean(x, mask)
        return sound + (mask.sum(1).max() == 12) * by * sound[0].std()

    assert statuses(mates(context(features(answer), contract(fixed_batch=2)))) == {BESIDE: status}


def test_mates_gate_even_where_padding_is_only_assumed() -> None:
    found = seen(mates(context(features(masked_mean), contract(assumed=True))))
    assert all(row.gating for row in found.values())
    found = seen(mates(context(features(masked_mean), require=("length",))))
    assert not any(row.gating for row in found.values())


# An empty row beside others.

HOLLOW: Shift = lambda m: float((m.sum(1) == 0).any())  # noqa: E731


def test_an_empty_row_beside_others_changes_nothing_in_a_sound_model() -> None:
    row = seen(empty(context(features(masked_mean))))[EMPTY]
    assert (row.status, row.gating, row.reason) == (CLEAN, True, None)


@pytest.mark.parametrize("told", [contract(), contract(fixed_batch=2), contract(fixed_batch=4)], ids=["any", "2", "4"])
def test_a_model_that_an_empty_row_disturbs_leaks(told: Contract) -> None:
    assert statuses(empty(context(features(shifted(HOLLOW)), told))) == {EMPTY: LEAKY}


def test_the_empty_row_itself_may_answer_what_it_likes_but_nan_is_told() -> None:
    def divides(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        keep = mask[..., None]
        return (x * keep).sum(1) / keep.sum(1)

    row = seen(empty(context(features(divides))))[EMPTY]
    assert (row.status, row.reason) == (CLEAN, "the all-pad row itself answers NaN or infinity")


def test_the_others_are_whole_rows_and_stand_before_the_empty_one() -> None:
    batches: list[list[int]] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        batches.append(mask.sum(1).tolist())
        return masked_mean(x, mask)

    list(empty(context(features(answer))))
    assert [9, 9, 0] in batches and [9, 9, 9] in batches


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (contract(fixed_batch=1), "too few batch sizes run"),
        (contract(batches=(1, 3)), "too few batch sizes run"),
        (contract(X), "nothing tells the model that a row is empty"),
    ],
)
def test_where_no_row_can_be_empty_that_is_untested_and_does_not_gate(told: Contract, reason: str) -> None:
    masked = MASK in told.inputs
    row = seen(empty(context(features(masked_mean if masked else plain_mean, mask=masked), told)))[EMPTY]
    assert (row.status, row.gating, row.reason) == (UNTESTED, False, reason)


def test_ids_that_tell_their_padding_can_make_an_empty_row_without_a_mask() -> None:
    told = contract(replace(IDS, ids_carry_mask=True))
    model = words(lambda x: x[:, 0], mask=False)
    assert statuses(empty(context(model, told)))[EMPTY] is CLEAN


def test_a_model_that_refuses_an_empty_row_is_untested_with_its_reason() -> None:
    def refuses(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if (mask.sum(1) == 0).any():
            raise ValueError("an empty row")
        return masked_mean(x, mask)

    row = seen(empty(context(features(refuses))))[EMPTY]
    assert (row.status, row.gating) == (UNTESTED, False)
    assert row.reason == "the model refused an all-pad row: an empty row"
