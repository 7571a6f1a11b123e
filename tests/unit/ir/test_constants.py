"""What constants say, and what is folded of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskcheck.ir.constants import KnownConstants, empty_row_of, fill_of, fold, integers_of
from maskcheck.ir.operation import Operation as Op
from tests.unit.ir.build import constants, site, table


@pytest.mark.parametrize(
    ("value", "expected"),
    [([3, 3], 3.0), ([3, 4], None), ([], None), (True, 1.0), ("a", None), ([-np.inf] * 2, -np.inf)],
)
def test_the_number_that_fills(value: Any, expected: float | None) -> None:
    assert fill_of(np.asarray(value)) == expected


@pytest.mark.parametrize(("value", "expected"), [([[1, 2]], (1, 2)), ([1.0], None), ([True], (1,)), (4, (4,))])
def test_integers(value: Any, expected: tuple[int, ...] | None) -> None:
    assert integers_of(np.asarray(value)) == expected


class TestEmptyRow:
    def test_the_only_one(self) -> None:
        assert empty_row_of(table(5, empty=2)) == 2

    def test_none(self) -> None:
        assert empty_row_of(table(5)) is None

    def test_several(self) -> None:
        several = table(5, empty=2)
        several[0] = 0
        assert empty_row_of(several) is None

    def test_of_integers_or_of_more_axes(self) -> None:
        assert empty_row_of(table(5, empty=2).astype(np.int8)) is None
        assert empty_row_of(table(5, empty=2)[None]) is None


class TestKnown:
    def test_by_value(self) -> None:
        known = constants(axis=[1, 2])
        assert (known.is_constant("axis"), known.shape("axis"), known.integers("axis")) == (True, (2,), (1, 2))

    def test_by_shape_alone(self) -> None:
        known = KnownConstants(shapes={"table": (50, 8)}, empty_rows={"table": 0})
        assert (known.is_constant("table"), known.value("table"), known.empty_row("table")) == (True, None, 0)
        assert known.shape("table") == (50, 8)

    def test_by_fill_alone(self) -> None:
        known = KnownConstants(fills={"low": -1e9})
        assert (known.fill("low"), known.is_constant("low")) == (-1e9, False)

    def test_nothing(self) -> None:
        known = KnownConstants()
        answers = known.value("x"), known.fill("x"), known.integers("x"), known.shape("x"), known.empty_row("x")
        assert set(answers) == {None} and not known.is_constant("x")


class TestFolding:
    @pytest.mark.parametrize(
        ("operation", "operands", "expected"),
        [
            (Op.SUBTRACT, (1, 3), -2),
            (Op.MAXIMUM, (1, 3, 2), 3),
            (Op.NEGATE, (100,), -100),
            (Op.SQUARE_ROOT, (4.0,), 2.0),
            (Op.IDENTITY, (5,), 5),
            (Op.ADD, (5,), None),
            (Op.MATMUL, (1, 2), None),
        ],
    )
    def test_of_numbers(self, operation: Op, operands: tuple[float, ...], expected: float | None) -> None:
        assert fold(operation, [np.asarray(v) for v in operands]) == expected

    @pytest.mark.parametrize(("operation", "shape"), [(Op.UNSQUEEZE, (1,)), (Op.RESHAPE, (1,)), (Op.SQUEEZE, ())])
    def test_of_the_layout_of_one_number(self, operation: Op, shape: tuple[int, ...]) -> None:
        made = fold(operation, [np.asarray([[7]])])
        assert made is not None and made.shape == shape

    def test_of_the_layout_of_several(self) -> None:
        assert fold(Op.RESHAPE, [np.asarray([1, 2])]) is None

    def test_along_a_graph(self) -> None:
        sites = site(Op.NEGATE, "hundred", "minus"), site(Op.ADD, "minus one", "bound")
        assert constants(hundred=100, one=1).with_sites(sites).integers("bound") == (-99,)

    def test_a_fill_outlives_a_size_that_is_not_known(self) -> None:
        sites = site(Op.CAST, "low", "narrow"), site(Op.EXPAND, "narrow length", "wide")
        known = constants(low=-10.0).with_sites(sites)
        assert (known.fill("wide"), known.is_constant("wide"), known.value("wide")) == (-10.0, False, None)

    def test_what_is_made_of_inputs_is_not_known(self) -> None:
        known = constants(one=1).with_sites([site(Op.ADD, "x one", "y"), site(Op.EXPAND, "x one", "z")])
        assert (known.fill("y"), known.fill("z")) == (None, None)

    def test_a_sum_of_a_tensor_and_itself_names_it_once(self) -> None:
        assert constants(one=1).with_sites([site(Op.ADD, "one", "two")]).fill("two") is None
