"""Which value of a mask marks a real step: what the model does with it, and its name where that tells nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract, InputContract, Role
from maskcheck.core.model import TensorSpec
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.contract.polarity import Reading, Response, is_strong, settle
from tests.fakes import FakeModel, Node
from tests.unit.probe.build import IDS, MASK, POOLED, STEPS, Answer, X, contract, masked_mean


def settled(
    answer: Answer,
    name: str = "mask",
    dtype: str = "int64",
    role: Role = Role.MASK,
    *,
    stated: Sequence[str] = (),
    told: Contract | None = None,
    **info: object,
) -> tuple[InputContract, Contract]:
    """The mask after its polarity was settled; ``answer`` takes features and the mask as it is fed."""
    spec = replace(MASK, name=name, dtype=dtype, role=role, valid_when=None)
    told = told or contract(X, spec)
    model = FakeModel(
        (TensorSpec("x", "float32", ("batch", "seq", 3)), TensorSpec(name, dtype, ("batch", "seq"))),
        [Node("answer", K.OTHER, ("x", name), answer)],
        ("answer",),
        **info,
    )
    found = settle(model, told, {"seq": 9}, stated)
    return found.input(name), found


def ones(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return masked_mean(x, mask == 1)


def zeros(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return masked_mean(x, mask == 0)


def added(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Scores to which the mask is added, as in attention."""
    scores = x.sum(-1) + mask.astype(np.float64)
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return (x * (weights / weights.sum(1, keepdims=True))[..., None]).sum(1)


def unread(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return x.astype(np.float64).mean(1)


@pytest.mark.parametrize(
    ("answer", "name", "valid_when"),
    [
        (ones, "mask", 1),
        (zeros, "mask", 0),
        (ones, "padding_mask", 1),
        (zeros, "padding_mask", 0),
        (ones, "attention_mask", 1),
        (zeros, "key_padding_mask", 0),
    ],
)
def test_the_reading_under_which_pads_are_inert_is_right(answer: Answer, name: str, valid_when: int) -> None:
    spec, told = settled(answer, name)
    assert (spec.role, spec.valid_when) == (Role.MASK, valid_when)
    assert told.conflicts == () and told.choices == ()
    assert "pads are inert" in spec.inferred_from


@pytest.mark.parametrize(
    ("answer", "name", "valid_when", "says"),
    [(zeros, "attention_mask", 1, "1 = valid"), (ones, "key_padding_mask", 0, "0 = valid")],
)
def test_a_strong_name_keeps_its_meaning_and_becomes_a_conflict(
    answer: Answer, name: str, valid_when: int, says: str
) -> None:
    spec, told = settled(answer, name)
    assert spec.valid_when == valid_when
    (conflict,) = told.conflicts
    assert (conflict.input, conflict.kind) == (name, "inverted-polarity")
    assert says in conflict.message
    assert conflict.evidence["pads_as_named"] > 0.1 > 1e-5 > conflict.evidence["pads_inverted"]


@pytest.mark.parametrize("name", ["mask", "attention_mask"])
def test_a_floating_mask_that_is_added_to_scores_is_read_so(name: str) -> None:
    spec, told = settled(added, name, "float32")
    assert (spec.role, spec.valid_when) == (Role.ADDITIVE_MASK, None)
    assert told.conflicts == ()


def test_a_floating_mask_that_is_multiplied_is_none_that_is_added() -> None:
    assert settled(ones, "mask", "float32")[0].role is Role.MASK


def test_a_mask_thought_to_be_added_may_turn_out_to_be_multiplied() -> None:
    spec, _ = settled(ones, "mask", "float32", Role.ADDITIVE_MASK)
    assert (spec.role, spec.valid_when) == (Role.MASK, 1)
    assert settled(added, "mask", "float32", Role.ADDITIVE_MASK)[0].role is Role.ADDITIVE_MASK


@pytest.mark.parametrize(("answer", "fill"), [(added, -9e4), (ones, None)])
def test_what_is_added_at_pads_is_kept_for_a_mask_that_is_added(answer: Answer, fill: float | None) -> None:
    spec = replace(MASK, role=Role.ADDITIVE_MASK, dtype="float32", pad_value=-9e4, valid_when=None)
    found, _ = settled(answer, "mask", "float32", told=contract(X, spec))
    assert found.pad_value == fill


@pytest.mark.parametrize(("name", "valid_when"), [("mask", 1), ("padding_mask", 0), ("key_padding_mask", 0)])
def test_where_pads_count_under_every_reading_the_name_decides_and_that_is_a_choice(name: str, valid_when: int) -> None:
    spec, told = settled(unread, name)
    assert spec.valid_when == valid_when
    (choice,) = told.choices
    assert choice.startswith(f"{name}: {valid_when} = valid was chosen by its name")


def half_masked(weight_of_zeros: float) -> Answer:
    """Pads count a little under either reading; less, by a factor, where the mask is 0."""

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        weights = np.where(mask == 1, 1.0, weight_of_zeros)[..., None]
        return (x * weights).sum(1) / weights.sum(1)

    return answer


@pytest.mark.parametrize(("factor", "valid_when"), [(1.5, 0), (100.0, 1)])
def test_a_weak_name_is_overruled_where_pads_count_decisively_less(factor: float, valid_when: int) -> None:
    spec, told = settled(half_masked(1 / factor), "padding_mask")
    assert spec.valid_when == valid_when
    assert bool(told.choices) is (valid_when == 0)


def test_a_strong_name_is_not_overruled_by_what_counts_least() -> None:
    spec, told = settled(half_masked(0.01), "key_padding_mask")
    assert spec.valid_when == 0 and told.choices


def test_a_mask_that_was_stated_is_left_alone() -> None:
    spec, told = settled(zeros, "mask", stated=["mask"])
    assert spec.valid_when is None and told.conflicts == ()


def test_a_mask_of_no_domain_is_left_alone() -> None:
    lone = replace(MASK, domain=None, valid_when=None)
    assert settled(zeros, told=contract(X, lone))[0] == lone


def test_a_model_that_refuses_every_reading_takes_the_name() -> None:
    def refuse(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        raise ValueError("no")

    spec, told = settled(refuse, "padding_mask")
    assert spec.valid_when == 0 and spec.inferred_from.endswith("by its name") and told.choices == ()


def test_a_model_that_refuses_one_reading_takes_the_other() -> None:
    def only_zeros_are_real(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if mask[:, 0].any():
            raise ValueError("the first step is always real")
        return zeros(x, mask)

    assert settled(only_zeros_are_real, "mask")[0].valid_when == 0


@pytest.mark.parametrize("valid_when", [0, 1])
@pytest.mark.parametrize("name", ["mask", "padding_mask"])
def test_a_mask_that_is_only_counted_is_read_so_that_the_count_does_not_follow_the_pads(
    name: str, valid_when: int
) -> None:
    def counted(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        count = (mask == valid_when).sum(1)[:, None]
        keep = (np.arange(x.shape[1]) < count)[..., None]
        return (x * keep).sum(1) / np.maximum(count, 1)

    assert settled(counted, name)[0].valid_when == valid_when


def test_position_zero_reaches_itself_and_says_nothing() -> None:
    """A tagger under an inverted mask: the first step still reaches its own answer."""

    def tagger(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return x + ones(x, mask)[:, None]

    spec = replace(MASK, valid_when=None)
    assert settled(tagger, told=contract(X, spec, output=STEPS))[0].valid_when == 1


def test_an_answer_of_one_step_is_kept_whole() -> None:
    spec = replace(MASK, valid_when=None)
    found, told = settled(lambda x, mask: zeros(x, mask)[:, None], told=contract(X, spec, output=STEPS))
    assert found.valid_when == 0 and told.choices == ()


@pytest.mark.parametrize(("precision", "sound"), [("float32", False), ("float16", True), ("bfloat16", True)])
def test_coarser_precisions_may_move_further_before_pads_count(precision: str, sound: bool) -> None:
    assert Response(pads=0.01, token=1.0).sound(precision) is sound


@pytest.mark.parametrize(
    ("pads", "token", "inert", "sound"),
    [
        (1e-5, 1.0, True, True),
        (1.1e-5, 1.0, False, False),
        (0.0, 1e-5, True, False),
        (0.0, 1.1e-5, True, True),
        (0.0, 0.0, True, False),
    ],
)
def test_sound_is_where_pads_are_inert_and_a_real_token_is_not(
    pads: float, token: float, inert: bool, sound: bool
) -> None:
    response = Response(pads, token)
    assert (response.inert("float32"), response.sound("float32")) == (inert, sound)


def test_the_ratio_is_infinite_where_no_token_counts() -> None:
    assert Response(1.0, 4.0).ratio == 0.25
    assert Response(1.0, 0.0).ratio == float("inf")


@pytest.mark.parametrize(
    ("name", "strong"), [("attention_mask", True), ("key_padding_mask", True), ("padding_mask", False), ("mask", False)]
)
def test_strong_names_are_those_of_a_shared_convention(name: str, strong: bool) -> None:
    assert is_strong(name) is strong


def test_readings_say_what_they_mean() -> None:
    assert Reading(Role.MASK, 0).text == "0 = valid"
    assert Reading(Role.ADDITIVE_MASK, None).text == "added to scores, 0 = valid"


@pytest.mark.parametrize("name", ["attention_mask", "mask"])
def test_the_first_token_may_count_for_little_in_a_strongly_named_mask(name: str) -> None:
    """Under the reading of the name pads are inert, and so is the one token that was changed."""

    def forgets_the_first(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        keep = mask.copy()
        first = (mask == 1).all(axis=1) | (mask[:, 0] == 1)
        keep[:, 0] = np.where(first, 0, keep[:, 0])
        return masked_mean(x, keep == 1)

    spec, told = settled(forgets_the_first, name)
    assert told.conflicts == ()
    assert spec.valid_when == 1


# Ids that tell the padding by themselves must stay: another number of pads is tried in place of other ids.


def of_ids(answer: Answer, fixed: int | None = None) -> tuple[InputContract, Contract]:
    """``answer`` takes ids and the mask."""
    ids = replace(IDS, ids_carry_mask=True)
    told = contract(ids, replace(MASK, valid_when=None), fixed=fixed)
    specs = (TensorSpec("ids", "int64", ("batch", "seq")), TensorSpec("mask", "int64", ("batch", "seq")))
    model = FakeModel(specs, [Node("answer", K.OTHER, ("ids", "mask"), answer)], ("answer",))
    found = settle(model, told, {"seq": 10}, ())
    return found.input("mask"), found


@pytest.mark.parametrize(("real", "valid_when"), [(1, 1), (0, 0)])
def test_a_mask_beside_ids_that_tell_the_padding_is_read_by_the_number_of_pads(real: int, valid_when: int) -> None:
    spec, told = of_ids(lambda ids, mask: masked_mean(ids[..., None] / 10, mask == real))
    assert spec.valid_when == valid_when and told.choices == ()


def test_pads_of_such_ids_keep_the_pad_id_while_a_mask_is_tried() -> None:
    spec, told = of_ids(lambda ids, mask: masked_mean(ids[..., None] / 10, ids != 0))
    assert spec.valid_when == 1 and told.choices == ()


@pytest.mark.parametrize("fixed", [None, 10])
def test_a_mask_that_is_unread_beside_such_ids_is_a_choice_where_pads_count(fixed: int | None) -> None:
    spec, told = of_ids(lambda ids, mask: (ids / 10).mean(1, keepdims=True), fixed)
    assert spec.valid_when == 1
    assert bool(told.choices) is (fixed is None), "a fixed length has no other number of pads"


def test_at_a_fixed_length_a_part_of_it_is_real() -> None:
    spec = replace(MASK, valid_when=None)
    for answer, valid_when in ((ones, 1), (zeros, 0)):
        assert settled(answer, told=contract(X, spec, fixed=10, output=POOLED))[0].valid_when == valid_when
