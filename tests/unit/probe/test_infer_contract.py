"""The whole contract: what is settled from names, structure and behaviour together, and what is stated instead."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, OutputKind, Role, Side
from maskcheck.core.errors import LoadError, NothingToPadError, UsageError
from maskcheck.core.model import TensorSpec
from maskcheck.core.settings import Overrides
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.contract.infer_contract import Inference, infer, infer_inner
from tests.fakes import FakeModel, Node, attention_model
from tests.sites import use as an_input_use

Shape = tuple[int | str | None, ...]


def model(
    *inputs: TensorSpec, uses: tuple[InputUse, ...] = (), answer: Any = None, format: str = "fake", **info: Any
) -> FakeModel:
    """The mean of the first input over its second axis, unless ``answer`` says otherwise."""

    def first(x: np.ndarray, *others: np.ndarray) -> np.ndarray:
        return x.astype(np.float64).reshape(*x.shape[:2], -1).mean(1)

    made = FakeModel(
        inputs,
        [Node("answer", K.OTHER, tuple(i.name for i in inputs), answer or first)],
        ("answer",),
        uses=uses,
        **info,
    )
    object.__setattr__(made.info, "format", format)
    return made


def told(made: FakeModel, **overrides: Any) -> Inference:
    return infer(made, Overrides(**overrides))


def spec(name: str, dtype: str, *shape: int | str | None) -> TensorSpec:
    return TensorSpec(name, dtype, shape)


X = spec("x", "float32", "batch", "seq", 6)
FIXED = spec("x", "float32", "batch", 12, 6)
IDS = spec("ids", "int64", "batch", "seq")
MASK = spec("mask", "int64", "batch", "seq")
WORDS = an_input_use("ids", UseKind.INDEX, "embed", "embedding", 50)


def compare(name: str, value: float, operator: str = "not_equal") -> InputUse:
    return an_input_use(name, UseKind.COMPARE, "site", operator, value)


def test_a_usual_model_has_one_domain_and_lengths_that_run() -> None:
    found = told(attention_model())
    assert found.lengths == {"seq": 9}
    assert [d.name for d in found.contract.domains] == ["seq"]
    assert found.contract.input("attention_mask").valid_when == 1
    assert found.contract.input("input_ids").vocabulary == 50
    assert found.contract.outputs[0].dims == (BATCH, None)
    assert not found.contract.domains[0].assumed


# Pad values.


@pytest.mark.parametrize(
    ("uses", "hints", "pad", "reason"),
    [
        ((WORDS,), {}, 0, "pad 0 by convention"),
        ((WORDS, compare("ids", 1)), {}, 1, "pad 1: the model compares ids with it"),
        ((WORDS, compare("ids", 7), compare("ids", 3)), {}, 3, "pad 3: the first of several ids it compares with"),
        ((WORDS, compare("ids", 1.5)), {}, 0, "pad 0 by convention"),
        ((WORDS, compare("ids", -1)), {}, 0, "pad 0 by convention"),
        ((WORDS, compare("ids", 50)), {}, 0, "pad 0 by convention"),
        ((WORDS, compare("ids", 49)), {}, 49, "pad 49: the model compares ids with it"),
        ((WORDS,), {"pad_token_id": 3}, 3, "pad 3 from the configuration beside the model"),
        ((WORDS, compare("ids", 1)), {"pad_token_id": 3}, 3, "pad 3 from the configuration"),
        ((WORDS,), {"pad_token_id": 0}, 0, "pad 0 from the configuration"),
        ((WORDS,), {"pad_token_id": 50}, 0, "pad 0 by convention"),
        ((WORDS,), {"pad_token_id": 49}, 49, "pad 49 from the configuration"),
        ((WORDS,), {"pad_token_id": -1}, 0, "pad 0 by convention"),
        ((WORDS,), {"pad_token_id": True}, 0, "pad 0 by convention"),
        ((), {"pad_token_id": 99}, 99, "pad 99 from the configuration"),
        ((WORDS, an_input_use("ids", UseKind.PADDING, "e", "e", 2)), {}, 2, "pad 2: the row that its embedding keeps"),
    ],
)
def test_the_pad_id_comes_from_the_strongest_source(
    uses: tuple[InputUse, ...], hints: dict[str, Any], pad: int, reason: str
) -> None:
    found = told(model(IDS, uses=uses, hints=hints)).contract.input("ids")
    assert found.pad_value == pad and reason in found.inferred_from


@pytest.mark.parametrize(
    ("uses", "pad"),
    [
        ((), 0),
        ((compare("x", -999.0),), -999.0),
        ((compare("x", 0.0),), 0),
        ((compare("x", 1.0),), 1.0),
        ((compare("x", float("inf")),), 0),
        ((compare("x", -999.0), compare("x", 1.0)), 0),
        ((compare("x", -999.0, "greater"),), 0),
        ((an_input_use("x", UseKind.MASKING, "m", "Masking", -1.0),), -1.0),
    ],
)
def test_features_are_padded_with_zeros_unless_the_model_looks_for_another_value(
    uses: tuple[InputUse, ...], pad: float
) -> None:
    assert told(model(X, uses=uses)).contract.input("x").pad_value == pad


def test_a_general_pad_value_is_for_content_that_has_none_of_its_own() -> None:
    made = model(X, IDS, MASK, uses=(WORDS,))
    found = told(made, pad_value=7, inputs={"ids": {"pad_value": 4}}).contract
    assert [found.input(name).pad_value for name in ("x", "ids", "mask")] == [7, 4, None]


# What is padded at all.


def test_padding_of_a_fixed_length_that_nothing_tells_of_is_assumed() -> None:
    assert told(model(FIXED)).contract.domains[0].assumed
    assert not told(model(X)).contract.domains[0].assumed


@pytest.mark.parametrize(
    "more",
    [
        {"inputs": (FIXED, spec("mask", "int64", "batch", 12))},
        {"inputs": (FIXED, spec("lengths", "int64", "batch"))},
        {"inputs": (FIXED,), "uses": (compare("x", -1.0),)},
        {"inputs": (FIXED,), "uses": (an_input_use("x", UseKind.MASKING, "m", "Masking", 0.0),)},
        {"inputs": (FIXED,), "stated": {"x": {"dims": ["batch", "seq", "-"]}}},
    ],
    ids=["mask", "lengths", "compared", "masking", "stated"],
)
def test_padding_that_something_tells_of_is_not_assumed(more: dict[str, Any]) -> None:
    made = model(*more["inputs"], uses=more.get("uses", ()))
    assert not told(made, inputs=more.get("stated", {})).contract.domains[0].assumed


BESIDE = (IDS, MASK, spec("y", "float32", "batch", "frames", 4))


@pytest.mark.parametrize(("format", "assumed"), [("pytorch", True), ("onnx", False), ("pt2", False)])
def test_free_features_beside_what_is_masked_are_assumed_in_live_modules(format: str, assumed: bool) -> None:
    found = told(model(*BESIDE, uses=(WORDS,), format=format)).contract
    home = found.input("y").domain
    assert home is not None and found.domain(home).assumed is assumed
    assert not found.domain(found.input("ids").domain or "").assumed


@pytest.mark.parametrize(("mask", "assumed"), [(True, True), (False, False)])
def test_fields_of_one_size_beside_a_masked_sequence_are_assumed(mask: bool, assumed: bool) -> None:
    fields = spec("fields", "int64", "batch", 5)
    uses = (WORDS, an_input_use("fields", UseKind.INDEX, "embed", "embedding", 30))
    found = told(model(IDS, fields, *((MASK,) if mask else ()), uses=uses)).contract
    home = found.input("fields").domain
    assert home is not None and found.domain(home).assumed is assumed


@pytest.mark.parametrize(("unpadded", "assumed"), [(("x",), True), (("other",), False)])
def test_what_no_row_of_the_example_pads_is_assumed(unpadded: tuple[str, ...], assumed: bool) -> None:
    assert told(model(X, hints={"unpadded": unpadded})).contract.domains[0].assumed is assumed


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (spec("x", "float32", "batch", 10), r"no input has a length that could vary.*x \['batch', 10\]"),
        (spec("x", "float32", "batch", 3, 32, 32), "x is an image without a pixel mask"),
    ],
)
def test_nothing_to_pad_says_why(given: TensorSpec, says: str) -> None:
    with pytest.raises(NothingToPadError, match=says):
        told(model(given))
    with pytest.raises(NothingToPadError, match="it has no inputs"):
        told(model())


def test_values_of_one_size_are_padded_where_a_mask_of_theirs_says_so() -> None:
    found = told(model(spec("x", "float32", "batch", 10), spec("mask", "int64", "batch", 10))).contract
    assert found.input("x").role is Role.FEATURES and found.domains[0].dimensions[0].fixed == 10


def test_values_of_one_size_beside_ids_are_no_content() -> None:
    found = told(model(IDS, spec("ages", "float32", "batch", 10), uses=(WORDS,))).contract
    assert found.input("ages").role is Role.OTHER and found.input("ages").domain is None


# Longest lengths, batches and sides.


@pytest.mark.parametrize(
    ("hints", "maximum"),
    [
        ({}, None),
        ({"max_position_embeddings": 40}, 38),
        ({"model_max_length": 60, "max_length": 50}, 48),
        ({"max_length": 3}, 4),
        ({"other": 9}, None),
    ],
)
def test_the_longest_length_is_read_beside_the_model(hints: dict[str, Any], maximum: int | None) -> None:
    assert told(model(IDS, uses=(WORDS,), hints=hints)).contract.domains[0].dimensions[0].maximum == maximum


def test_a_waveform_has_more_samples_than_a_model_has_positions() -> None:
    wave = spec("audio", "float32", "batch", "samples")
    assert told(model(wave, hints={"max_length": 40})).contract.domains[0].dimensions[0].maximum is None
    assert told(model(X, hints={"max_length": 40})).contract.domains[0].dimensions[0].maximum == 38


@pytest.mark.parametrize(
    ("hint", "overrides", "side"),
    [
        (None, {}, Side.RIGHT),
        ("left", {}, Side.LEFT),
        ("both", {}, Side.RIGHT),
        ("left", {"side": "right"}, Side.RIGHT),
        (None, {"domains": {"seq": {"side": "left"}}}, Side.LEFT),
        (None, {"side": "left", "domains": {"seq": {"side": "right"}}}, Side.RIGHT),
    ],
)
def test_the_side_is_stated_hinted_or_right(hint: str | None, overrides: dict[str, Any], side: Side) -> None:
    made = model(X, hints={"padding_side": hint} if hint else {})
    assert told(made, **overrides).contract.domains[0].side is side


@pytest.mark.parametrize(
    ("shapes", "stated", "fixed"),
    [((2, 2), None, 2), ((2, 3), None, None), (("batch", 2), None, None), ((2, 2), 4, 4)],
)
def test_a_batch_that_every_input_declares_is_fixed(shapes: Shape, stated: int | None, fixed: int | None) -> None:
    first, second = shapes

    def lenient(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return x.mean(1)

    made = model(spec("x", "float32", first, "seq", 6), spec("mask", "int64", second, "seq"), answer=lenient)
    assert told(made, fixed_batch=stated).contract.fixed_batch == fixed


def test_dimensions_can_be_stated() -> None:
    found = told(model(X), dimensions={"seq": {"minimum": 5, "maximum": 30}}).contract.domains[0].dimensions[0]
    assert (found.minimum, found.maximum, found.fixed) == (5, 30, None)


# Inputs that hold no content.


@pytest.mark.parametrize(
    ("given", "fill"),
    [
        (spec("past_key", "float32", "batch", 4, "past", 8), 0),
        (spec("use_cache", "bool"), False),
        (spec("temperature", "float32"), 1),
        (spec("speaker", "float32", "batch", 16), None),
        (spec("total_sequence_length", "int64"), None),
    ],
    ids=lambda value: value.name if isinstance(value, TensorSpec) else None,
)
def test_settings_get_harmless_values(given: TensorSpec, fill: float | None) -> None:
    found = told(model(IDS, given, uses=(WORDS,))).contract.input(given.name)
    assert found.role is Role.OTHER and found.fill == fill


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (("batch", 4, "past_sequence_length", 8), (0, 4, 0, 8)),
        (("batch", 4, "past_sequence_length + sequence_length", 8), (0, 4, 0, 8)),
        (("batch", 4, "heads", 8), (0, 4, 1, 8)),
    ],
)
def test_caches_start_empty(shape: Shape, expected: tuple[int, ...]) -> None:
    found = told(model(IDS, TensorSpec("past_key", "float32", shape), uses=(WORDS,))).contract
    assert found.input("past_key").shape == expected


def test_features_of_any_width_get_sixteen() -> None:
    assert told(model(spec("x", "float32", "batch", "seq", None))).contract.input("x").shape == (0, 0, 16)


# Orders of axes, and refusals.


def test_where_the_usual_order_is_refused_time_before_batch_is_tried() -> None:
    def time_first(x: np.ndarray, lengths: np.ndarray) -> np.ndarray:
        if x.shape[1] != len(lengths):
            raise ValueError("one length a row")
        return x.mean(0)

    made = model(spec("x", "float32", None, None, 6), spec("lengths", "int64", None), answer=time_first)
    found = told(made).contract.input("x")
    assert found.dims == ("seq", BATCH, None) and "time before batch" in found.inferred_from


def test_where_two_lengths_are_refused_one_is_tried() -> None:
    def together(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x + y).mean(1)

    made = model(X, spec("y", "float32", "batch", "other", 6), answer=together)
    found = told(made).contract
    assert len(found.domains) == 1 and found.input("y").domain == found.input("x").domain


def test_a_model_that_refuses_everything_says_its_first_reason() -> None:
    def refuse(x: np.ndarray) -> np.ndarray:
        raise ValueError(f"not {x.shape[1]}")

    with pytest.raises(LoadError, match="its reason: not 9"):
        told(model(X, answer=refuse))


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        ({"inputs": {"y": {"role": "tokens"}}}, "has no input 'y'"),
        ({"outputs": {"y": {"kind": "pooled"}}}, "has no output 'y'"),
        ({"inputs": {"x": {"colour": "red"}}}, "Input 'x' has no setting 'colour'"),
    ],
)
def test_settings_that_fit_nothing_are_usage_errors(overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        told(model(X), **overrides)


def test_what_is_stated_of_an_input_is_taken() -> None:
    found = told(model(X), inputs={"x": {"vocabulary": 3, "shape": [0, 0, 6], "pad_value": 2}}).contract.input("x")
    assert (found.vocabulary, found.shape, found.pad_value) == (3, (0, 0, 6), 2)


def test_what_is_stated_of_an_output_is_taken() -> None:
    made = model(X)
    found = told(made, outputs={"answer": {"kind": "cache"}}).contract.outputs[0]
    assert (found.kind, found.dims, found.inferred_from) == (OutputKind.CACHE, (BATCH, None), "stated")
    found = told(made, outputs={"answer": {"dims": ["batch", "-"]}}).contract.outputs[0]
    assert (found.kind, found.dims, found.inferred_from) == (OutputKind.POOLED, (BATCH, None), "stated")


@pytest.mark.parametrize("stated", [{"valid_when": 0}, {"role": "mask", "valid_when": 0}])
def test_a_stated_polarity_is_not_tried(stated: dict[str, Any]) -> None:
    def masked(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return (x * mask[..., None]).sum(1) / np.maximum(mask.sum(1, keepdims=True), 1)

    made = model(X, MASK, answer=masked)
    assert told(made).contract.input("mask").valid_when == 1
    assert told(made, inputs={"mask": stated}).contract.input("mask").valid_when == 0


@pytest.mark.parametrize(("stride", "minimum"), [(1, 1), (3, 1), (10, 131)])
def test_lengths_longer_than_usual_are_remembered_as_the_shortest_worth_trying(stride: int, minimum: int) -> None:
    found = told(model(spec("x", "float32", "batch", "seq", 6), answer=lambda x: x[:, ::stride]))
    assert found.contract.domains[0].dimensions[0].minimum == minimum


# The inner length.


CHARS = spec("chars", "int64", "batch", "words", "letters")
LETTERS = an_input_use("chars", UseKind.INDEX, "embed", "embedding", 50)


def test_the_inner_length_of_nested_ids_has_a_contract_of_its_own() -> None:
    made = model(CHARS, uses=(LETTERS,), answer=lambda x: x.astype(np.float64).mean(2))
    inner = infer_inner(made, told(made), Overrides())
    assert inner is not None
    assert [d.name for d in inner.contract.domains] == ["letters"] and set(inner.lengths) == {"letters"}


def test_without_nested_ids_and_where_it_is_refused_there_is_no_inner_contract() -> None:
    assert infer_inner(model(X), told(model(X)), Overrides()) is None

    asked: list[str] = []

    def once(x: np.ndarray) -> np.ndarray:
        if asked:
            raise ValueError("no more")
        return x.astype(np.float64).mean(2)

    made = model(CHARS, uses=(LETTERS,), answer=once)
    found = told(made)
    asked.append("the inner length")
    assert infer_inner(made, found, Overrides()) is None
