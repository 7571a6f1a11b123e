"""One row traced unpadded and padded: what looks inside the model starts from these two traces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from maskcheck.core.contract import Contract, Side
from maskcheck.core.model import Array, Model
from maskcheck.core.trace import Trace
from maskcheck.probe.align import Axes, View, guess, learn
from maskcheck.probe.entry import feeds
from maskcheck.probe.layout import Fill, Padding, Row
from maskcheck.probe.noise import site_noise
from maskcheck.probe.runner import PaddedBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class RowTraces:
    """The same row, repeated where the batch is fixed, in two runs.

    ``unpadded_batch`` and ``unpadded`` are ``None`` where the length is fixed. ``noise`` is every tensor's response
    to a jitter of the inputs by one unit in the last place, in its own units; empty until somebody needs it.
    """

    padded_batch: PaddedBatch
    padded: Trace
    unpadded_batch: PaddedBatch | None = None
    unpadded: Trace | None = None
    noise: Mapping[str, float] = field(default_factory=dict)


def trace_row(
    model: Model,
    contract: Contract,
    row: Row,
    totals: Mapping[str, int],
    *,
    fixed: bool,
    batch: int = 1,
    seeds: tuple[int, int] = (0, 0),
) -> RowTraces:
    """Trace one row alone, ``batch`` times beside itself: padded on the right to ``totals``, and unpadded.

    ``seeds`` draw the filler of the unpadded and of the padded run.

    Raises:
        RunError: the model refused the row.
        TraceError: the model cannot be instrumented.
    """
    padded_batch = PaddedBatch((row,) * batch, Padding(dict(totals), sides={}, fill=Fill.PAD), seeds[1])
    padded = model.trace(feeds(contract, padded_batch))
    if fixed:
        return RowTraces(padded_batch=padded_batch, padded=padded)
    unpadded_batch = PaddedBatch((row,) * batch, Padding(dict(row.lengths)), seeds[0])
    unpadded = model.trace(feeds(contract, unpadded_batch))
    return RowTraces(padded_batch=padded_batch, padded=padded, unpadded_batch=unpadded_batch, unpadded=unpadded)


def with_noise(traces: RowTraces, model: Model, contract: Contract, seed: int) -> RowTraces:
    """The same with the noise of every tensor, measured on the unpadded run where there is one.

    Raises:
        RunError: the model refused the row.
        TraceError: the model cannot be instrumented.
    """
    if traces.noise:
        return traces
    batch, trace = traces.unpadded_batch or traces.padded_batch, traces.unpadded or traces.padded
    return replace(traces, noise=site_noise(model, contract, batch, trace, seed))


def axes_of(traces: RowTraces, twin: Trace, view: View, *, among: bool = False) -> dict[str, Axes | None]:
    """Axes of every tensor, learned from sizes that change; guessed from sizes where the length is fixed.

    ``among`` says that ``twin`` holds other rows beside the one of ``traces``.
    """
    axes: dict[str, Axes | None] = {}
    rows = len(traces.padded_batch.rows)
    lengths = {
        traces.padded_batch.padding.totals[n]: length
        for n, length in traces.padded_batch.rows[0].lengths.items()
        if traces.padded_batch.padding.totals[n] != length
    }
    for key, value in twin.tensors.items():
        padded = traces.padded.tensors.get(key)
        if padded is None:
            axes[key] = None
        elif traces.unpadded is None:
            guessed = guess(value.shape, lengths, view.rows)
            axes[key] = guessed if view.side is Side.LEFT else _whole_if_mixed(guessed, value, padded)
        elif (unpadded := traces.unpadded.tensors.get(key)) is None:
            axes[key] = None
        else:
            found = learn(unpadded.shape, padded.shape, value.shape if among and view.rows != rows else None, view)
            if found is not None and view.rows > 1 and not found.batch:
                found = replace(found, batch=_first_of(value.shape, view.rows))
            axes[key] = found
    return axes


def _whole_if_mixed(axes: Axes, value: Array, padded: Array) -> Axes:
    """An axis of features may happen to be as long as the fixed length; one whose front differs too is no sequence."""
    if value.ndim != 2 or value.shape != padded.shape or tuple(axes.sequence) != (1,):
        return axes
    front = slice(0, axes.sequence[1][0])
    same = np.array_equal(value[:, front], padded[:, front], equal_nan=np.issubdtype(value.dtype, np.floating))
    return axes if same else replace(axes, sequence={})


def _first_of(shape: tuple[int, ...], rows: int) -> tuple[int, ...]:
    """The leftmost axis that can hold the rows, where all runs have the same batch."""
    return next(((i,) for i, size in enumerate(shape) if size == rows), ())
