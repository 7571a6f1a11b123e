"""Leaks that few contents show: a maximum that pads win for one text in fifty needs fifty texts to be seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.ir.operation import Kind
from maskcheck.probe.align import View
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.row_traces import RowTraces, axes_of
from maskcheck.probe.runner import PaddedBatch, unpadded
from maskcheck.probe.twins import content
from maskcheck.probe.twins.context import TwinContext, valid_lengths
from maskcheck.probe.twins.precision import widened

_MANY = 96
"""Further rows that are tried where hidden states say that pads reach the answer and no row has shown it."""
_RARE_STREAM = 100

Compared = list[tuple[Gap, PaddedBatch, PaddedBatch]]


def rare(context: TwinContext, rows: Sequence[PassportRow]) -> Iterator[Observation]:
    """Many more rows where something but no padding has shown that pads may reach the answers.

    ``rows`` are those of the same domain so far: what pads hold reaches the answers in some, or a maximum over time is
    taken. A leak that gates already needs no further rows. Where half precision hides the leak, float32 is asked.
    """
    if _known(rows) or not _suspected(context, rows):
        return
    found = try_more_rows(context)
    if found is None or found.pair is None:
        with widened(context) as wide:
            found = _in_float32(wide) if wide is not None else None
    if found is not None and found.pair is not None:
        yield found


def _known(rows: Sequence[PassportRow]) -> bool:
    return any(row.twin is TwinKind.LENGTH and row.gating and row.status is Status.LEAKY for row in rows)


def _suspected(context: TwinContext, rows: Sequence[PassportRow]) -> bool:
    # With other fillers than the pad value lengths may leak as well: that is no answer to the question asked here.
    telling = (TwinKind.POKE, TwinKind.CONTENT, TwinKind.LENGTH)
    leaks = any(row.twin in telling and row.status is Status.LEAKY for row in rows)
    return leaks or (context.traces is not None and takes_maximum(context.traces))


def takes_maximum(traces: RowTraces) -> bool:
    """Whether a maximum over the sequence is among the operations: what wins there depends on the content."""
    axes = axes_of(traces, traces.padded, View(True, rows=len(traces.padded_batch.rows)))
    for site in traces.padded.sites:
        read = next((a for k in site.inputs if (a := axes.get(k)) is not None and a.sequence), None)
        made = next((a for k in site.outputs if (a := axes.get(k)) is not None), None)
        if site.kind is Kind.REDUCE_MAX and read is not None and made is not None and not made.sequence:
            return True
    return False


def _in_float32(context: TwinContext) -> Observation | None:
    found = try_more_rows(context)
    if found is None or found.pair is None:
        return None
    return replace(found, row=replace(found.row, reason=f"{found.row.reason}, in float32"))


def try_more_rows(context: TwinContext) -> Observation | None:
    """Many more rows with a few pads: a maximum that pads win for one text in fifty needs fifty texts to be seen.

    Half of them are short: the fewer real positions there are, the more often a pad wins. ``None`` where the number of
    pads cannot vary or the model refuses so many rows.
    """
    if context.plan.fixed:
        return _try_more_pads(context)
    compared: Compared = []
    size = context.runner.batch_size(len(context.rows))
    dimensions = context.contract.dimensions
    own = valid_lengths(context.plan)
    short = {n: max(dimensions[n].minimum, v // 3) if n in own else v for n, v in context.plan.valid.items()}
    try:
        for batch in range(_MANY // size):
            lengths = short if batch % 2 else context.plan.valid
            call = unpadded(context.source.rows(size, lengths, _RARE_STREAM + batch))
            twin = context.padded(call.rows, context.plan.few)
            compared.append((context.judge.compare(context.runner.valid(call), context.runner.valid(twin)), call, twin))
    except RunError:
        return None
    leaking = sum(gap.leaks for gap, _, _ in compared)
    reason = f"for few texts only: in {leaking} of {len(compared)} further batches of {size}" if leaking else None
    return context.observe(
        TwinKind.LENGTH, Variant.RARE, compared, gating=context.gating(TwinKind.LENGTH), reason=reason
    )


def _try_more_pads(context: TwinContext) -> Observation | None:
    """The same for one length: many more rows whose pads become something else, half of them with few real steps."""
    compared: Compared = []
    pad_row = False
    size = context.runner.batch_size(len(context.rows))
    short = {n: max(1, v // 3) if n in valid_lengths(context.plan) else v for n, v in context.plan.valid.items()}
    try:
        for batch in range(_MANY // size):
            lengths = short if batch % 2 else context.plan.valid
            rows = context.source.rows(size, lengths, _RARE_STREAM + batch)
            found = content.worth_of_pads(replace(context, base=PaddedBatch(rows, context.base.padding)))
            if found is None:
                return None
            more, pad_row = found
            compared += more
    except (RunError, TraceError):
        return None
    leaking = sum(gap.leaks for gap, _, _ in compared)
    reason = f"for few texts only: in {leaking} of {len(compared)} further comparisons" if leaking else None
    gating = context.gating(TwinKind.LENGTH)
    return context.observe(TwinKind.LENGTH, Variant.RARE, compared, gating=gating, reason=reason, pad_row=pad_row)
