"""The content twin: other values at the pads change exactly nothing; and poison, which is told but never gates."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import InputContract, Role
from maskcheck.core.report import Status, TwinKind, Variant
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.twins.content import content, poison, worth_of_pads
from tests.fakes import FakeModel, Node
from tests.unit.probe.build import (
    EXACT,
    IDS,
    LOOSE,
    MASK,
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
CARRYING = replace(IDS, ids_carry_mask=True)
RECOGNISED = replace(X, ids_carry_mask=True)


def pads(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """What stands at pads, zeros elsewhere."""
    return np.where(mask[..., None] > 0, 0.0, x)


def leaking(by: float) -> Answer:
    """A masked mean that moves by about ``by`` standard deviations where pads hold anything but zeros."""

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sound = masked_mean(x, mask)
        return sound + by * sound.std() * (pads(x, mask) != 0).any(axis=(1, 2))[:, None]

    return answer


@pytest.mark.parametrize(("answer", "status"), [(masked_mean, CLEAN), (plain_mean, LEAKY), (summed_by_length, CLEAN)])
def test_other_values_at_pads_change_nothing_in_a_sound_model(answer: Answer, status: Status) -> None:
    found = seen(content(context(features(answer))))
    assert {v: (r.status, r.gating) for v, r in found.items()} == {Variant.PADS: (status, False)}


@pytest.mark.parametrize(("by", "status"), [(0.5 * EXACT, CLEAN), (2 * EXACT, LEAKY), (0.5 * LOOSE, LEAKY)])
def test_rounding_between_lengths_is_no_excuse_where_the_shapes_are_the_same(by: float, status: Status) -> None:
    assert statuses(content(context(features(leaking(by))))) == {Variant.PADS: status}


@pytest.mark.parametrize("scale", [2, 10])
def test_moderate_values_and_large_ones_are_tried(scale: int) -> None:
    """Of standard normal numbers at twice and at ten times their size; a mask may fail for one of them only."""

    def fails(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        size = np.abs(pads(x, mask)).max(axis=(1, 2))
        found = (size > 8) if scale == 10 else (size > 0.5) & (size < 8)
        return masked_mean(x, mask) + found[:, None]

    assert statuses(content(context(features(fails)))) == {Variant.PADS: LEAKY}


def test_the_pair_to_explain_is_the_reference_beside_other_values() -> None:
    (found,) = content(context(features(plain_mean)))
    assert found.pair is not None and not found.pair.pad_row
    assert found.pair.reference.padding.totals == found.pair.other.padding.totals == {"seq": 12}
    assert (found.pair.reference.padding.fill, found.pair.other.padding.fill) == ("pad value", "other random")


def test_it_gates_where_it_is_required() -> None:
    assert seen(content(context(features(plain_mean), require=("content",))))[Variant.PADS].gating


@pytest.mark.parametrize(("answer", "status"), [(masked_mean, CLEAN), (plain_mean, LEAKY)])
@pytest.mark.parametrize("spec", [IDS, CARRYING])
def test_ids_under_a_mask_hold_other_ids_and_ids_that_tell_the_padding_have_another_row(
    answer: Answer, status: Status, spec: InputContract
) -> None:
    found = statuses(content(context(words(answer), contract(spec, MASK))))
    assert found == {Variant.PADS if spec is IDS else Variant.PAD_ROW: status}


def test_ids_without_a_mask_keep_their_pad_id_and_get_another_row() -> None:
    (found,) = content(context(words(plain_mean, mask=False), contract(IDS)))
    assert (found.row.variant, found.row.status) == (Variant.PAD_ROW, LEAKY)
    assert found.pair is not None and found.pair.pad_row and found.pair.reference == found.pair.other


def test_the_row_of_the_pad_is_judged_exactly_too() -> None:
    def nearly(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sound = masked_mean(x, mask)
        return sound + 0.5 * LOOSE * sound.std() * np.tanh(pads(x, mask).sum((1, 2)))[:, None]

    found = context(words(nearly), contract(CARRYING, MASK))
    assert statuses(content(found)) == {Variant.PAD_ROW: LEAKY}


def test_features_that_only_their_value_marks_as_padding_cannot_hold_anything_else() -> None:
    found = seen(content(context(features(plain_mean, mask=False), contract(RECOGNISED))))
    assert found[Variant.PADS].status is UNTESTED
    assert "nothing but the pad value marks the padding" in (found[Variant.PADS].reason or "")


def test_a_model_without_traces_is_untested_with_its_reason() -> None:
    found = seen(content(context(words(masked_mean, cls=Untraceable), contract(CARRYING, MASK))))
    assert (found[Variant.PAD_ROW].status, found[Variant.PAD_ROW].reason) == (UNTESTED, "It cannot be instrumented.")


def test_features_without_a_mask_may_hold_anything_at_pads() -> None:
    assert statuses(content(context(features(plain_mean, mask=False), contract(X)))) == {Variant.PADS: LEAKY}


@pytest.mark.parametrize(("rows", "batch", "expected"), [(8, None, 4), (2, None, 2), (8, 3, 3), (1, 3, 3)])
def test_four_rows_show_what_the_row_of_the_pad_does(rows: int, batch: int | None, expected: int) -> None:
    asked = context(words(plain_mean, mask=False), contract(IDS, fixed_batch=batch), rows=rows)
    found = worth_of_pads(asked)
    assert found is not None and len(found[0][0][1].rows) == expected


# Poison.


def lets_through(values: str) -> Answer:
    """A masked mean, in which pads of one sort count."""
    tests = {"nan": np.isnan, "inf": np.isinf, "huge": lambda x: np.isfinite(x) & (np.abs(x) > 1000)}

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + tests[values](pads(x, mask)).any(axis=(1, 2))[:, None]

    return answer


@pytest.mark.parametrize("values", ["nan", "inf", "huge"])
def test_each_poison_has_a_row_of_its_own_and_none_gates(values: str) -> None:
    found = seen(poison(context(features(lets_through(values)))))
    assert list(found) == [Variant.NAN, Variant.INFINITY, Variant.HUGE]
    assert {v.value for v, r in found.items() if r.status is LEAKY} == {values}
    assert not any(r.gating for r in found.values())


def test_poison_gates_where_it_is_required() -> None:
    assert all(r.gating for r in seen(poison(context(features(masked_mean), require=("poison",)))).values())


def test_a_model_that_refuses_one_poison_is_asked_the_others() -> None:
    def refuses(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if np.isnan(x).any():
            raise ValueError("not a number")
        return masked_mean(x, mask)

    found = seen(poison(context(features(refuses))))
    assert {v: r.status for v, r in found.items()} == {
        Variant.NAN: UNTESTED,
        Variant.INFINITY: CLEAN,
        Variant.HUGE: CLEAN,
    }
    assert found[Variant.NAN].reason == "the model refused it: not a number"


def test_poison_is_judged_exactly() -> None:
    def nearly(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sound = masked_mean(x, mask)
        return sound + 0.5 * LOOSE * sound.std() * (np.abs(pads(x, mask)) > 1000).any()

    assert statuses(poison(context(features(nearly))))[Variant.HUGE] is LEAKY


def test_features_that_tell_their_padding_by_value_are_tried_with_near_misses() -> None:
    def exact(x: np.ndarray) -> np.ndarray:
        real = np.any(x != 0, axis=-1)
        return masked_mean(x, real) + 0.1 * real.sum(1)[:, None]

    found = seen(poison(context(features(exact, mask=False), contract(RECOGNISED))))
    assert {v: r.status for v, r in found.items()} == {Variant.NEAR_MISS: LEAKY}
    assert "misses the pad value by 0.001" in (found[Variant.NEAR_MISS].reason or "")


def test_a_near_miss_that_does_no_harm_says_nothing() -> None:
    def tolerant(x: np.ndarray) -> np.ndarray:
        return masked_mean(x, np.any(np.abs(x) > 0.01, axis=-1))

    row = seen(poison(context(features(tolerant, mask=False), contract(RECOGNISED))))[Variant.NEAR_MISS]
    assert (row.status, row.reason) == (CLEAN, None)


def test_features_beside_ids_that_tell_the_padding_cannot_be_poisoned() -> None:
    model = features(masked_mean)
    model.inputs = (*model.inputs, replace(words(masked_mean).inputs[0]))
    found = seen(poison(context(model, contract(X, MASK, CARRYING))))
    assert {v: (r.status, r.gating, r.reason) for v, r in found.items()} == {
        Variant.PADS: (UNTESTED, False, "nothing but the pad value marks the padding")
    }


@pytest.mark.parametrize(("answer", "status"), [(masked_mean, CLEAN), (plain_mean, LEAKY)])
def test_ids_are_poisoned_through_the_row_of_their_pad(answer: Answer, status: Status) -> None:
    found = [o for o in poison(context(words(answer), contract(IDS, MASK)))]
    assert [(o.row.variant, o.row.status) for o in found] == [(Variant.NAN, status), (Variant.HUGE, status)]
    assert all(o.pair is None or (o.pair.pad_row and o.pair.twin is TwinKind.POISON) for o in found)


def test_ids_without_an_embedding_to_poison_are_untested_once() -> None:
    model = FakeModel(
        words(plain_mean).inputs,
        [Node("answer", K.OTHER, ("ids", "mask"), lambda ids, mask: masked_mean(ids[..., None], mask))],
        ("answer",),
    )
    found = seen(poison(context(model, contract(IDS, MASK))))
    assert {v: (r.status, r.reason) for v, r in found.items()} == {
        Variant.NAN: (UNTESTED, "no embedding of the pads to poison was found")
    }


def test_ids_of_a_model_without_traces_are_untested_with_its_reason() -> None:
    found = seen(poison(context(words(masked_mean, cls=Untraceable), contract(IDS, MASK))))
    assert {r.reason for r in found.values()} == {"It cannot be instrumented."}


def test_integers_among_the_features_are_not_poisoned() -> None:
    pixels = replace(X, dtype="int64")
    model = features(lambda x, m: masked_mean(x.astype(np.float64), m))
    found = seen(poison(context(model, contract(pixels, MASK))))
    assert [r.status for r in found.values()] == [UNTESTED]


def test_where_nothing_else_than_lengths_tells_of_padding_pads_may_still_hold_anything() -> None:
    lengths = InputContract("lengths", Role.LENGTHS, "int64", ("batch",), (0,), "seq", "")
    model = features(masked_mean)
    asked = context(model, contract(X, MASK, lengths))
    assert asked.masked and asked.free_content
