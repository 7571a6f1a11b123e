"""The length twin: which numbers of pads are tried, and what each row of the passport says of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract, Dimension, Domain, Side
from maskcheck.core.report import Status, TwinKind, Variant
from maskcheck.probe.plan import plan
from maskcheck.probe.runner import Runner, unpadded
from maskcheck.probe.samples import Source
from maskcheck.probe.twins.length import length
from tests.unit.probe.build import (
    IDS,
    LOOSE,
    MASK,
    POOLED,
    Answer,
    Untraceable,
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
RIGHT, ALONE, LONG, FILLER, FIXED = Variant.RIGHT, Variant.ALONE, Variant.LONG, Variant.FILLER, Variant.FIXED


Condition = Callable[[int, int, int], bool]
"""Of the number of rows, of positions, and of real ones (the most of any row)."""


def _holds(condition: Condition, x: np.ndarray, mask: np.ndarray) -> bool:
    return condition(len(x), x.shape[1], int(mask.sum(1).max()))


def leaks_where(condition: Condition) -> Answer:
    """Divides by the padded length where the condition holds."""
    return lambda x, mask: (summed_by_length if _holds(condition, x, mask) else masked_mean)(x, mask)


def refuses_where(condition: Condition) -> Answer:
    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if _holds(condition, x, mask):
            raise ValueError("too long for me")
        return masked_mean(x, mask)

    return answer


def test_a_sound_model_is_clean_however_many_pads_there_are() -> None:
    found = seen(length(context(features(masked_mean))))
    assert {v: (r.status, r.gating, r.reason) for v, r in found.items()} == {
        RIGHT: (CLEAN, True, None),
        ALONE: (CLEAN, True, None),
        LONG: (CLEAN, True, None),
        FILLER: (CLEAN, False, None),
    }


def test_a_model_that_counts_pads_leaks_in_every_row_and_says_where_most() -> None:
    found = seen(length(context(features(summed_by_length))))
    assert {v: r.status for v, r in found.items()} == dict.fromkeys((RIGHT, ALONE, LONG, FILLER), LEAKY)
    assert found[RIGHT].reason == "largest for 9 real of 23"
    assert found[LONG].reason in ("largest for 9 real of 196", "largest for 131 real of 196")


@pytest.mark.parametrize(
    ("condition", "leaky"),
    [
        pytest.param(lambda rows, total, real: rows == 1 and total == 12, {ALONE}, id="one row alone"),
        pytest.param(lambda rows, total, real: rows > 1 and total == 12, {RIGHT, FILLER}, id="several rows"),
        pytest.param(lambda rows, total, real: total > 128, {LONG}, id="past a window"),
        pytest.param(lambda rows, total, real: total > 128 and real == 131, {LONG}, id="long and mostly real"),
        pytest.param(lambda rows, total, real: total > 128 and real == 9, {LONG}, id="short and mostly pads"),
        pytest.param(lambda rows, total, real: total == 10, {RIGHT, FILLER}, id="one pad"),
        pytest.param(lambda rows, total, real: total == 23, {RIGHT, FILLER}, id="many pads"),
        pytest.param(lambda rows, total, real: (total, real) == (16, 14), {RIGHT, FILLER}, id="longer than usual"),
        pytest.param(lambda rows, total, real: (total, real) == (8, 5), {RIGHT, FILLER}, id="shorter than usual"),
    ],
)
def test_a_leak_of_one_setting_is_seen_in_the_row_of_that_setting(condition: Condition, leaky: set[Variant]) -> None:
    found = statuses(length(context(features(leaks_where(condition)))))
    assert {variant for variant, status in found.items() if status is LEAKY} == leaky


def test_a_leak_of_what_pads_hold_shows_where_they_hold_something_and_does_not_gate() -> None:
    def anything(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + np.where(mask[..., None] > 0, 0.0, x).sum(1)

    found = seen(length(context(features(anything))))
    assert [v for v, r in found.items() if r.status is LEAKY] == [FILLER]
    assert not found[FILLER].gating and found[FILLER].reason is not None


def test_ids_without_a_mask_have_no_other_filler_than_the_pad_id() -> None:
    told = contract(IDS)
    assert FILLER not in statuses(length(context(words(lambda x: x[:, 0], mask=False), told)))


@pytest.mark.parametrize(("times", "status"), [(0.9, CLEAN), (1.1, LEAKY)])
def test_rounding_is_an_excuse_where_lengths_differ(times: float, status: Status) -> None:
    def drifts(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        spread = masked_mean(x[:, :9], mask[:, :9]).std()
        return masked_mean(x, mask) + (x.shape[1] == 12) * spread * LOOSE * times

    assert statuses(length(context(features(drifts))))[RIGHT] is status


def test_the_leak_is_told_against_the_number_of_pads_of_the_usual_rows() -> None:
    first = next(length(context(features(summed_by_length))))
    assert [pads for pads, _ in first.curve] == [1, 3, 14]
    gaps = [gap for _, gap in first.curve]
    assert gaps == sorted(gaps) and gaps[0] > 0


def test_the_worst_setting_is_the_pair_to_explain() -> None:
    pair = next(length(context(features(summed_by_length)))).pair
    assert pair is not None and (pair.twin, pair.variant, pair.domain) == (TwinKind.LENGTH, RIGHT, "seq")
    assert pair.other.padding.totals == {"seq": 23}
    assert not pair.pad_row


def test_a_model_that_refuses_all_padding_is_untested_with_its_reason() -> None:
    found = seen(length(context(features(refuses_where(lambda rows, total, real: total != 9)))))
    assert list(found) == [RIGHT] and found[RIGHT].status is UNTESTED and found[RIGHT].gating
    assert found[RIGHT].reason == "the model refused every padded batch: too long for me"


def test_lengths_that_a_model_refuses_leave_the_others_tried() -> None:
    found = statuses(length(context(features(refuses_where(lambda rows, total, real: total > 20)))))
    assert (found[RIGHT], found[LONG]) == (CLEAN, UNTESTED)


def test_where_no_long_length_runs_that_is_told_and_does_not_gate() -> None:
    row = seen(length(context(features(refuses_where(lambda rows, total, real: total > 24)))))[LONG]
    assert (row.status, row.gating, row.reason) == (UNTESTED, False, "no length past 23 was accepted")


@pytest.mark.parametrize(
    ("limit", "valid", "total"), [(10**9, 131, 196), (196, 131, 196), (195, 61, 91), (90, 35, 52), (51, None, None)]
)
def test_the_longest_setting_that_runs_is_tried(limit: int, valid: int | None, total: int | None) -> None:
    lengths: list[tuple[int, int]] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        lengths.append((int(mask.sum(1).max()), x.shape[1]))
        return masked_mean(x, mask)

    found = statuses(length(context(features(answer), contract(maximum=limit))))
    long = {pair for pair in lengths if pair[1] > 24}
    if valid is None:
        assert long == set() and found[LONG] is UNTESTED
    else:
        assert found[LONG] is CLEAN
        assert {(valid, total), (9, total), (valid, valid)} <= long


def test_usual_lengths_that_are_long_already_need_no_longer_one() -> None:
    assert LONG in statuses(length(context(features(masked_mean), length=130)))
    assert LONG not in statuses(length(context(features(masked_mean), length=131)))


@pytest.mark.parametrize(("changes", "told"), [({}, True), ({"fixed_batch": 1}, False), ({"fixed_batch": 2}, False)])
def test_a_row_alone_is_tried_where_batches_may_have_any_size(changes: dict[str, int], told: bool) -> None:
    found = statuses(length(context(features(masked_mean), contract(**changes))))  # type: ignore[arg-type]
    assert (ALONE in found) is told


def test_padding_stands_on_the_side_of_the_contract() -> None:
    def first_is_real(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + (mask[:, :1] == 0)

    assert statuses(length(context(features(first_is_real))))[RIGHT] is CLEAN
    left = statuses(length(context(features(first_is_real), contract(side=Side.LEFT))))
    assert left[Variant.LEFT] is LEAKY and RIGHT not in left


@pytest.mark.parametrize(
    ("require", "assumed", "gates"),
    [(("length",), False, True), (("mates",), False, False), (("length",), True, False)],
)
def test_it_gates_where_it_is_required_and_padding_is_known_to_happen(
    require: tuple[str, ...], assumed: bool, gates: bool
) -> None:
    asked = context(features(summed_by_length), contract(assumed=assumed), require=require)
    found = seen(length(asked))
    assert {v: r.gating for v, r in found.items()} == {RIGHT: gates, ALONE: gates, LONG: gates, FILLER: False}


def test_images_are_padded_in_height_and_width_and_have_no_long_setting() -> None:
    pixels = replace(X, dims=("batch", "height", "width", None), shape=(0, 0, 0, 3), domain="image")
    domain = Domain("image", (Dimension("height"), Dimension("width")))
    told = Contract((domain,), (pixels,), (POOLED,))
    model = features(lambda x: x.sum((1, 2)) / x.shape[1] / x.shape[2], mask=False)
    runner = Runner(model, told)
    source = Source(told, 0)
    chosen = plan(told, domain, {"height": 9, "width": 9})
    base = unpadded(source.rows(4, chosen.valid))
    asked = context(features(masked_mean))
    judge = replace(asked.judge, runner=runner)
    image = replace(
        asked,
        model=model,
        runner=runner,
        judge=judge,
        plan=chosen,
        source=source,
        base=base,
        reference=runner.valid(base),
    )
    found = seen(length(image))
    assert LONG not in found and found[RIGHT].status is LEAKY
    assert found[RIGHT].reason == "largest for 9x9 real of 23x23"


# A fixed length: what pads are worth is changed in place of their number.

RECOGNISED = replace(X, ids_carry_mask=True)
"""Features whose padding is told by their values."""
FIXED_REASON = "the length is fixed at 12: the pads' content was changed instead of their number"


@pytest.mark.parametrize(("answer", "status"), [(masked_mean, CLEAN), (plain_mean, LEAKY), (summed_by_length, CLEAN)])
def test_at_a_fixed_length_the_worth_of_a_pad_gates(answer: Answer, status: Status) -> None:
    found = seen(length(context(features(answer), contract(fixed=12))))
    assert list(found) == [FIXED]
    assert (found[FIXED].status, found[FIXED].gating, found[FIXED].reason) == (status, True, FIXED_REASON)


def test_at_a_fixed_length_of_assumed_padding_nothing_gates() -> None:
    found = seen(length(context(features(plain_mean), contract(fixed=12, assumed=True))))
    assert (found[FIXED].status, found[FIXED].gating) == (LEAKY, False)


def test_at_a_fixed_length_ids_are_tried_by_the_row_of_their_pad() -> None:
    (found,) = length(context(words(plain_mean, mask=False), contract(IDS, fixed=12)))
    assert found.row.status is LEAKY
    assert found.pair is not None and found.pair.pad_row


def test_at_a_fixed_length_pads_that_cannot_be_changed_are_untested_and_gate() -> None:
    found = seen(length(context(features(plain_mean, mask=False), contract(RECOGNISED, fixed=12))))
    assert (found[FIXED].status, found[FIXED].gating) == (UNTESTED, True)
    assert found[FIXED].reason == "the length is fixed at 12 and its pads cannot be changed"


def test_at_a_fixed_length_a_model_without_traces_says_both() -> None:
    model = words(masked_mean, cls=Untraceable)
    found = seen(length(context(model, contract(replace(IDS, ids_carry_mask=True), MASK, fixed=12))))
    assert found[FIXED].status is UNTESTED
    assert found[FIXED].reason == "the length is fixed at 12, and it cannot be instrumented"
