"""Roles and axes as they are believed before a model was run: from dtypes, ranks, names and how inputs are used."""

from __future__ import annotations

from typing import Any

import pytest

from maskcheck.core.contract import BATCH, Role
from maskcheck.core.model import TensorSpec
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.probe.contract.structure import Draft, draft, facts_of
from tests.sites import use as an_input_use

Shape = tuple[int | str | None, ...] | None


class Inputs:
    """Only what a draft looks at."""

    def __init__(self, *inputs: TensorSpec, uses: tuple[InputUse, ...] = ()) -> None:
        self.inputs, self.uses = inputs, uses


def spec(name: str, dtype: str, *shape: int | str | None) -> TensorSpec:
    return TensorSpec(name, dtype, shape)


def use(name: str, kind: UseKind, value: float | None = None, operator: str = "op") -> InputUse:
    return an_input_use(name, kind, "site", operator, value)


def drafted(*inputs: TensorSpec, uses: tuple[InputUse, ...] = (), stated: Any = None) -> dict[str, Draft]:
    found = draft(Inputs(*inputs, uses=uses), stated or {})  # type: ignore[arg-type]
    return {d.spec.name: d for d in found}


def one(*inputs: TensorSpec, uses: tuple[InputUse, ...] = (), stated: Any = None) -> Draft:
    """The draft of the first input."""
    return drafted(*inputs, uses=uses, stated=stated)[inputs[0].name]


IDS = spec("ids", "int64", "batch", "seq")
X = spec("x", "float32", "batch", "seq", 6)
WORDS = use("ids", UseKind.INDEX, 99)


@pytest.mark.parametrize(
    ("given", "uses", "role"),
    [
        (spec("a", "int64", "batch", "seq"), (use("a", UseKind.INDEX, 99),), Role.TOKENS),
        (spec("a", "int64", "batch", "seq"), (use("a", UseKind.INDEX, 5),), Role.TOKENS),
        (spec("a", "int64", "batch", "seq"), (), Role.TOKENS),
        (spec("a", "float32", "batch", "seq", 6), (), Role.FEATURES),
        (spec("a", "float32", "batch", "seq"), (), Role.FEATURES),
        (spec("a", "float32", "batch", "seq"), (use("a", UseKind.INDEX, 99),), Role.TOKENS),
        (spec("ids", "float32", "batch", "seq"), (use("ids", UseKind.COMPARE, 0),), Role.TOKENS),
        (spec("ids", "float32", "batch", "seq"), (), Role.FEATURES),
        (spec("a", "bool", "batch", "seq"), (), Role.MASK),
        (spec("a", "bool", "batch"), (), Role.OTHER),
        (spec("mask", "int64", "batch", "seq"), (), Role.MASK),
        (spec("mask", "float32", "batch", "seq"), (), Role.MASK),
        (spec("mask", "float32", "batch", 1, "seq", "seq"), (), Role.ADDITIVE_MASK),
        (spec("mask", "int64", "batch", 1, "seq", "seq"), (), Role.MASK),
        (spec("a", "int64", "batch"), (), Role.LENGTHS),
        (spec("a", "float32", "batch"), (), Role.OTHER),
        (spec("lengths", "float32", "batch"), (), Role.LENGTHS),
        (spec("lengths", "int64", "batch", 1), (), Role.LENGTHS),
        (spec("lengths", "float32", "batch", 1), (), Role.LENGTHS),
        (spec("lengths", "float32", "batch", 2), (), Role.FEATURES),
        (spec("lengths", "int64", "batch", "seq"), (use("lengths", UseKind.INDEX, 99),), Role.TOKENS),
        (spec("a", "int64", "batch"), (use("a", UseKind.INDEX, 99),), Role.OTHER),
        (spec("a", "int64", "seq"), (use("a", UseKind.INDEX, 99),), Role.TOKENS),
        (spec("a", "int64", "batch", "seq"), (use("a", UseKind.LENGTHS),), Role.LENGTHS),
        (spec("a", "int64", "batch", "seq", 3), (use("a", UseKind.LENGTHS),), Role.TOKENS),
        (spec("a", "int64", "batch"), (use("a", UseKind.MASK, 1),), Role.LENGTHS),
        (spec("a", "float32", "batch", "seq"), (use("a", UseKind.MASK, 2),), Role.MASK),
        (spec("a", "float32", "batch", "seq", 6), (use("a", UseKind.MASKING, 0.0),), Role.FEATURES),
        (spec("a", "int64", "batch", "seq"), (use("a", UseKind.MASKING, 0),), Role.FEATURES),
        (spec("a", "int64", "batch"), (use("a", UseKind.MASKING, 0),), Role.LENGTHS),
        (spec("positions", "int64", "batch", "seq"), (use("positions", UseKind.INDEX, 512),), Role.POSITIONS),
        (spec("token_type_ids", "int64", "batch", "seq"), (), Role.SEGMENTS),
        (spec("a", "int64"), (), Role.OTHER),
        (spec("state", "float32", 2, "batch", 8), (), Role.OTHER),
        (spec("past_key", "float32", "batch", 4, "past", 8), (), Role.OTHER),
        (spec("state", "int64", "batch", "seq"), (), Role.OTHER),
        (TensorSpec("a", "int64", None), (), Role.TOKENS),
    ],
    ids=lambda value: f"{value.name}-{value.dtype}-{len(value.shape or ())}" if isinstance(value, TensorSpec) else None,
)
def test_what_an_input_alone_is_taken_for(given: TensorSpec, uses: tuple[InputUse, ...], role: Role) -> None:
    assert one(given, uses=uses).role is role


@pytest.mark.parametrize(("rows", "role"), [(2, Role.SEGMENTS), (4, Role.SEGMENTS), (5, Role.TOKENS)])
def test_a_tiny_table_beside_words_holds_segments(rows: int, role: Role) -> None:
    kinds = spec("kind", "int64", "batch", "seq")
    assert one(kinds, IDS, uses=(WORDS, use("kind", UseKind.INDEX, rows))).role is role
    named = spec("tokens", "int64", "batch", "seq")
    assert one(named, IDS, uses=(WORDS, use("tokens", UseKind.INDEX, rows))).role is Role.TOKENS


def test_a_tiny_table_is_a_vocabulary_where_nothing_else_holds_content() -> None:
    alone, beside = spec("a", "int64", "batch", "seq"), use("a", UseKind.INDEX, 3)
    assert one(alone, uses=(beside,)).role is Role.TOKENS
    assert one(alone, X, uses=(beside,)).role is Role.SEGMENTS


@pytest.mark.parametrize(
    ("given", "beside", "role"),
    [
        (spec("a", "int64", "batch", "seq"), IDS, Role.MASK),
        (spec("a", "int64", "batch", "seq"), X, Role.MASK),
        (spec("tokens", "int64", "batch", "seq"), IDS, Role.TOKENS),
        (spec("a", "float32", "batch", "seq"), IDS, Role.MASK),
        (spec("a", "float32", "batch", "seq"), X, Role.MASK),
        (spec("a", "float32", "batch", 7), IDS, Role.OTHER),
        (spec("a", "float32", "batch", "other"), IDS, Role.FEATURES),
        (spec("a", "float32", "batch", None), IDS, Role.MASK),
        (TensorSpec("a", "float32", None), IDS, Role.MASK),
        (spec("a", "float32", "batch", 7), spec("ids", "int64", "batch", 7), Role.MASK),
        (spec("a", "float32", "batch", None), spec("ids", "int64", "batch", 7), Role.FEATURES),
    ],
    ids=lambda value: str(value.shape) if isinstance(value, TensorSpec) else None,
)
def test_what_stands_beside_content_of_its_length_is_a_mask(given: TensorSpec, beside: TensorSpec, role: Role) -> None:
    assert one(given, beside, uses=(WORDS,)).role is role


def test_what_is_stated_beats_belief() -> None:
    found = one(spec("a", "int64", "batch", "seq"), IDS, uses=(WORDS,), stated={"a": {"role": "segments"}})
    assert found.role is Role.SEGMENTS and found.reasons[0].endswith("stated")


@pytest.mark.parametrize(
    ("given", "labels"),
    [
        (spec("a", "int64", "batch", "seq"), (BATCH, "?")),
        (spec("a", "int64", None, None), (BATCH, "?")),
        (spec("positions", "int64", "seq"), ("?",)),
        (spec("a", "int64", "seq", "batch"), ("?", BATCH)),
        (spec("ids", "int64", "batch", 5, "letters"), (BATCH, "?", None)),
        (spec("a", "int64", "time", "items"), ("?", BATCH)),
        (spec("a", "int64", "time", 4), (BATCH, "?")),
        (spec("a", "int64", "time", "frames"), (BATCH, "?")),
        (spec("a", "float32", "batch", "seq", 6), (BATCH, "?", None)),
        (spec("a", "float32", "batch", 6, "seq"), (BATCH, None, "?")),
        (spec("a", "float32", "batch", 6, 9), (BATCH, "?", None)),
        (spec("a", "float32", "batch", None, None), (BATCH, "?", None)),
        (spec("a", "float32", "batch", "width", "time"), (BATCH, None, "?")),
        (spec("a", "float32", "batch", "seq", "seq"), (BATCH, "?", "?")),
        (spec("a", "float32", "batch", 1, "seq"), (BATCH, None, "?")),
        (spec("a", "float32", "batch", 3, 8, "w2"), (BATCH, None, None, "?")),
        (spec("mask", "int64", "batch", 1, 1, "seq"), (BATCH, None, None, "?")),
        (spec("mask", "int64", "batch", 4, 1, "seq"), (BATCH, None, None, "?")),
        (spec("mask", "int64", "batch", 1, "seq", "seq"), (BATCH, None, "?", "?")),
        (spec("mask", "int64", "batch", 4, "seq", "seq"), (BATCH, None, "?", "?")),
        (spec("mask", "int64", "batch", "seq", "seq"), (BATCH, "?", "?")),
        (spec("lengths", "int64", "batch"), (BATCH,)),
        (spec("lengths", "int64", "batch", 1), (BATCH, None)),
        (spec("a", "int64"), ()),
        (spec("a", "float32", "batch"), (BATCH,)),
        (TensorSpec("a", "int64", None), (BATCH, "?")),
    ],
    ids=lambda value: str(value.shape) if isinstance(value, TensorSpec) else None,
)
def test_which_axes_are_padded(given: TensorSpec, labels: tuple[str | None, ...]) -> None:
    assert one(given).labels == labels


def test_ids_that_pick_from_a_table_need_no_batch() -> None:
    assert one(spec("a", "int64", "seq"), uses=(use("a", UseKind.INDEX, 99),)).labels == ("?",)


def test_the_mask_beside_features_tells_which_axis_is_time() -> None:
    features = spec("a", "float32", "batch", 6, 9)
    assert one(features, spec("mask", "int64", "batch", 9)).labels == (BATCH, None, "?")
    assert one(features, spec("mask", "int64", "batch", 6)).labels == (BATCH, "?", None)


def test_a_mask_of_one_length_beside_an_image_is_no_pixel_mask() -> None:
    image = spec("pixels", "float32", None, 3, "h", "w")
    assert one(image, spec("mask", "int64", "batch", "w")).labels == (BATCH, None, None, "?")


@pytest.mark.parametrize(
    ("image", "mask", "labels"),
    [
        ((None, 3, "h", "w"), ("batch", "h", "w"), (BATCH, None, "?", "?")),
        ((None, 8, 9, 3), ("batch", 8, 9), (BATCH, "?", "?", None)),
        ((None, 8, 8, 8), ("batch", 8, 8), (BATCH, None, "?", "?")),
    ],
)
def test_height_and_width_of_an_image_are_padded_under_a_pixel_mask(
    image: Shape, mask: Shape, labels: tuple[str | None, ...]
) -> None:
    assert image is not None and mask is not None
    found = one(spec("pixels", "float32", *image), spec("pixel_mask", "int64", *mask))
    assert found.labels == labels
    assert one(spec("pixels", "float32", *image), spec("marks", "bool", *mask)).labels == labels


@pytest.mark.parametrize(
    ("mask", "role"),
    [(("batch", 16), Role.FEATURES), (("batch", "seq"), Role.OTHER), (("batch", 16, "seq"), Role.FEATURES)],
)
def test_an_image_of_one_size_beside_a_text_is_content_if_a_mask_is_as_long(
    mask: tuple[int | str, ...], role: Role
) -> None:
    image = spec("pixels", "float32", "batch", 3, 16, 40)
    assert one(image, IDS, spec("mask", "int64", *mask), uses=(WORDS,)).role is role


def test_a_mask_as_large_as_features_marks_their_values() -> None:
    found = one(spec("mask", "float32", "batch", "seq", 6), X)
    assert found.role is Role.MASK and found.labels == (BATCH, "?", None)
    assert found.reasons[-1] == "as large as 'x'"


def test_axes_that_are_stated_are_kept_as_they_are() -> None:
    found = one(X, stated={"x": {"dims": ["batch", "-", "seq"]}})
    assert found.labels == (BATCH, None, "seq") and "axes stated" in found.reasons[0]
    assert one(X, stated={"x": {"dims": ["batch", "", None, "seq"]}}).labels == (BATCH, None, None)


def test_what_the_graph_says_of_an_input_is_gathered_by_kind() -> None:
    uses = (
        WORDS,
        use("ids", UseKind.INDEX, 120),
        use("ids", UseKind.COMPARE, 1, "aten.ne"),
        use("ids", UseKind.COMPARE, 7, "Less"),
        use("ids", UseKind.PADDING, 3),
        use("other", UseKind.COMPARE, 9, "Equal"),
    )
    found = facts_of(uses, "ids")
    assert (found.tables, found.compared, found.equals, found.padding) == ((99, 120), (1, 7), (1,), 3)
    assert found.kinds == {UseKind.INDEX, UseKind.COMPARE, UseKind.PADDING}
    assert facts_of((use("x", UseKind.MASKING, 0.0),), "x").masking == 0.0


@pytest.mark.parametrize(
    ("operator", "same"),
    [("Equal", True), ("not_equal", True), ("torch.ops.aten.eq", True), ("NE", True), ("Greater", False)],
)
def test_comparisons_for_being_the_same_are_told_from_others(operator: str, same: bool) -> None:
    assert (facts_of((use("ids", UseKind.COMPARE, 1, operator),), "ids").equals == (1,)) is same


@pytest.mark.parametrize(
    ("kind", "carries"),
    [(UseKind.INDEX, False), (UseKind.PADDING, False), (UseKind.COMPARE, True), (UseKind.OTHER, True)],
)
def test_ids_whose_value_is_read_elsewhere_than_in_a_table_tell_the_padding(kind: UseKind, carries: bool) -> None:
    assert one(IDS, uses=(WORDS, use("ids", kind, 0))).ids_carry_mask is carries


@pytest.mark.parametrize(("kind", "carries"), [(UseKind.COMPARE, True), (UseKind.OTHER, False)])
def test_features_tell_the_padding_only_where_they_are_compared(kind: UseKind, carries: bool) -> None:
    assert one(X, uses=(use("x", kind, 0.0),)).ids_carry_mask is carries


def test_a_vocabulary_is_that_of_the_largest_table_and_features_have_none() -> None:
    assert one(IDS, uses=(WORDS, use("ids", UseKind.INDEX, 120))).vocabulary == 120
    assert one(X, uses=(use("x", UseKind.MASKING, 0.0), use("x", UseKind.INDEX, 5))).vocabulary is None


@pytest.mark.parametrize(
    ("given", "length"),
    [
        (spec("total_sequence_length", "int32"), True),
        (spec("total_sequence_length", "float32"), False),
        (spec("total_sequence_length", "int32", 1), False),
        (spec("temperature", "int32"), False),
    ],
    ids=lambda value: f"{value.name}-{value.dtype}" if isinstance(value, TensorSpec) else None,
)
def test_a_single_integer_named_so_is_the_padded_length(given: TensorSpec, length: bool) -> None:
    assert one(given).is_padded_length is length


def test_a_draft_knows_whether_its_padded_axes_may_vary_and_its_batch_is_declared() -> None:
    assert one(IDS).dynamic and one(IDS).batch_declared
    fixed = one(spec("a", "int64", 2, 8))
    assert not fixed.dynamic and not fixed.batch_declared
    assert one(spec("a", "float32", "batch", 8, "width")).padded == (2,)


def test_reasons_show_type_shape_and_belief() -> None:
    (reason,) = one(IDS, uses=(WORDS,)).reasons
    assert reason == "int (batch, seq); picks rows of a table of 99"
    (reason,) = one(spec("a", "float32", None, "time", 6)).reasons
    assert reason == "float32 (?, time, 6); floating, rank 3"
