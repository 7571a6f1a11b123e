"""A leak that only fused kernels hide: training and gradients switch them off, and so does recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.probe.observe import Observation
from maskcheck.probe.twins.context import TwinContext

REASON = "only without fused kernels, as in training or whenever gradients are on; the deployed path is clean"


def unfused(context: TwinContext, rows: Sequence[PassportRow]) -> Iterator[Observation]:
    """Compare the recorded runs of a live module with each other; ``rows`` are those of the same domain so far.

    PyTorch's fused encoder layer reads a float mask of 0 and 1 as boolean; without it the same mask is added to the
    scores.
    """
    traces, info = context.traces, context.model.info
    live = info.framework == "pytorch" and info.format != "onnx"
    if not live or traces is None or traces.unpadded is None or traces.unpadded_batch is None or _known(rows):
        return
    before = context.runner.valid_outputs(traces.unpadded.outputs, traces.unpadded_batch)
    after = context.runner.valid_outputs(traces.padded.outputs, traces.padded_batch)
    gap = context.judge.compare(before, after)
    if not gap.leaks:
        return
    row = context.told(TwinKind.LENGTH, Variant.UNFUSED, Status.LEAKY, reason=REASON)
    pair = context.pair(
        TwinKind.LENGTH, Variant.UNFUSED, replace(gap, row=0), traces.unpadded_batch, traces.padded_batch
    )
    yield Observation(replace(row, outputs=gap.outputs), pair)


def _known(rows: Sequence[PassportRow]) -> bool:
    """Whether the deployed model leaks already."""
    return any(row.twin in (TwinKind.LENGTH, TwinKind.CONTENT) and row.status is Status.LEAKY for row in rows)
