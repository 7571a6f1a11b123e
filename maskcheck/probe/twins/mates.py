"""Who else is in the batch: alone, beside a longer sequence, in another order, in batches of telling sizes, beside
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.report import TwinKind, Variant
from maskcheck.probe.layout import Row
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import PaddedBatch
from maskcheck.probe.twins.context import TwinContext

_ORDER = (2, 0, 3, 1)
_HEADS = 4
"""Batches as large as a usual number of heads let a batch mask pass for a head mask without an error."""


def _longer(context: TwinContext, count: int, stream: int) -> tuple[Row, ...]:
    """Rows that fill the whole padded length."""
    return context.source.rows(count, context.plan.few, stream)


def mates(context: TwinContext) -> Iterator[Observation]:
    """The same row, padded to the same length, beside other rows. Only the rows around it change."""
    gating = context.gating(TwinKind.MATES)
    if not context.runner.mixes_rows:
        yield context.untested(
            TwinKind.MATES, Variant.BESIDE_LONGER, "the batch is fixed at one row, so no row has mates", gating=False
        )
        return
    if context.contract.fixed_batch:
        yield _fixed_batch(context, gating)
        return
    short = context.rows[:1]
    totals = context.plan.few
    alone = context.padded(short, totals)
    reference = context.runner.valid(alone)
    compared: list[tuple[Gap, PaddedBatch, PaddedBatch]] = []
    length = totals[context.plan.domain.dimensions[0].name]
    for stream, size in enumerate(sorted({2, 3, _HEADS, min(length, 32)})):
        batch = context.padded(short + _longer(context, size - 1, 20 + stream), totals)
        try:
            compared.append(
                (context.judge.compare(reference, context.runner.valid(batch, together=True), rows=[0]), alone, batch)
            )
        except RunError:
            continue  # a batch size the model refuses; the others still count
    if not compared:
        yield context.untested(TwinKind.MATES, Variant.BESIDE_LONGER, "the model refused every batch of several rows")
        return
    yield context.observe(TwinKind.MATES, Variant.BESIDE_LONGER, compared, gating=gating)
    if not context.contract.batches or len(_ORDER) in context.contract.batches:
        yield _permuted(context, gating)


def _permuted(context: TwinContext, gating: bool) -> Observation:
    """Rows of mixed lengths in two orders: a lost unsort or a mask in head order shows."""
    mixed = context.rows[:2] + _longer(context, 2, 30)
    call = context.padded(mixed, context.plan.few)
    order = _ORDER
    twin = PaddedBatch(tuple(mixed[i] for i in order), call.padding)
    answers = context.runner.valid(call, together=True)
    moved = context.runner.valid(twin, together=True)
    restored = {name: [rows[order.index(i)] for i in range(len(order))] for name, rows in moved.items()}
    gap = context.judge.compare(answers, restored)
    found = context.observe(TwinKind.MATES, Variant.REORDERED, [(gap, call, twin)], gating=gating)
    if found.pair is None:
        return found
    return replace(found, pair=replace(found.pair, other_row=order.index(found.pair.row)))


def _fixed_batch(context: TwinContext, gating: bool) -> Observation:
    size = context.contract.fixed_batch or 1
    first = context.rows[:1]
    one = context.padded(first + context.rows[1:size], context.plan.few)
    if len(one.rows) < size:
        one = context.padded(first + context.source.rows(size - 1, context.plan.valid, 21), context.plan.few)
    other = context.padded(first + _longer(context, size - 1, 22), context.plan.few)
    gap = context.judge.compare(context.runner.valid(one), context.runner.valid(other), rows=[0], exact=True)
    return context.observe(TwinKind.MATES, Variant.BESIDE_LONGER, [(gap, one, other)], gating=gating)


def empty(context: TwinContext) -> Iterator[Observation]:
    """One row that is nothing but padding: does it disturb the others?"""
    gating = context.gating(TwinKind.MATES)
    if not context.runner.mixes_rows or (context.contract.fixed_batch or 3) < 2 or context.contract.batches:
        yield context.untested(TwinKind.EMPTY, Variant.ALL_PAD_MATE, "too few batch sizes run", gating=False)
        return
    if not context.masked and not context.ids_carry_mask:
        yield context.untested(
            TwinKind.EMPTY, Variant.ALL_PAD_MATE, "nothing tells the model that a row is empty", gating=False
        )
        return
    size = context.contract.fixed_batch or 3
    rows = (context.rows * size)[: size - 1] + context.rows[-1:]
    full = context.padded(rows, context.plan.few)
    hollow = PaddedBatch(rows, replace(full.padding, empty_rows=(size - 1,)))
    try:
        answers = context.runner.run(hollow, together=True)
    except RunError as error:
        yield context.untested(
            TwinKind.EMPTY, Variant.ALL_PAD_MATE, f"the model refused an all-pad row: {error.message}", gating=False
        )
        return
    others = list(range(size - 1))
    gap = context.judge.compare(
        context.runner.valid(full, together=True), context.runner.valid_parts(answers, hollow), rows=others
    )
    own = any(not np.all(np.isfinite(a[size - 1].astype(np.float64))) for a in answers.values())
    reason = "the all-pad row itself answers NaN or infinity" if own else None
    yield context.observe(TwinKind.EMPTY, Variant.ALL_PAD_MATE, [(gap, full, hollow)], gating=gating, reason=reason)
