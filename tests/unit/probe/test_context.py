"""What every twin works with: whether pads may hold anything, which rows gate, and what becomes a passport row."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskcheck.core.contract import Contract, InputContract, Role, Side
from maskcheck.core.report import OutputDifference, Status, TwinKind, Variant
from maskcheck.probe.layout import Fill
from maskcheck.probe.observe import Gap
from maskcheck.probe.runner import unpadded
from maskcheck.probe.twins.context import TwinContext, valid_lengths
from tests.fakes import FakeModel
from tests.unit.probe.build import IDS, LENGTHS, MASK, X, context, contract, features, masked_mean, plain_mean, words


def asked(*inputs: InputContract, **further: object) -> TwinContext:
    """A context whose contract is told otherwise than the model's own."""
    tokens = inputs[0].role is Role.TOKENS
    model: FakeModel = (words if tokens else features)(plain_mean, mask=False)
    base = context(model, contract(inputs[0], **further))  # type: ignore[arg-type]
    base.runner.contract = contract(*inputs, **further)  # type: ignore[arg-type]
    return base


BIAS = replace(MASK, name="bias", role=Role.ADDITIVE_MASK)
SEGMENTS = replace(MASK, name="kinds", role=Role.SEGMENTS)
CARRYING = replace(IDS, ids_carry_mask=True)


@pytest.mark.parametrize(
    ("inputs", "masked", "carry", "free"),
    [
        ((X,), False, False, True),
        ((X, MASK), True, False, True),
        ((X, BIAS), True, False, True),
        ((X, LENGTHS), True, False, True),
        ((IDS,), False, False, False),
        ((IDS, SEGMENTS), False, False, False),
        ((IDS, MASK), True, False, True),
        ((CARRYING, MASK), True, True, False),
        ((replace(X, ids_carry_mask=True),), False, True, False),
        ((X, replace(MASK, domain=None)), False, False, True),
    ],
    ids=lambda value: "+".join(s.name for s in value) if isinstance(value, tuple) else None,
)
def test_pads_may_hold_anything_where_something_else_than_their_ids_marks_them(
    inputs: tuple[InputContract, ...], masked: bool, carry: bool, free: bool
) -> None:
    told = asked(*inputs)
    assert (told.masked, told.ids_carry_mask, told.free_content) == (masked, carry, free)


@pytest.mark.parametrize(
    ("twin", "assumed", "gates"),
    [
        (TwinKind.LENGTH, False, True),
        (TwinKind.LENGTH, True, False),
        (TwinKind.MATES, True, True),
        (TwinKind.CONTENT, False, False),
    ],
)
def test_what_is_required_gates_unless_padding_is_only_assumed(twin: TwinKind, assumed: bool, gates: bool) -> None:
    assert asked(X, assumed=assumed).gating(twin) is gates


@pytest.mark.parametrize(
    ("rows", "told", "few"), [(4, contract(), 2), (1, contract(), 1), (4, contract(fixed_batch=3), 3)]
)
def test_two_rows_are_enough_where_many_batches_run(rows: int, told: Contract, few: int) -> None:
    assert context(features(masked_mean), told, rows=rows).few_rows == few


def test_fewer_rows_than_asked_for_are_repeated() -> None:
    told = context(features(masked_mean), rows=2)
    assert told.exactly(2) == told.rows and told.exactly(1) == told.rows[:1]
    assert told.exactly(3) == (told.rows[0],) * 3


def test_padding_stands_on_the_contracts_side() -> None:
    left = context(features(masked_mean), contract(side=Side.LEFT))
    padding = left.padding({"seq": 12}, fill=Fill.RANDOM)
    assert (padding.side("seq"), padding.fill, padding.totals) == (Side.LEFT, Fill.RANDOM, {"seq": 12})
    assert valid_lengths(left.plan) == ["seq"]
    call = left.padded(left.rows, {"seq": 12}, seed=3)
    assert (call.seed, call.padding.fill, call.rows) == (3, Fill.PAD, left.rows)


def gap(difference: float, leaks: bool, row: int = 0) -> Gap:
    shown = OutputDifference(name="answer", difference=difference, noise_floor=0.0, tolerance=1.0)
    return Gap((shown,), row, leaks)


def test_one_leaking_comparison_makes_a_row_leak_and_the_worst_one_is_explained() -> None:
    told = context(features(masked_mean))
    calls = [told.padded(told.rows, {"seq": total}) for total in (10, 12, 23)]
    gaps = [gap(2.0, True, 1), gap(3.0, True, 2), gap(9.0, False, 3)]
    compared = [(g, told.base, call) for g, call in zip(gaps, calls, strict=True)]
    found = told.observe(TwinKind.LENGTH, Variant.RIGHT, compared, gating=True, reason="so", pad_row=True)
    assert (found.row.status, found.row.gating, found.row.reason, found.row.domain) == (Status.LEAKY, True, "so", "seq")
    assert found.pair is not None and (found.pair.row, found.pair.difference, found.pair.pad_row) == (2, 3.0, True)
    assert found.pair.other is calls[1]
    assert found.row.difference == 9.0
    assert found.curve == ((1, 2.0), (3, 3.0), (14, 9.0))
    clean = told.observe(TwinKind.LENGTH, Variant.RIGHT, compared[2:], gating=False)
    assert (clean.row.status, clean.pair, clean.curve) == (Status.CLEAN, None, ())


def test_the_curve_is_of_the_reference_rows_and_of_several_numbers_of_pads() -> None:
    told = context(features(masked_mean))
    twins = [told.padded(told.rows, {"seq": total}) for total in (10, 12)]
    other = unpadded(told.rows)
    compared = [(gap(1.0, True), reference, twin) for reference, twin in zip((told.base, other), twins, strict=True)]
    assert told.observe(TwinKind.LENGTH, Variant.RIGHT, compared, gating=True).curve == ()
    none = [(gap(1.0, True), told.base, told.base), *compared[:1]]
    assert told.observe(TwinKind.LENGTH, Variant.RIGHT, none, gating=True).curve == ()


@pytest.mark.parametrize(("gating", "expected"), [(None, True), (False, False), (True, True)])
def test_untested_rows_gate_like_their_twin_unless_told_otherwise(gating: bool | None, expected: bool) -> None:
    told = context(features(masked_mean))
    row = told.untested(TwinKind.LENGTH, Variant.LONG, "why", gating=gating).row
    assert (row.status, row.reason, row.gating, row.domain) == (Status.UNTESTED, "why", expected, "seq")
    assert not told.untested(TwinKind.POISON, Variant.NAN, "why").row.gating


def test_a_row_without_outputs_can_be_told() -> None:
    row = context(features(masked_mean)).told(TwinKind.POKE, Variant.GRADIENT, Status.CLEAN, reason="zero")
    assert (row.status, row.gating, row.reason, row.outputs) == (Status.CLEAN, False, "zero", ())
