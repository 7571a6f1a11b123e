"""Controls: whether real tokens count beside padding, and whether the mask does anything."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.report import Status, Variant
from maskcheck.probe.noise import Floor
from maskcheck.probe.twins.context import Dead, TwinContext
from maskcheck.probe.twins.masks import dead_positions, mask, valid
from tests.unit.probe.build import (
    EXACT,
    FLOOR,
    STEPS,
    Answer,
    X,
    context,
    contract,
    features,
    masked_mean,
    plain_mean,
    seen,
)

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED


def valid_row(asked: TwinContext, dead: Dead | None) -> tuple[Status, str | None]:
    row = seen(valid(replace(asked, dead=dead)))[Variant.ONE_TOKEN]
    return row.status, row.reason


def dead(padded: set[int], plain: set[int], tried: int = 9) -> Dead:
    return Dead(frozenset(padded), frozenset(plain), tuple(range(tried)))


@pytest.mark.parametrize(
    ("padded", "plain", "status", "reason"),
    [
        (set(), set(), CLEAN, None),
        ({7, 8}, set(), LEAKY, "padding switches off real positions 8, 9 of 9: they no longer influence anything"),
        ({0, 8}, {0}, LEAKY, "padding switches off real positions 9 of 9: they no longer influence anything"),
        ({8}, {8}, CLEAN, "positions 9 of 9 influence nothing, padded or not"),
        (set(), {8}, CLEAN, None),
    ],
)
def test_a_real_token_that_only_padding_switches_off_is_the_finding(
    padded: set[int], plain: set[int], status: Status, reason: str | None
) -> None:
    assert valid_row(context(features(masked_mean)), dead(padded, plain)) == (status, reason)


def test_of_many_positions_the_first_six_are_named() -> None:
    status, reason = valid_row(context(features(masked_mean), length=30), dead(set(range(8)), set(), 30))
    assert status is LEAKY and reason is not None and "1, 2, 3, 4, 5, 6 and 2 more of 30" in reason
    _, reason = valid_row(context(features(masked_mean), length=30), dead(set(range(6)), set(), 30))
    assert reason is not None and "1, 2, 3, 4, 5, 6 of 30" in reason


@pytest.mark.parametrize(("padded", "status"), [({3, 4}, CLEAN), (set(range(9)), LEAKY)])
def test_at_a_fixed_length_only_a_model_that_is_deaf_altogether_is_suspicious(padded: set[int], status: Status) -> None:
    assert valid_row(context(features(masked_mean), contract(fixed=12)), dead(padded, padded))[0] is status


def test_changed_batches_that_a_model_refused_are_untested() -> None:
    assert valid_row(context(features(masked_mean)), None) == (UNTESTED, "the model refused the changed batches")


@pytest.mark.parametrize("require", [("valid",), ("length",)])
def test_it_gates_where_it_is_required(require: tuple[str, ...]) -> None:
    asked = replace(context(features(masked_mean), require=require), dead=dead({1}, set()))
    assert seen(valid(asked))[Variant.ONE_TOKEN].gating is (require == ("valid",))
    assert seen(valid(replace(asked, dead=None)))[Variant.ONE_TOKEN].gating is (require == ("valid",))


# Which positions are dead.


def weighted(weights: list[float]) -> Answer:
    """A sum of the first steps, some of which count for nothing."""
    keep = np.array(weights)[:, None]
    return lambda x, mask: (np.where(mask[..., None] > 0, x, 0.0)[:, : len(weights)] * keep).sum(1)


def found(answer: Answer, told=None, **further) -> Dead:  # type: ignore[no-untyped-def]
    told = dead_positions(context(features(answer), told, **further))
    assert told is not None
    return told


def test_positions_that_move_no_answer_are_dead() -> None:
    told = found(weighted([1, 1, 0, 1, 1, 1, 1, 0, 1]))
    assert told.padded == told.plain == {2, 7}
    assert told.tried == tuple(range(9))


def test_positions_may_be_dead_only_beside_padding() -> None:
    """A mask that is one step too short, but only where there are pads."""

    def short(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        keep = mask.copy()
        if x.shape[1] == 12:
            keep[:, 8] = 0
        return masked_mean(x, keep)

    told = found(short)
    assert (told.padded, told.plain) == ({8}, set())


@pytest.mark.parametrize(
    ("length", "tried"), [(9, tuple(range(9))), (4, (0, 1, 2, 3)), (25, (0, 3, 6, 9, 12, 15, 18, 21, 24))]
)
def test_up_to_nine_positions_are_tried_from_the_first_to_the_last(length: int, tried: tuple[int, ...]) -> None:
    assert found(masked_mean, length=length).tried == tried


@pytest.mark.parametrize(("times", "gone"), [(0.4, True), (40.0, False)])
def test_rounding_is_no_answer(times: float, gone: bool) -> None:
    weights = [1.0] * 9
    weights[4] = times * EXACT
    assert (4 in found(weighted(weights)).padded) is gone


def test_where_nothing_may_be_rounding_a_dead_position_is_dead() -> None:
    told = dead_positions(context(features(weighted([1, 1, 0, 1, 1, 1, 1, 1, 1])), floor=Floor(0.0, 0.0)))
    assert told is not None and told.padded == {2}


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_in_half_precision_any_change_is_an_answer(precision: str) -> None:
    weights = [1.0] * 9
    weights[4] = 1e-9
    told = dead_positions(context(features(weighted(weights), precision=precision)))
    assert told is not None and told.padded == set()


def test_outputs_that_react_to_nothing_do_not_count() -> None:
    told = dead_positions(context(features(masked_mean), reacting=()))
    assert told is not None and told.padded == set(range(9))


def test_two_rows_are_changed_as_one_batch_beside_unchanged_ones() -> None:
    sizes: list[int] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return masked_mean(x, mask)

    asked = context(features(answer))
    sizes.clear()
    dead_positions(asked)
    assert [n for n in sizes if n > 4] == [18, 18, 18, 18]


def test_a_token_that_reaches_its_own_answer_is_alive() -> None:
    assert found(lambda x, mask: x, contract(output=STEPS)).padded == set()


def test_a_fixed_length_has_no_unpadded_run() -> None:
    told = found(masked_mean, contract(fixed=12))
    assert told.padded == told.plain == set() and len(told.tried) == 7


def test_a_model_that_refuses_the_changed_rows_is_none() -> None:
    def refuse(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if len(x) > 4:
            raise ValueError("too many rows")
        return masked_mean(x, mask)

    assert dead_positions(context(features(refuse))) is None


# Whether the mask does anything.


def toggled(answer: Answer, told=None, **further):  # type: ignore[no-untyped-def]
    return seen(mask(context(features(answer, **further), told)))[Variant.TOGGLED]


def test_a_mask_that_is_used_is_clean() -> None:
    row = toggled(masked_mean)
    assert (row.status, row.reason, row.gating) == (CLEAN, None, False)


def test_a_mask_that_changes_nothing_is_the_finding() -> None:
    row = toggled(plain_mean)
    assert row.status is LEAKY
    assert row.reason == "omitted, inverted and random masks all give the same answers: the mask does nothing"


def test_one_state_of_the_mask_that_changes_something_is_enough() -> None:
    """Read only by whether it holds any pad at all: omitted and true differ, inverted and true do not."""
    row = toggled(lambda x, mask: x.mean(1) + (mask.min(axis=1) == 1)[:, None])
    assert row.status is CLEAN


def test_the_smallest_change_is_one() -> None:
    row = toggled(lambda x, mask: x.mean(1) + 1e-9 * mask[:, :1].astype(np.float64))
    assert row.status is CLEAN and FLOOR.exact > 1e-6


def test_without_a_mask_there_is_nothing_to_toggle() -> None:
    row = toggled(plain_mean, contract(X), mask=False)
    assert (row.status, row.gating, row.reason) == (UNTESTED, False, "the model takes no mask and no lengths")


def test_a_model_that_refuses_every_other_mask_is_untested() -> None:
    def strict(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if (mask.sum(1) != 9).any():
            raise ValueError("nine are real")
        return masked_mean(x, mask)

    row = toggled(strict)
    assert (row.status, row.reason) == (UNTESTED, "the model refuses every mask but the true one")


def test_masks_that_a_model_refuses_leave_the_others_tried() -> None:
    def strict(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if mask[:, 0].min() == 0:
            raise ValueError("the first step is real")
        return masked_mean(x, mask)

    assert toggled(strict).status is CLEAN


def test_pads_hold_something_while_the_mask_is_toggled() -> None:
    """A mask over zeros does nothing to a sum, though it works."""
    row = toggled(lambda x, mask: np.where(mask[..., None] > 0, x, 0.0)[:, 9:].sum(1) + x[:, :9].mean(1))
    assert row.status is CLEAN


@pytest.mark.parametrize(("rows", "expected"), [(8, 4), (3, 3)])
def test_four_rows_are_enough(rows: int, expected: int) -> None:
    sizes: list[int] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sizes.append(len(x))
        return masked_mean(x, mask)

    asked = context(features(answer), rows=rows)
    sizes.clear()
    list(mask(asked))
    assert sizes == [expected] * 4


def test_the_mask_gates_where_it_is_required() -> None:
    asked = context(features(plain_mean), require=("mask",))
    assert seen(mask(asked))[Variant.TOGGLED].gating
