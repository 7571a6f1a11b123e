"""How inputs are used: every kind with a graph that shows it and one that nearly does."""

from __future__ import annotations

from typing import Any

import pytest

from maskcheck.ir.constants import KnownConstants
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import (
    Along,
    Attention,
    Compare,
    Lookup,
    MaskValue,
    Pick,
    Recurrence,
    Reduce,
    Slice,
    Softmax,
)
from maskcheck.ir.uses import InputUse, UseKind, find_uses
from tests.unit.ir.build import constants, graph, site, table

TABLE = constants(table=table(7), zero=0, rows=7)


def uses(*sites: Site, known: KnownConstants = TABLE, rank: int | None = 2, recorded: bool = False) -> list[InputUse]:
    """What is done with an input called ``x``."""
    return list(find_uses(graph(*sites), {"x": rank}, known, recorded=recorded))


def told(*sites: Site, **given: Any) -> list[tuple[str, Any]]:
    """Kinds and values alone."""
    return [(use.kind.value, use.value) for use in uses(*sites, **given)]


def look(ids: str, makes: str = "looked") -> Site:
    return site(Op.EMBEDDING, f"table {ids}", makes, Lookup(ids=ids, rows=7))


class TestIndex:
    def test_a_lookup_says_all_of_itself(self) -> None:
        found = InputUse(
            input="x", kind=UseKind.INDEX, site="looked", operator="gather", operation=Op.EMBEDDING, value=7
        )
        lookup = site(Op.EMBEDDING, "table x", "looked", Lookup(ids="x", rows=7), operator="gather")
        assert uses(lookup) == [found]

    def test_rows_are_read_off_the_table(self) -> None:
        assert told(site(Op.EMBEDDING, "table x", "y")) == [("index", 7)]

    def test_rows_along_another_axis(self) -> None:
        assert told(site(Op.GATHER, "table x", "y", Pick(axis=1))) == [("index", 3)]

    def test_rows_of_a_table_that_is_no_tensor_of_its_own(self) -> None:
        assert told(site(Op.EMBEDDING, "x", "y", Lookup(ids="x", rows=9))) == [("index", 9)]

    def test_picking_positions_of_a_computed_tensor_is_no_lookup(self) -> None:
        assert told(site(Op.GATHER, "h x", "y")) == [("other", None)]

    def test_one_hot(self) -> None:
        assert told(site(Op.ONE_HOT, "x rows", "y", Along(axis=-1))) == [("index", 7)]

    def test_the_values_of_one_hot_are_no_ids(self) -> None:
        assert told(site(Op.ONE_HOT, "i rows x", "y")) == [("other", None)]

    def test_several_lookups_as_one_operator(self) -> None:
        told_all = Lookup(ids="w", rows=30, others=(Lookup(ids="x", rows=2),))
        assert told(site(Op.EMBEDDING_NORM, "w x", "y", told_all)) == [("index", 2)]


class TestThroughWhatKeepsValues:
    @pytest.mark.parametrize(
        "operation",
        [
            *(Op.CAST, Op.IDENTITY, Op.RESHAPE, Op.UNSQUEEZE, Op.SQUEEZE, Op.EXPAND, Op.TRANSPOSE, Op.FLATTEN),
            *(Op.REPEAT, Op.SLICE, Op.SELECT, Op.ROLL, Op.FLIP, Op.PAD, Op.CLIP, Op.DROPOUT, Op.MASKED_SELECT),
        ],
    )
    def test_of_the_first_operand(self, operation: Op) -> None:
        assert told(site(operation, "x", "v"), look("v")) == [("index", 7)]

    @pytest.mark.parametrize("operation", [Op.CONCATENATE, Op.STACK, Op.SLICE_UPDATE, Op.SPLIT])
    def test_of_any_operand(self, operation: Op) -> None:
        assert told(site(operation, "h x", "v"), look("v")) == [("index", 7)]

    @pytest.mark.parametrize("operation", [Op.RESHAPE, Op.EXPAND, Op.SLICE, Op.PAD])
    def test_a_size_is_no_view(self, operation: Op) -> None:
        assert told(site(operation, "h x", "v"), look("v")) == [("other", None)]

    def test_arithmetic_ends_the_view(self) -> None:
        assert told(site(Op.SUBTRACT, "one x", "v"), look("v")) == [("other", None)]

    def test_ids_picked_by_a_mask_are_ids(self) -> None:
        assert told(site(Op.GATHER, "x mask", "v"), look("v")) == [("index", 7)]

    def test_sorted_lengths_are_lengths(self) -> None:
        sites = site(Op.SORT, "x", "v order"), site(Op.PACK_SEQUENCE, "h v", "packed")
        assert told(*sites, rank=1) == [("lengths", None)]

    def test_their_order_alone_is_not(self) -> None:
        sites = site(Op.SORT, "x", "order"), site(Op.PACK_SEQUENCE, "h order", "packed")
        assert told(*sites, rank=1) == [("other", None)]

    def test_their_order_beside_them_is_a_use_of_its_own(self) -> None:
        sites = site(Op.SORT, "x", "v order"), site(Op.PACK_SEQUENCE, "h v", "p"), site(Op.GATHER, "h order", "y")
        assert told(*sites, rank=1) == [("other", None), ("lengths", None)]

    @pytest.mark.parametrize("operation", [Op.SHAPE, Op.CONSTANT_LIKE, Op.CONSTANT])
    def test_sizes_are_no_use(self, operation: Op) -> None:
        assert not told(site(operation, "x", "s"), site(Op.CAST, "s", "y"))


class TestColumns:
    COLUMNS = (
        site(Op.GATHER, "x zero", "v", Pick(axis=1, indices=0)),
        site(Op.SLICE, "x", "v", Slice(axes=(1,), starts=(2,), ends=(3,))),
        site(Op.SLICE, "x", "v", Slice(axes=(-1,), starts=(-1,), ends=(99,))),
        site(Op.SPLIT, "x", "v w", Along(axis=1, sizes=(1, 1))),
    )

    @pytest.mark.parametrize("column", COLUMNS)
    def test_one_column_of_a_table_of_features(self, column: Site) -> None:
        assert told(column, site(Op.SQUEEZE, "v", "flat"), look("flat")) == [("other", None)]

    @pytest.mark.parametrize("column", COLUMNS)
    def test_steps_that_a_recorded_loop_picks_one_by_one(self, column: Site) -> None:
        assert told(column, look("v"), recorded=True) == [("index", 7)]

    @pytest.mark.parametrize(
        "several",
        [
            site(Op.GATHER, "x zero", "v", Pick(axis=0, indices=0)),
            site(Op.SLICE, "x", "v", Slice(axes=(1,), starts=(1,), ends=(3,))),
            site(Op.SLICE, "x", "v", Slice(axes=(1,), starts=(1,), ends=(-1,))),
            site(Op.SPLIT, "x", "v w", Along(axis=1, sizes=(2, 2))),
        ],
    )
    def test_several_columns_or_one_row(self, several: Site) -> None:
        assert told(several, look("v")) == [("index", 7)]

    def test_columns_laid_beside_each_other_are_columns(self) -> None:
        first, second = (site(Op.SELECT, "x", f"v{i}", Pick(axis=1, indices=i)) for i in (0, 1))
        assert told(first, second, site(Op.STACK, "v0 v1", "v"), look("v")) == [("other", None)]

    def test_a_column_laid_beside_the_whole_is_not(self) -> None:
        first = site(Op.SELECT, "x", "v0", Pick(axis=1, indices=0))
        assert told(first, site(Op.CONCATENATE, "v0 x", "v"), look("v")) == [("index", 7)]


class TestPadding:
    COMPARED = site(Op.NOT_EQUAL, "x", "real", Compare(value=3, operand="x"))

    def test_the_operator_says_so(self) -> None:
        found = told(site(Op.EMBEDDING, "table x", "y", Lookup(ids="x", rows=7, padding=2)))
        assert found == [("index", 7), ("padding", 2)]

    def test_the_only_row_of_zeros(self) -> None:
        known = constants(table=table(7, empty=4))
        assert told(look("x"), self.COMPARED, known=known) == [("index", 7), ("compare", 3), ("padding", 4)]

    def test_a_row_of_zeros_where_ids_are_compared_with_nothing(self) -> None:
        assert told(look("x"), known=constants(table=table(7, empty=4))) == [("index", 7)]

    def test_no_row_of_zeros(self) -> None:
        assert ("padding", 4) not in told(look("x"), self.COMPARED)

    def test_a_column_of_zeros(self) -> None:
        along = site(Op.GATHER, "table x", "y", Pick(axis=1))
        known = constants(table=table(7, empty=4))
        assert told(along, self.COMPARED, known=known) == [("index", 3), ("compare", 3)]


class TestCompare:
    @pytest.mark.parametrize("operation", [Op.EQUAL, Op.NOT_EQUAL, Op.LESS, Op.GREATER_OR_EQUAL])
    @pytest.mark.parametrize("reads", ["x zero", "zero x"])
    def test_with_a_constant(self, operation: Op, reads: str) -> None:
        assert told(site(operation, reads, "y")) == [("compare", 0)]

    def test_with_a_number_that_is_no_tensor(self) -> None:
        assert told(site(Op.EQUAL, "x", "y", Compare(value=-999.5, operand="x"))) == [("compare", -999.5)]

    def test_with_something_computed(self) -> None:
        assert told(site(Op.EQUAL, "x h", "y")) == [("other", None)]

    def test_with_itself_elsewhere(self) -> None:
        sites = site(Op.ROLL, "x", "next"), site(Op.EQUAL, "x next", "y")
        assert told(*sites) == [("other", None)]

    def test_ids_that_count_from_the_end(self) -> None:
        assert told(*wrapped()) == [("index", 7)]

    def test_the_same_the_other_way_round(self) -> None:
        below = site(Op.GREATER, "x", "below", Compare(value=0, operand="x", swapped=True))
        assert told(below, *wrapped()[1:]) == [("index", 7)]

    def test_another_bound_than_zero_is_a_comparison(self) -> None:
        assert ("compare", 3) in told(*wrapped(), known=constants(table=table(7), zero=3, rows=7))

    def test_a_comparison_that_is_read_elsewhere_as_well(self) -> None:
        assert ("compare", 0) in told(*wrapped(), site(Op.CAST, "below", "mask"))

    def test_something_else_in_the_place_of_negative_ids(self) -> None:
        chosen = site(Op.WHERE, "below rows x", "v")
        assert told(wrapped()[0], chosen, look("v")) == [("compare", 0), ("other", None)]


def wrapped() -> tuple[Site, ...]:
    return (
        site(Op.LESS, "x zero", "below"),
        site(Op.ADD, "x rows", "moved"),
        site(Op.WHERE, "below moved x", "v"),
        look("v"),
    )


class TestLengths:
    @pytest.mark.parametrize(
        "reader",
        [
            site(Op.LSTM, "h w x", "y", Recurrence(lengths="x")),
            site(Op.ATTENTION, "q k v x", "y", Attention(lengths="x")),
            site(Op.REVERSE_SEQUENCE, "h x", "y", Along(axis=1)),
            site(Op.REVERSE_SEQUENCE, "h x", "y", Along(axis=1, lengths="x")),
            site(Op.PACK_SEQUENCE, "h x", "y"),
        ],
    )
    def test_of_rows(self, reader: Site) -> None:
        assert told(reader, rank=1) == [("lengths", None)]

    def test_what_a_recurrence_runs_over_is_none(self) -> None:
        assert told(site(Op.LSTM, "x w l", "y", Recurrence(lengths="l"))) == [("other", None)]

    def test_a_sequence_that_is_packed_is_none(self) -> None:
        sites = site(Op.PACK_SEQUENCE, "x l", "v"), site(Op.LSTM, "v w", "y", Recurrence(packed=True))
        assert told(*sites) == [("other", None)]


class TestMask:
    @pytest.mark.parametrize(
        "reader",
        [
            site(Op.ATTENTION, "q x", "y", Attention(mask="x")),
            site(Op.ATTENTION, "q x", "y", Attention(bias="x")),
            site(Op.LSTM, "h x", "y", Recurrence(mask="x")),
            site(Op.MEAN, "h x", "y", Reduce(mask="x")),
            site(Op.SOFTMAX, "h x", "y", Softmax(mask="x")),
            site(Op.EMBEDDING_NORM, "i x", "y", Lookup(ids="i", mask="x")),
        ],
    )
    def test_of_what_takes_one(self, reader: Site) -> None:
        assert told(reader) == [("mask", 2)]

    def test_what_is_attended_to_is_none(self) -> None:
        assert told(site(Op.ATTENTION, "x m", "y", Attention(mask="m"))) == [("other", None)]

    def test_an_input_that_is_both(self) -> None:
        sites = site(Op.CAST, "x", "v"), site(Op.ATTENTION, "x v", "y", Attention(mask="v"))
        assert told(*sites) == [("other", None), ("mask", 2)]

    @pytest.mark.parametrize("settings", [Attention(mask="x", mask_rank=4), Attention(bias="x", mask_rank=4)])
    def test_its_rank_where_the_operator_tells(self, settings: Attention) -> None:
        assert told(site(Op.ATTENTION, "q x", "y", settings)) == [("mask", 4)]

    @pytest.mark.parametrize(
        ("between", "rank"),
        [
            (site(Op.UNSQUEEZE, "x", "v", Reduce(axes=(1, 2))), 4),
            (site(Op.SQUEEZE, "x", "v", Reduce(axes=(1,))), 1),
            (site(Op.SQUEEZE, "x", "v"), None),
            (site(Op.SELECT, "x", "v"), 1),
            (site(Op.STACK, "x x2", "v"), 3),
            (site(Op.GATHER, "x zero", "v"), 1),
            (site(Op.GATHER, "x h", "v"), None),
            (site(Op.RESHAPE, "x four", "v"), 4),
            (site(Op.EXPAND, "x four", "v"), 4),
            (site(Op.RESHAPE, "x h", "v"), None),
            (site(Op.TRANSPOSE, "x", "v"), 2),
        ],
    )
    def test_its_rank_behind_layouts(self, between: Site, rank: int | None) -> None:
        reader = site(Op.ATTENTION, "q v", "y", Attention(mask="v"))
        assert told(between, reader, known=constants(zero=0, four=[1, 1, 1, 9])) == [("mask", rank)]

    def test_its_rank_where_none_is_declared(self) -> None:
        reader = site(Op.ATTENTION, "q v", "y", Attention(mask="v"))
        assert told(site(Op.UNSQUEEZE, "x", "v", Reduce(axes=(1,))), reader, rank=None) == [("mask", None)]


class TestMasking:
    """A layer that takes steps which are all of one value for padding, whole or taken apart."""

    DIFFER = site(Op.NOT_EQUAL, "x", "differ", Compare(value=5, operand="x"))
    STEPS = site(Op.ANY, "differ", "steps", Reduce(axes=(-1,), keeps_axes=True))
    REAL = site(Op.CAST, "steps", "real")

    def test_as_a_layer(self) -> None:
        layer = site(Op.MASKING, "x", "y", MaskValue(value=-1.0))
        assert told(layer, rank=3) == [("masking", -1)]

    @pytest.mark.parametrize("hide", [site(Op.MULTIPLY, "x real", "y"), site(Op.WHERE, "real x h", "y")])
    def test_taken_apart(self, hide: Site) -> None:
        assert told(self.DIFFER, self.STEPS, self.REAL, hide, rank=3) == [("compare", 5), ("masking", 5)]

    def test_by_what_is_equal_everywhere(self) -> None:
        same = site(Op.EQUAL, "x", "same", Compare(value=5, operand="x"))
        sites = same, site(Op.ALL, "same", "empty"), site(Op.NOT, "empty", "real"), site(Op.MULTIPLY, "x real", "y")
        assert told(*sites, rank=3) == [("compare", 5), ("masking", 5)]

    def test_by_what_is_equal_somewhere(self) -> None:
        same = site(Op.EQUAL, "x", "same", Compare(value=5, operand="x"))
        sites = same, site(Op.ANY, "same", "some"), site(Op.MULTIPLY, "x some", "y")
        assert told(*sites, rank=3) == [("compare", 5), ("other", None)]

    def test_single_values_that_are_blanked(self) -> None:
        """As models replace the ids that a loss ignores: those are ids and no features."""
        sites = self.DIFFER, site(Op.WHERE, "differ x h", "y")
        assert told(*sites) == [("compare", 5), ("other", None)]

    def test_of_an_input_that_is_computed_with_elsewhere(self) -> None:
        """As a mean over the steps that are not all zeros, which is taken from all of them."""
        hide, elsewhere = site(Op.MULTIPLY, "x real", "y"), site(Op.SUBTRACT, "x y", "z")
        found = told(self.DIFFER, self.STEPS, self.REAL, hide, elsewhere, rank=3)
        assert found == [("compare", 5), ("other", None), ("other", None)]

    def test_by_a_mask_of_another_input(self) -> None:
        other = site(Op.NOT_EQUAL, "z", "differ", Compare(value=5, operand="z"))
        assert told(other, self.STEPS, self.REAL, site(Op.MULTIPLY, "x real", "y"), rank=3) == [("other", None)]

    def test_by_an_ordering(self) -> None:
        over = site(Op.GREATER, "x", "differ", Compare(value=5, operand="x"))
        sites = over, self.STEPS, self.REAL, site(Op.MULTIPLY, "x real", "y")
        assert told(*sites, rank=3) == [("compare", 5), ("other", None)]


def test_inputs_come_one_after_the_other_and_each_use_once() -> None:
    sites = look("i", "a"), site(Op.ADD, "a m", "b"), site(Op.MULTIPLY, "b m", "c")
    found = find_uses(graph(*sites), {"m": 2, "i": 2}, TABLE)
    assert [(use.input, use.kind.value, use.site) for use in found] == [
        ("m", "other", "b"),
        ("m", "other", "c"),
        ("i", "index", "a"),
    ]
