"""Padding on the other side than the contract's: what is compared, and which variant of it may gate."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.contract import InputContract, Role, Side
from maskcheck.core.model import TensorSpec
from maskcheck.core.report import Status, Variant
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.twins.sides import side
from tests.fakes import FakeModel, Node
from tests.unit.probe.build import MASK, Answer, X, context, contract, features, masked_mean, seen, statuses

CLEAN, LEAKY = Status.CLEAN, Status.LEAKY
POSITIONS = InputContract("positions", Role.POSITIONS, "int64", ("batch", "seq"), (0, 0), "seq", "")


def first_counts(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Takes the first column for the first step."""
    return masked_mean(x, mask) + (mask[:, :1] == 0)


def last_counts(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return masked_mean(x, mask) + (mask[:, -1:] == 0)


@pytest.mark.parametrize(
    ("usual", "answer", "variant", "status"),
    [
        (Side.RIGHT, masked_mean, Variant.LEFT, CLEAN),
        (Side.RIGHT, first_counts, Variant.LEFT, LEAKY),
        (Side.RIGHT, last_counts, Variant.LEFT, CLEAN),
        (Side.LEFT, first_counts, Variant.RIGHT, CLEAN),
        (Side.LEFT, last_counts, Variant.RIGHT, LEAKY),
    ],
)
def test_pads_stand_on_the_other_side(usual: Side, answer: Answer, variant: Variant, status: Status) -> None:
    found = seen(side(context(features(answer), contract(side=usual))))
    assert {v: (r.status, r.gating) for v, r in found.items()} == {variant: (status, False)}


@pytest.mark.parametrize("total", [12, 23, 8])
def test_few_pads_many_and_shorter_rows_are_tried(total: int) -> None:
    def leaks(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + (x.shape[1] == total) * (mask[:, :1] == 0)

    assert statuses(side(context(features(leaks)))) == {Variant.LEFT: LEAKY}


def test_at_a_fixed_length_the_usual_side_is_what_the_other_is_compared_with() -> None:
    fixed = contract(fixed=12)
    assert statuses(side(context(features(masked_mean), fixed))) == {Variant.LEFT: CLEAN}
    assert statuses(side(context(features(first_counts), fixed))) == {Variant.LEFT: LEAKY}
    (found,) = side(context(features(first_counts), fixed))
    assert found.pair is not None and found.pair.reference.padding.side("seq") is Side.RIGHT
    assert found.pair.other.padding.side("seq") is Side.LEFT


def test_the_pair_to_explain_starts_from_an_unpadded_run() -> None:
    (found,) = side(context(features(first_counts)))
    assert found.pair is not None
    assert found.pair.reference.padding.totals == found.pair.reference.rows[0].lengths
    assert found.pair.other.padding.side("seq") is Side.LEFT


def placed(answer: Answer) -> FakeModel:
    """A model that takes positions as well."""
    inputs = (
        TensorSpec("x", "float32", ("batch", "seq", 3)),
        TensorSpec("mask", "int64", ("batch", "seq")),
        TensorSpec("positions", "int64", ("batch", "seq")),
    )
    return FakeModel(inputs, [Node("answer", K.OTHER, ("x", "mask", "positions"), answer)], ("answer",))


def by_position(x: np.ndarray, mask: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return masked_mean(x * (1 + positions[..., None]), mask)


@pytest.mark.parametrize(
    ("usual", "given", "by_column"),
    [
        (Side.RIGHT, Variant.LEFT_POSITIONS_GIVEN, Variant.LEFT_BY_COLUMN),
        (Side.LEFT, Variant.RIGHT_POSITIONS_GIVEN, Variant.RIGHT_BY_COLUMN),
    ],
)
def test_positions_that_are_given_gate_and_positions_by_column_never_do(
    usual: Side, given: Variant, by_column: Variant
) -> None:
    told = contract(X, MASK, POSITIONS, side=usual)
    found = seen(side(context(placed(by_position), told, require=("side",))))
    assert list(found) == [given, by_column]
    assert (found[given].status, found[given].gating) == (CLEAN, True)
    assert not found[by_column].gating
    assert found[by_column].status is (LEAKY if usual is Side.RIGHT else CLEAN)


def test_without_positions_it_gates_where_it_is_required() -> None:
    assert seen(side(context(features(masked_mean), require=("side",))))[Variant.LEFT].gating
