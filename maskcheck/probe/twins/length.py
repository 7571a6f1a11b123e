"""How many pads there are: none, one, a few, many; below and above the usual length; one sequence alone."""

from __future__ import annotations

from collections.abc import Iterator

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.report import TwinKind, Variant
from maskcheck.probe.layout import Fill
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import Answers, PaddedBatch, unpadded
from maskcheck.probe.twins import content
from maskcheck.probe.twins.context import TwinContext

_LONG = 131
"""Past the usual windows, blocks and chunk sizes (64, 128)."""

Compared = list[tuple[Gap, PaddedBatch, PaddedBatch]]


def length(context: TwinContext) -> Iterator[Observation]:
    """The gating twin: padding on the contract's side with the contract's pad value."""
    if context.plan.fixed:
        yield from _fixed(context)
        return
    gating = context.gating(TwinKind.LENGTH)
    side = Variant(context.side.value)
    compared, refused = _cases(context, Fill.PAD)
    if compared:
        yield context.observe(TwinKind.LENGTH, side, compared, gating=gating, reason=_worst_case(compared))
    else:
        yield context.untested(TwinKind.LENGTH, side, f"the model refused every padded batch: {refused}")
        return
    yield from _alone(context, gating)
    yield from _long(context, gating)
    if context.free_content:
        filled, _ = _cases(context, Fill.RANDOM)
        if filled:
            yield context.observe(TwinKind.LENGTH, Variant.FILLER, filled, gating=False, reason=_worst_case(filled))


def _reference(context: TwinContext, call: PaddedBatch) -> Answers:
    return context.reference if call is context.base else context.runner.valid(call)


def _cases(context: TwinContext, fill: Fill) -> tuple[Compared, str]:
    compared: Compared = []
    refused = ""
    references: dict[tuple[tuple[str, int], ...], tuple[PaddedBatch, Answers]] = {}
    for stream, (valid, totals) in enumerate(context.plan.cases):
        key = tuple(sorted(valid.items()))
        try:
            if key not in references:
                call = (
                    context.base
                    if valid == context.plan.valid
                    else unpadded(context.source.rows(context.few_rows, valid, 1 + stream))
                )
                references[key] = (call, _reference(context, call))
            call, reference = references[key]
            twin = context.padded(call.rows, totals, fill, seed=stream)
            compared.append((context.judge.compare(reference, context.runner.valid(twin)), call, twin))
        except RunError as error:
            refused = error.message
    return compared, refused


def _worst_case(compared: Compared) -> str | None:
    leaking = [found for found in compared if found[0].leaks]
    if not leaking:
        return None
    _, reference, twin = max(leaking, key=lambda found: found[0].worst)
    valid = "x".join(str(v) for v in _own(reference, twin))
    total = "x".join(str(twin.padding.totals[n]) for n in _changed(reference, twin))
    return f"largest for {valid} real of {total}"


def _changed(reference: PaddedBatch, twin: PaddedBatch) -> list[str]:
    return [n for n, t in twin.padding.totals.items() if t != reference.padding.totals[n]] or list(twin.padding.totals)


def _own(reference: PaddedBatch, twin: PaddedBatch) -> list[int]:
    return [twin.rows[0].lengths[n] for n in _changed(reference, twin)]


def _alone(context: TwinContext, gating: bool) -> Iterator[Observation]:
    """One row by itself: guards on the batch size hide masks exactly there."""
    if not context.runner.mixes_rows or context.contract.fixed_batch:
        return
    call = unpadded(context.rows[:1])
    twin = context.padded(call.rows, context.plan.few)
    gap = context.judge.compare(context.runner.valid(call), context.runner.valid(twin))
    yield context.observe(TwinKind.LENGTH, Variant.ALONE, [(gap, call, twin)], gating=gating)


def _long(context: TwinContext, gating: bool) -> Iterator[Observation]:
    """One long setting, past windows and blocks, for models that accept it."""
    own = [d.name for d in context.plan.domain.dimensions]
    if max(context.plan.valid[n] for n in own) >= _LONG or len(own) > 1:
        return
    limit = context.plan.domain.dimensions[0].maximum or 10**9
    for base in (_LONG, 61, 35):
        total = base + base // 2
        if total > limit:
            continue
        valid = {**context.plan.valid, own[0]: base}
        row = context.source.rows(context.runner.batch_size(1), valid, 50)
        short = context.source.rows(context.runner.batch_size(1), context.plan.valid, 51)
        try:
            compared = []
            for rows, totals in ((row, {**valid, own[0]: total}), (short, {**valid, own[0]: total})):
                call = unpadded(rows)
                twin = context.padded(rows, totals)
                compared.append(
                    (context.judge.compare(context.runner.valid(call), context.runner.valid(twin)), call, twin)
                )
        except RunError:
            continue
        yield context.observe(TwinKind.LENGTH, Variant.LONG, compared, gating=gating, reason=_worst_case(compared))
        return
    yield context.untested(
        TwinKind.LENGTH, Variant.LONG, f"no length past {context.plan.many[own[0]]} was accepted", gating=False
    )


def _fixed(context: TwinContext) -> Iterator[Observation]:
    """The number of positions is fixed, so what can vary is what a pad is worth: its content, ids and masks unchanged.

    Gates in place of the number of pads: an answer that depends on the arbitrary vector at a pad depends on the
    padding.
    """
    size = "x".join(str(d.fixed) for d in context.plan.domain.dimensions)
    gating = context.gating(TwinKind.LENGTH)
    try:
        found = content.worth_of_pads(context)
    except TraceError as error:
        yield context.untested(
            TwinKind.LENGTH, Variant.FIXED, f"the length is fixed at {size}, and {_lowered(error.message)}"
        )
        return
    if found is None:
        yield context.untested(
            TwinKind.LENGTH, Variant.FIXED, f"the length is fixed at {size} and its pads cannot be changed"
        )
        return
    compared, pad_row = found
    reason = f"the length is fixed at {size}: the pads' content was changed instead of their number"
    yield context.observe(TwinKind.LENGTH, Variant.FIXED, compared, gating=gating, reason=reason, pad_row=pad_row)


def _lowered(message: str) -> str:
    """A message as the end of a sentence."""
    return message[:1].lower() + message[1:].rstrip(".")
