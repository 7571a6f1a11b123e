"""What stands at the pads: other content of the same shape under the same mask, and poison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from maskcheck.core.contract import Role
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array
from maskcheck.core.report import TwinKind, Variant
from maskcheck.probe.entry import entries, feeds, pad_rows_changed
from maskcheck.probe.layout import Fill
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import PaddedBatch
from maskcheck.probe.twins.context import TwinContext

_NEARLY = "a pad that misses the pad value by 0.001 in one feature counts as a real step"

Compared = list[tuple[Gap, PaddedBatch, PaddedBatch]]


def content(context: TwinContext) -> Iterator[Observation]:
    """Other values at the pads, same shape, same mask. Exactly nothing changes in a clean model."""
    gating = context.gating(TwinKind.CONTENT)
    try:
        found = worth_of_pads(context)
    except TraceError as error:
        yield context.untested(TwinKind.CONTENT, Variant.PAD_ROW, error.message)
        return
    if found is None:
        yield context.untested(
            TwinKind.CONTENT,
            Variant.PADS,
            "nothing but the pad value marks the padding, so pads cannot hold anything else",
        )
        return
    compared, pad_row = found
    yield context.observe(
        TwinKind.CONTENT, Variant.PAD_ROW if pad_row else Variant.PADS, compared, gating=gating, pad_row=pad_row
    )


def worth_of_pads(context: TwinContext) -> tuple[Compared, bool] | None:
    """Compare pads of one content with pads of another, by feeding it or by changing the pad's embedding row.

    The flag says which: true for the embedding row. ``None`` where neither is possible.
    """
    if context.free_content:
        return _fed(context), False
    recognised = [s for s in context.contract.of(context.domain, Role.FEATURES) if s.ids_carry_mask]
    if not recognised and not context.contract.of(context.domain, Role.TOKENS):
        return None
    found = _pad_row(context, None)
    return None if found is None else ([found], True)


def _fed(context: TwinContext) -> Compared:
    reference = context.padded(context.rows, context.plan.few)
    answers = context.runner.valid(reference)
    compared = []
    for fill, seed in ((Fill.RANDOM, 1), (Fill.OTHER_RANDOM, 2)):
        twin = context.padded(context.rows, context.plan.few, fill, seed)
        compared.append((context.judge.compare(answers, context.runner.valid(twin), exact=True), reference, twin))
    return compared


def _pad_row(context: TwinContext, fill: Array | float | None) -> tuple[Gap, PaddedBatch, PaddedBatch] | None:
    """Change the embedding of the pad id in the instrumented model; ids and masks stay as they are."""
    rows = context.exactly(context.runner.batch_size(min(4, len(context.rows))))
    call = context.padded(rows, context.plan.few)
    arrays = feeds(context.contract, call)
    base = context.model.trace(arrays)
    found = [e for e in entries(context.model, context.contract, base) if e.input.domain == context.domain]
    patches = pad_rows_changed(call, base, tuple(found), fill, context.settings.seed + 29)
    if not patches:
        return None
    moved = context.model.trace(arrays, patches=patches, record=())
    before, after = (context.runner.valid_outputs(run.outputs, call) for run in (base, moved))
    return context.judge.compare(before, after, exact=True), call, call


def poison(context: TwinContext) -> Iterator[Observation]:
    """NaN, infinity and huge values at the pads. A hygiene check: a correct softmax mask lets NaN through as well."""
    gating = context.gating(TwinKind.POISON)
    features = context.contract.of(context.domain, Role.FEATURES)
    if not any(np.issubdtype(np.dtype(spec.dtype), np.floating) for spec in features):
        yield from _poisoned_rows(context, gating)
        return
    if context.free_content:
        fills = {Variant.NAN: Fill.NAN, Variant.INFINITY: Fill.INF, Variant.HUGE: Fill.HUGE}
    elif any(spec.ids_carry_mask for spec in features):
        fills = {Variant.NEAR_MISS: Fill.NEAR}
    else:
        yield context.untested(
            TwinKind.POISON, Variant.PADS, "nothing but the pad value marks the padding", gating=gating
        )
        return
    reference = context.padded(context.rows, context.plan.few)
    answers = context.runner.valid(reference)
    for name, fill in fills.items():
        twin = context.padded(context.rows, context.plan.few, fill, seed=3)
        try:
            gap = context.judge.compare(answers, context.runner.valid(twin), exact=True)
        except RunError as error:
            yield context.untested(TwinKind.POISON, name, f"the model refused it: {error.message}", gating=gating)
            continue
        reason = _NEARLY if gap.leaks and fill is Fill.NEAR else None
        yield context.observe(TwinKind.POISON, name, [(gap, reference, twin)], gating=gating, reason=reason)


def _poisoned_rows(context: TwinContext, gating: bool) -> Iterator[Observation]:
    for name, value in ((Variant.NAN, float("nan")), (Variant.HUGE, 1e4)):
        try:
            found = _pad_row(context, value)
        except (RunError, TraceError) as error:
            yield context.untested(TwinKind.POISON, name, error.message, gating=gating)
            continue
        if found is None:
            yield context.untested(TwinKind.POISON, name, "no embedding of the pads to poison was found", gating=gating)
            return
        yield context.observe(TwinKind.POISON, name, [found], gating=gating, pad_row=True)
