"""Who else is in the batch: alone, beside a longer sequence, in another order, in batches of telling sizes, beside
nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.report import TwinKind
from maskcheck.probe.layout import Row
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import Call
from maskcheck.probe.twins.bench import Bench

_ORDER = (2, 0, 3, 1)
_HEADS = 4
"""Batches as large as a usual number of heads let a batch mask pass for a head mask without an error."""


def _longer(bench: Bench, count: int, stream: int) -> tuple[Row, ...]:
    """Rows that fill the whole padded length."""
    return bench.source.rows(count, bench.plan.few, stream)


def mates(bench: Bench) -> Iterator[Observation]:
    """The same row, padded to the same length, beside other rows. Only the rows around it change."""
    gating = bench.gating(TwinKind.MATES)
    if not bench.runner.mixes_rows:
        yield bench.untested(
            TwinKind.MATES, "beside longer", "the batch is fixed at one row, so no row has mates", gating=False
        )
        return
    if bench.contract.fixed_batch:
        yield _fixed_batch(bench, gating)
        return
    short = bench.rows[:1]
    totals = bench.plan.few
    alone = bench.padded(short, totals)
    reference = bench.runner.valid(alone)
    compared: list[tuple[Gap, Call, Call]] = []
    length = totals[bench.plan.domain.dimensions[0].name]
    for stream, size in enumerate(sorted({2, 3, _HEADS, min(length, 32)})):
        batch = bench.padded(short + _longer(bench, size - 1, 20 + stream), totals)
        try:
            compared.append(
                (bench.judge.compare(reference, bench.runner.valid(batch, together=True), rows=[0]), alone, batch)
            )
        except RunError:
            continue  # a batch size the model refuses; the others still count
    if not compared:
        yield bench.untested(TwinKind.MATES, "beside longer", "the model refused every batch of several rows")
        return
    yield bench.observe(TwinKind.MATES, "beside longer", compared, gating=gating)
    if not bench.contract.batches or len(_ORDER) in bench.contract.batches:
        yield _permuted(bench, gating)


def _permuted(bench: Bench, gating: bool) -> Observation:
    """Rows of mixed lengths in two orders: a lost unsort or a mask in head order shows."""
    mixed = bench.rows[:2] + _longer(bench, 2, 30)
    call = bench.padded(mixed, bench.plan.few)
    order = _ORDER
    twin = Call(tuple(mixed[i] for i in order), call.padding)
    answers = bench.runner.valid(call, together=True)
    moved = bench.runner.valid(twin, together=True)
    restored = {name: [rows[order.index(i)] for i in range(len(order))] for name, rows in moved.items()}
    gap = bench.judge.compare(answers, restored)
    found = bench.observe(TwinKind.MATES, "reordered", [(gap, call, twin)], gating=gating)
    if found.pair is None:
        return found
    return replace(found, pair=replace(found.pair, other_row=order.index(found.pair.row)))


def _fixed_batch(bench: Bench, gating: bool) -> Observation:
    size = bench.contract.fixed_batch or 1
    first = bench.rows[:1]
    one = bench.padded(first + bench.rows[1:size], bench.plan.few)
    if len(one.rows) < size:
        one = bench.padded(first + bench.source.rows(size - 1, bench.plan.valid, 21), bench.plan.few)
    other = bench.padded(first + _longer(bench, size - 1, 22), bench.plan.few)
    gap = bench.judge.compare(bench.runner.valid(one), bench.runner.valid(other), rows=[0], exact=True)
    return bench.observe(TwinKind.MATES, "beside longer", [(gap, one, other)], gating=gating)


def empty(bench: Bench) -> Iterator[Observation]:
    """One row that is nothing but padding: does it disturb the others?"""
    gating = bench.gating(TwinKind.MATES)
    if not bench.runner.mixes_rows or (bench.contract.fixed_batch or 3) < 2 or bench.contract.batches:
        yield bench.untested(TwinKind.EMPTY, "all-pad mate", "too few batch sizes run", gating=False)
        return
    if not bench.masked and not bench.ids_carry_mask:
        yield bench.untested(
            TwinKind.EMPTY, "all-pad mate", "nothing tells the model that a row is empty", gating=False
        )
        return
    size = bench.contract.fixed_batch or 3
    rows = (bench.rows * size)[: size - 1] + bench.rows[-1:]
    full = bench.padded(rows, bench.plan.few)
    hollow = Call(rows, replace(full.padding, empty_rows=(size - 1,)))
    try:
        answers = bench.runner.run(hollow, together=True)
    except RunError as error:
        yield bench.untested(
            TwinKind.EMPTY, "all-pad mate", f"the model refused an all-pad row: {error.message}", gating=False
        )
        return
    others = list(range(size - 1))
    gap = bench.judge.compare(
        bench.runner.valid(full, together=True), bench.runner.valid_parts(answers, hollow), rows=others
    )
    own = any(not np.all(np.isfinite(a[size - 1].astype(np.float64))) for a in answers.values())
    reason = "the all-pad row itself answers NaN or infinity" if own else None
    yield bench.observe(TwinKind.EMPTY, "all-pad mate", [(gap, full, hollow)], gating=gating, reason=reason)
