"""What tensors depend on, sizes that content decides among them."""

from __future__ import annotations

import pytest

from maskcheck.ir.dependence import Level, find_dependence, level_after
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Body, Pad, Slice
from tests.unit.ir.build import site

DATA, SHAPE, CONSTANT = Level.DATA, Level.SHAPE, Level.CONSTANT
LENGTH = site(Op.SHAPE, "x", "length")
SOME = site(Op.NON_ZERO, "x", "some")


def level(key: str, *sites: Site) -> Level:
    return find_dependence(sites, ["x"], ["weight"]).level(key)


def test_what_is_made_of_inputs_is_data() -> None:
    assert level("y", site(Op.MATMUL, "x weight", "y")) is DATA


def test_what_is_made_of_weights_is_constant() -> None:
    assert level("y", site(Op.TRANSPOSE, "weight", "y")) is CONSTANT


def test_what_nothing_is_known_of_is_constant() -> None:
    assert level("strange") is CONSTANT


def test_sizes_are_no_data() -> None:
    assert level("y", LENGTH, site(Op.RANGE, "zero length", "y")) is SHAPE


def test_the_size_of_a_weight_is_constant() -> None:
    assert level("y", site(Op.SHAPE, "weight", "y")) is CONSTANT


def test_zeros_like_an_input_are_no_data() -> None:
    assert level("y", site(Op.CONSTANT_LIKE, "x", "y")) is SHAPE


def test_a_tensor_as_large_as_a_value_says_is_data() -> None:
    assert level("y", site(Op.CONSTANT, "x", "y")) is DATA


def test_random_numbers_are_data() -> None:
    assert level("y", site(Op.RANDOM, "length", "y")) is DATA


@pytest.mark.parametrize(("random", "expected"), [(True, DATA), (False, CONSTANT)])
def test_random_numbers_inside_a_loop(random: bool, expected: Level) -> None:
    assert level("y", site(Op.LOOP, "weight", "y", Body(random=random))) is expected


class TestSizesThatContentDecides:
    """The number of rows in ``y``, and what is made as large as that."""

    @staticmethod
    def size(*sites: Site) -> Level:
        return level("size", *sites, site(Op.NEGATE, "y", "moved"), site(Op.SHAPE, "moved", "size"))

    @pytest.mark.parametrize("operation", [Op.NON_ZERO, Op.UNIQUE, Op.MASKED_SELECT, Op.PACK_SEQUENCE])
    def test_of_operations_that_choose(self, operation: Op) -> None:
        assert self.size(site(operation, "x", "y")) is DATA

    @pytest.mark.parametrize("operation", [Op.TOP_K, Op.SORT, Op.GATHER, Op.SCATTER, Op.LOOP, Op.SUBGRAPH])
    def test_of_operations_that_do_not(self, operation: Op) -> None:
        assert self.size(site(operation, "x", "y")) is SHAPE

    def test_of_nothing_but_weights(self) -> None:
        assert self.size(site(Op.NON_ZERO, "weight", "y")) is CONSTANT

    @pytest.mark.parametrize("operation", [Op.EXPAND, Op.RESHAPE, Op.REPEAT, Op.SLICE, Op.PAD, Op.ONE_HOT, Op.TOP_K])
    @pytest.mark.parametrize(("by", "expected"), [("x", DATA), ("length", SHAPE)])
    def test_of_a_further_operand(self, operation: Op, by: str, expected: Level) -> None:
        assert self.size(LENGTH, site(operation, f"h {by}", "y"), site(Op.ADD, "y x", "y")) is expected

    @pytest.mark.parametrize("operation", [Op.RANGE, Op.CONSTANT])
    def test_of_any_operand(self, operation: Op) -> None:
        assert self.size(site(operation, "x", "y")) is DATA

    @pytest.mark.parametrize("told", [Slice(starts=(0,), ends=(3,)), Pad(before=(0, 1), after=(0, 0))])
    def test_of_a_further_operand_that_says_something_else(self, told: Slice | Pad) -> None:
        operation = Op.SLICE if isinstance(told, Slice) else Op.PAD
        assert self.size(site(operation, "x x", "y", told)) is SHAPE

    def test_of_a_loop_that_runs_as_often_as_content_says(self) -> None:
        assert self.size(site(Op.LOOP, "x", "y", Body(sized_by_data=True))) is DATA

    def test_zeros_as_many_as_were_chosen(self) -> None:
        assert self.size(SOME, site(Op.CONSTANT_LIKE, "some", "y")) is DATA

    def test_the_number_of_axes_of_what_was_chosen(self) -> None:
        sites = SOME, site(Op.SHAPE, "some", "count"), site(Op.SHAPE, "count", "axes")
        assert level("count", *sites) is DATA
        assert level("axes", *sites) is SHAPE


def test_everything_by_name() -> None:
    found = find_dependence([LENGTH, SOME], ["x"], ["weight"])
    assert (found.shape_only, found.constants) == ({"length"}, {"weight"})


@pytest.mark.parametrize(
    ("operation", "reads", "expected"),
    [
        (Op.ADD, (SHAPE, DATA), DATA),
        (Op.ADD, (), CONSTANT),
        (Op.CONSTANT_LIKE, (DATA,), SHAPE),
        (Op.RANDOM, (SHAPE,), DATA),
    ],
)
def test_one_operation_at_a_time(operation: Op, reads: tuple[Level, ...], expected: Level) -> None:
    assert level_after(operation, reads) is expected
