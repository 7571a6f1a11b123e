"""Sequences of sequences: the inner length is padded while the outer one stays full."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskcheck.core.contract import BATCH, Contract, Dimension, Domain, InputContract, Role, Side
from maskcheck.core.model import TensorSpec
from maskcheck.probe.contract.nested import inner
from tests.fakes import FakeModel
from tests.unit.probe.build import MASK

SHAPE = ("batch", "words", "chars")
CHARS = InputContract("chars", Role.TOKENS, "int64", (BATCH, "seq", None), (0, 0, 16), "seq", "", pad_value=0)


def found(*others: tuple[InputContract, tuple[int | str | None, ...]], shape=SHAPE, spec=CHARS) -> Contract | None:  # type: ignore[no-untyped-def]
    specs = [TensorSpec(s.name, s.dtype, given) for s, given in ((spec, shape), *others)]
    told = Contract((Domain("seq", (Dimension("seq"),), Side.LEFT),), (spec, *(s for s, _ in others)), ())
    return inner(FakeModel(tuple(specs), [], ()), told, {"seq": 5})


def test_the_inner_length_becomes_the_dimension_and_the_outer_one_a_size() -> None:
    told = found()
    assert told is not None and told.domains == (Domain("chars", (Dimension("chars"),), Side.LEFT),)
    spec = told.input("chars")
    assert (spec.dims, spec.shape, spec.domain) == ((BATCH, None, "chars"), (0, 5, 0), "chars")
    assert told.outputs == ()


@pytest.mark.parametrize(("symbol", "name"), [(None, "inner"), ("seq", "inner"), ("n", "n")])
def test_a_dimension_without_a_name_of_its_own_is_called_inner(symbol: str | None, name: str) -> None:
    told = found(shape=("batch", "words", symbol))
    assert told is not None and told.domains[0].name == name


@pytest.mark.parametrize(
    ("spec", "shape"),
    [
        (CHARS, ("batch", "words", 12)),
        (replace(CHARS, role=Role.FEATURES), SHAPE),
        (replace(CHARS, dims=(BATCH, "seq"), shape=(0, 0)), ("batch", "words")),
        (replace(CHARS, dims=(BATCH, "seq", "seq")), SHAPE),
        (replace(CHARS, dims=(BATCH, None, None)), SHAPE),
    ],
    ids=["one size", "features", "one length", "two lengths", "no length"],
)
def test_without_a_second_length_of_ids_there_is_nothing_inside(
    spec: InputContract, shape: tuple[int | str | None, ...]
) -> None:
    assert found(spec=spec, shape=shape) is None


WORDS = ("batch", "words")


@pytest.mark.parametrize(
    ("spec", "shape", "fill"),
    [
        (MASK, WORDS, 1),
        (replace(MASK, valid_when=0), WORDS, 0),
        (replace(MASK, valid_when=None), WORDS, 1),
        (replace(MASK, role=Role.ADDITIVE_MASK, dtype="float32"), WORDS, 0.0),
        (replace(MASK, role=Role.LENGTHS, dims=(BATCH,), shape=(0,)), ("batch",), 5),
        (replace(MASK, role=Role.LENGTHS, dims=(BATCH,), shape=(0,), dtype="float32"), ("batch",), 1.0),
    ],
)
def test_what_marks_the_outer_length_says_that_it_is_full(
    spec: InputContract, shape: tuple[int | str | None, ...], fill: float
) -> None:
    told = found((spec, shape))
    assert told is not None
    other = told.input("mask")
    assert (other.role, other.domain, other.fill) == (Role.OTHER, None, fill)
    assert other.dims == tuple(None if d == "seq" else d for d in spec.dims)


def test_a_mask_of_the_inner_length_goes_with_it() -> None:
    mask = replace(MASK, dims=(BATCH, "seq", None), shape=(0, 0, 16))
    told = found((mask, SHAPE))
    assert told is not None
    assert (told.input("mask").role, told.input("mask").dims) == (Role.MASK, (BATCH, None, "chars"))
    assert told.input("mask").domain == "chars"


def test_content_of_the_outer_length_is_full_and_no_longer_padded() -> None:
    words = replace(MASK, name="words", role=Role.TOKENS)
    told = found((words, WORDS))
    assert told is not None
    assert (told.input("words").shape, told.input("words").domain) == ((0, 5), None)


def test_what_counts_along_the_outer_length_and_cannot_be_held_still_prevents_it() -> None:
    assert found((replace(MASK, name="p", role=Role.POSITIONS), WORDS)) is None


def test_inputs_of_other_domains_are_left_alone() -> None:
    other = replace(MASK, name="o", role=Role.POSITIONS, domain=None)
    told = found((other, WORDS))
    assert told is not None and told.input("o") == other
