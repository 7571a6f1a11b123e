"""On which side the pads stand: the other one than the contract's, with positions given and without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from maskcheck.core.contract import Role, Side
from maskcheck.core.report import TwinKind, Variant
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import PaddedBatch, unpadded
from maskcheck.probe.twins.context import TwinContext

_VARIANTS = {
    (Side.RIGHT, False): (Variant.RIGHT, Variant.RIGHT),
    (Side.LEFT, False): (Variant.LEFT, Variant.LEFT),
    (Side.RIGHT, True): (Variant.RIGHT_BY_COLUMN, Variant.RIGHT_POSITIONS_GIVEN),
    (Side.LEFT, True): (Variant.LEFT_BY_COLUMN, Variant.LEFT_POSITIONS_GIVEN),
}
"""By side and by whether the model takes positions: the variants with positions by column, and with given ones."""


def side(context: TwinContext) -> Iterator[Observation]:
    """Padding on the other side, against no padding (or, at a fixed length, against the usual side)."""
    gating = context.gating(TwinKind.SIDE)
    other = Side.LEFT if context.side is Side.RIGHT else Side.RIGHT
    positions = context.contract.of(context.domain, Role.POSITIONS)
    sides = {d.name: other for d in context.plan.domain.dimensions}
    reference, call = context.reference, context.base
    if not context.plan.fixed:
        call = unpadded(context.rows)
    for given in (True, False) if positions else (True,):
        compared = []
        for totals in (context.plan.few, context.plan.many)[: 1 if context.plan.fixed else 2]:
            padded = context.padded(context.rows, totals)
            twin = replace(padded, padding=replace(padded.padding, sides=sides, positions_given=given))
            compared.append((context.judge.compare(reference, context.runner.valid(twin)), call, twin))
        if not context.plan.fixed:
            compared += list(_shorter(context, sides, given))
        variant = _VARIANTS[other, bool(positions)][given]
        yield context.observe(TwinKind.SIDE, variant, compared, gating=gating and given)


def _shorter(
    context: TwinContext, sides: Mapping[str, Side], given: bool
) -> Iterator[tuple[Gap, PaddedBatch, PaddedBatch]]:
    """One pair of shorter rows: what only some contents show (a maximum that zeros win) wants more than one set of
    rows.
    """
    valid, totals = context.plan.cases[-1]
    rows = context.source.rows(context.few_rows, valid, 40)
    call = unpadded(rows)
    padded = context.padded(rows, totals)
    twin = replace(padded, padding=replace(padded.padding, sides=sides, positions_given=given))
    yield context.judge.compare(context.runner.valid(call), context.runner.valid(twin)), call, twin
