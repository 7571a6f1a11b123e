"""Static facts: every kind with a graph that shows it and one that nearly does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from maskcheck.ir.constants import KnownConstants
from maskcheck.ir.facts import FactKind, StaticFact, find_facts
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Attention, Direction, Fill, Lookup, Quantiser, Recurrence
from maskcheck.ir.uses import find_uses
from tests.unit.ir.build import constants, graph, site

NOTHING = KnownConstants()
FLOATS = {"h": "float32"}


def facts(
    *sites: Site, known: KnownConstants = NOTHING, dtypes: Mapping[str, str] = FLOATS, rank: int = 2, **further: Any
) -> list[StaticFact]:
    """What a model shows that reads ``x`` and returns ``y``."""
    made = graph(*sites)
    uses = find_uses(made, {"x": rank}, known)
    given = {"inputs": ["x"], "outputs": ["y"], "uses": uses, "constants": known, "dtypes": dtypes}
    return list(find_facts(made, **given, **further))


def details(*sites: Site, **given: Any) -> list[tuple[str, str]]:
    return [(fact.kind.value, fact.detail) for fact in facts(*sites, **given)]


class TestUnusedInputs:
    def test_that_nobody_reads(self) -> None:
        expected = StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail="input 'x': no operator reads it")
        assert facts(site(Op.EXP, "h", "y")) == [expected]

    def test_of_which_only_the_size_counts(self) -> None:
        found = details(site(Op.SHAPE, "x", "s"), site(Op.EXPAND, "h s", "y"))
        assert found == [("unused-input", "input 'x': only its shape is read")]

    def test_handed_on_to_an_output(self) -> None:
        assert not facts(site(Op.CAST, "x", "v"), site(Op.IDENTITY, "v", "y"))

    def test_an_input_that_is_an_output(self) -> None:
        assert not list(find_facts(graph(), inputs=["x"], outputs=["x"], uses=()))

    def test_moved_about_and_left(self) -> None:
        found = details(site(Op.CAST, "x", "v"), site(Op.EXP, "h", "y"))
        assert found == [("unused-input", "input 'x': nothing is computed with it")]


class TestLengths:
    @pytest.mark.parametrize("operation", [Op.LSTM, Op.GRU, Op.RNN, Op.DYNAMIC_LSTM])
    def test_a_recurrence_without(self, operation: Op) -> None:
        told = Recurrence(direction=Direction.REVERSE)
        made = site(operation, "x w", "y", told, operator="aten.lstm")
        expected = ("no-sequence-lens", "lstm (reverse) is given neither lengths nor a mask")
        assert expected in details(made)

    @pytest.mark.parametrize(
        "told",
        [
            Recurrence(lengths="l"),
            Recurrence(mask="m"),
            Recurrence(packed=True),
            Recurrence(takes_lengths=False),
            None,
        ],
    )
    def test_with_them_or_where_nothing_is_known(self, told: Recurrence | None) -> None:
        assert not facts(site(Op.LSTM, "x w l m", "y", told))

    def test_packing_is_no_recurrence(self) -> None:
        assert not facts(site(Op.PACK_SEQUENCE, "x l", "y", Recurrence()))

    def test_of_the_traced_example(self) -> None:
        made = site(Op.LSTM, "x w l", "y", Recurrence(lengths="l"), operator="LSTM")
        assert details(made, known=constants(l=[5, 5])) == [("baked-length", "LSTM reads constant lengths [5, 5]")]

    def test_of_the_traced_example_that_turn_rows_around(self) -> None:
        made = site(Op.REVERSE_SEQUENCE, "x l", "y", operator="ReverseSequence")
        found = details(made, known=constants(l=[5, 3]))
        assert found == [("baked-length", "ReverseSequence reads constant lengths [5, 3]")]

    def test_that_are_computed(self) -> None:
        assert not facts(site(Op.LSTM, "x w l", "y", Recurrence(lengths="l")), known=constants(w=[5, 5]))


class TestAttention:
    def test_without_a_mask(self) -> None:
        made = site(Op.ATTENTION, "x", "y", Attention(causal=True), operator="com.microsoft.Attention")
        assert details(made) == [("attention-without-mask", "Attention is given no mask")]

    @pytest.mark.parametrize("told", [Attention(mask="m"), Attention(bias="m"), Attention(takes_mask=False), None])
    def test_with_one_or_where_nothing_is_known(self, told: Attention | None) -> None:
        assert not facts(site(Op.ATTENTION, "x m", "y", told))

    def test_given_the_number_of_keys(self) -> None:
        made = site(Op.ATTENTION, "q x", "y", Attention(lengths="x"), operator="Attention")
        assert details(made) == [("kv-lengths", "Attention is given the number of real keys of every row")]

    def test_given_the_number_of_keys_of_the_traced_example(self) -> None:
        made = site(Op.ATTENTION, "x l", "y", Attention(lengths="l"))
        assert [kind for kind, _ in details(made, known=constants(l=[5]))] == ["kv-lengths", "baked-length"]

    @pytest.mark.parametrize(("rank", "found"), [(1, ["mask-index"]), (2, [])])
    def test_given_one_position_per_row(self, rank: int, found: list[str]) -> None:
        made = site(Op.ATTENTION, "q x", "y", Attention(mask="x"))
        assert [kind for kind, _ in details(made, rank=rank)] == found

    @pytest.mark.parametrize(("rank", "found"), [(1, ["mask-index"]), (2, [])])
    def test_given_one_computed_position_per_row(self, rank: int, found: list[str]) -> None:
        made = site(Op.ATTENTION, "x m", "y", Attention(mask="m", mask_rank=rank), operator="Attention")
        assert [kind for kind, _ in details(made)] == found

    def test_an_embedding_that_reads_a_mask_is_none(self) -> None:
        assert not facts(site(Op.EMBEDDING_NORM, "x m", "y", Lookup(ids="x", mask="m")))

    @pytest.mark.parametrize(("fill", "weak"), [(-20.0, True), (-1e4, False), (None, False)])
    def test_the_fill_of_its_mask(self, fill: float | None, weak: bool) -> None:
        made = site(Op.ATTENTION, "x m", "y", Attention(mask="m", fill=fill), operator="Attention")
        assert details(made) == ([("weak-fill", "Attention masks with -20")] if weak else [])

    def test_the_fill_of_a_mask_it_is_not_given(self) -> None:
        made = site(Op.ATTENTION, "x b", "y", Attention(bias="b", fill=-20.0))
        assert not facts(made)


class TestFills:
    """Selections and additive masks over ``x``; ``h`` is a tensor of floats."""

    @pytest.mark.parametrize(("fill", "weak"), [(-50.0, True), (-1e4, False), (0.0, False), (-0.5, False)])
    def test_of_a_selection(self, fill: float, weak: bool) -> None:
        made = site(Op.WHERE, "x low h", "y", Fill(values=(fill,)), operator="Where")
        assert details(made) == ([("weak-fill", "Where fills with -50")] if weak else [])

    def test_of_a_selection_between_constants(self) -> None:
        made = site(Op.WHERE, "x none low", "y", Fill(values=(0.0, -50.0)))
        assert [kind for kind, _ in details(made, dtypes={"y": "float32"})] == ["weak-fill"]

    @pytest.mark.parametrize("dtypes", [{"h": "int64"}, {}, {"x": "bool"}])
    def test_of_ids_or_of_what_is_not_known(self, dtypes: dict[str, str]) -> None:
        """Such as the -100 by which losses are told what to leave out."""
        assert not facts(site(Op.WHERE, "x low h", "y", Fill(values=(-100.0,))), dtypes=dtypes)

    def test_the_type_of_a_constant_tells_as_well(self) -> None:
        made = site(Op.WHERE, "x low h", "y", Fill(values=(-50.0,)))
        assert facts(made, known=constants(low=-50.0), dtypes={})
        assert not facts(made, known=constants(low=-50), dtypes={})

    @pytest.mark.parametrize(
        "inverse", [site(Op.SUBTRACT, "one x", "v"), site(Op.SUBTRACT, "x", "v", Fill(values=(1.0,), swapped=True))]
    )
    def test_of_an_additive_mask(self, inverse: Site) -> None:
        made = site(Op.MULTIPLY, "v low", "y", Fill(values=(-40.0,)), operator="Mul")
        found = details(inverse, made, known=constants(one=1.0, low=-40.0))
        assert found == [("weak-fill", "Mul fills with -40")]

    @pytest.mark.parametrize("other", [site(Op.SUBTRACT, "x one", "v", Fill(values=(1.0,))), site(Op.EXP, "x", "v")])
    def test_of_another_product(self, other: Site) -> None:
        made = site(Op.MULTIPLY, "v low", "y", Fill(values=(-40.0,)))
        assert not facts(other, made, known=constants(one=1.0, low=-40.0))

    @pytest.mark.parametrize("operation", [Op.WHERE, Op.MULTIPLY])
    @pytest.mark.parametrize(
        ("dtype", "fill", "found"), [("float16", -1e9, 1), ("float16", -6e4, 0), ("float32", -1e9, 0)]
    )
    def test_beyond_half_precision(self, operation: Op, dtype: str, fill: float, found: int) -> None:
        made = site(operation, "x h", "y", Fill(values=(fill,)), operator="Where")
        expected = [("half-fill", "Where fills a float16 tensor with -1e+09")] * found
        assert details(made, dtypes={"h": dtype}) == expected


class TestFrozenMasks:
    """A constant laid on scores of (batch, heads, queries, keys)."""

    HIDDEN = np.array([False, False, False, True]).reshape(1, 1, 1, 4)
    EXPECTED = ("baked-length", "Add lays a constant mask on it, which hides up to 1 of 4 columns")

    @staticmethod
    def added(mask: Any) -> list[tuple[str, str]]:
        return details(site(Op.ADD, "x mask", "y", operator="Add"), known=constants(mask=mask))

    def test_of_the_tracing_example(self) -> None:
        assert self.added(np.where(self.HIDDEN, -1e9, 0.0)) == [self.EXPECTED]

    @pytest.mark.parametrize(
        "mask",
        [
            np.triu(np.full((1, 1, 4, 4), -1e9), 1),  # a triangle
            np.array([0.5, 0.0, 1.0, -2e3]),  # a bias
            np.array([-1e9] * 4),  # hides everything
            np.zeros(4),
            np.array(-1e9),  # a number
            np.array([0, 0, 0, -(10**9)]),  # integers
        ],
    )
    def test_of_something_else(self, mask: np.ndarray) -> None:
        assert not self.added(mask)

    @pytest.mark.parametrize(("reads", "mask"), [("mask low x", HIDDEN), ("mask x low", ~HIDDEN)])
    def test_of_a_selection(self, reads: str, mask: np.ndarray) -> None:
        made = site(Op.WHERE, reads, "y", Fill(values=(-1e9,)), operator="Add")
        assert details(made, known=constants(mask=mask, low=-1e9)) == [self.EXPECTED]

    @pytest.mark.parametrize("fill", [(), (0.0,), (0.0, -1e9)])
    def test_of_a_selection_of_something_else(self, fill: tuple[float, ...]) -> None:
        made = site(Op.WHERE, "mask x low", "y", Fill(values=fill))
        assert not facts(made, known=constants(mask=self.HIDDEN))


class TestQuantisation:
    @pytest.mark.parametrize("operation", [Op.DYNAMIC_QUANTIZE, Op.DYNAMIC_LINEAR, Op.DYNAMIC_LSTM])
    def test_by_the_whole_tensor(self, operation: Op) -> None:
        made = site(operation, "x", "y", operator="DynamicQuantizeLinear")
        expected = ("dynamic-quantization", "DynamicQuantizeLinear takes its scale from the whole tensor")
        assert details(made) == [expected]

    @pytest.mark.parametrize(
        "made",
        [site(Op.DYNAMIC_QUANTIZE, "x", "y", Quantiser(block=32)), site(Op.QUANTIZE, "x s", "y", Quantiser(scale=0.1))],
    )
    def test_by_less_or_by_a_constant(self, made: Site) -> None:
        assert not facts(made)


class TestAsAWhole:
    SITES = (site(Op.ATTENTION, "h", "a", Attention()), site(Op.LSTM, "a w", "y", Recurrence()))

    def test_inputs_come_first_and_then_sites_in_order(self) -> None:
        assert [(fact.kind.value, fact.site) for fact in facts(*self.SITES)] == [
            ("unused-input", None),
            ("attention-without-mask", "a"),
            ("no-sequence-lens", "y"),
        ]

    def test_kinds_that_a_framework_tells_better(self) -> None:
        found = facts(*self.SITES, leaving_out={FactKind.NO_MASK, FactKind.NO_LENGTHS})
        assert [fact.kind for fact in found] == [FactKind.UNUSED_INPUT]

    def test_every_kind_has_words_of_its_own(self) -> None:
        labels = [kind.label for kind in FactKind]
        assert all(labels) and len(set(labels)) == len(labels)

    def test_kinds_are_the_strings_they_were(self) -> None:
        assert FactKind.NO_LENGTHS == "no-sequence-lens" and FactKind("weak-fill") is FactKind.WEAK_FILL
