"""Noise added to hidden states at pad positions, one layer input at a time.

Sees what pads could do from inside where they are inert from outside: a convolution whose input was masked once, a
layer that only the current weights keep from leaking.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Graph
from maskcheck.ir.operation import Kind
from maskcheck.probe.align import Axes, View
from maskcheck.probe.compare import difference, rounding, take_row
from maskcheck.probe.entry import feeds
from maskcheck.probe.noise import HEADROOM
from maskcheck.probe.observe import Observation
from maskcheck.probe.row_traces import RowTraces, axes_of
from maskcheck.probe.runner import Runner
from maskcheck.probe.twins.context import TwinContext

_MOST = 6


def pad_noise(context: TwinContext, rows: Sequence[PassportRow]) -> Iterator[Observation]:
    """Add noise at the pads of up to six hidden states, one after the other, spread over the depth of the model."""
    traces = context.traces
    if traces is None:
        yield context.untested(TwinKind.POKE, Variant.HIDDEN_STATES, context.untraced)
        return
    gating = context.gating(TwinKind.POKE)
    axes = axes_of(traces, traces.padded, View(True, rows=len(traces.padded_batch.rows)))
    keys = _spread_out(_hidden(traces.padded, axes, tuple(o.name for o in context.model.outputs)))
    if not keys:
        reason = "no hidden state that several layers read and that pads may fill was found"
        yield context.untested(TwinKind.POKE, Variant.HIDDEN_STATES, reason)
        return
    moved = _moving(context, traces, axes, keys)
    status = Status.LEAKY if moved else Status.CLEAN
    yield Observation(
        context.told(TwinKind.POKE, Variant.HIDDEN_STATES, status, gating=gating, reason=_reason(moved, len(keys)))
    )


def _reason(moved: Sequence[str], tried: int) -> str:
    if not moved:
        return f"{tried} hidden states tried"
    return f"noise at pads reaches the answer from {moved[0]}" + (f" and {len(moved) - 1} more" if moved[1:] else "")


def _moving(context: TwinContext, traces: RowTraces, axes: Mapping[str, Axes | None], keys: Sequence[str]) -> list[str]:
    """Names of the sites that made those of ``keys`` whose noise at the pads moves an answer."""
    arrays = feeds(context.contract, traces.padded_batch)
    moved: list[str] = []
    for key in keys:
        patch = _noisy(traces.padded.tensors[key], axes[key] or Axes(), context.settings.seed)
        try:
            trace = context.model.trace(arrays, patches={key: patch}, record=())
        except (RunError, TraceError):
            continue
        if _moves(context.runner, traces, trace):
            moved.append(next((s.name for s in traces.padded.sites if key in s.outputs), key))
    return moved


def _hidden(trace: Trace, axes: Mapping[str, Axes | None], outputs: tuple[str, ...]) -> list[str]:
    """The residual stream: floating tensors along the sequence that several sites read and whose pads are not kept
    at 0.
    """
    graph = Graph.of(trace.sites)
    live = graph.live(outputs)
    found = []
    for site in trace.sites:
        for key in site.outputs:
            value, known = trace.tensors.get(key), axes.get(key)
            if value is None or known is None or len(known.sequence) != 1 or value.ndim < 3 or key not in live:
                continue
            if not np.issubdtype(value.dtype, np.floating) or site.kind is Kind.SHAPE or key in trace.shape_only:
                continue
            if len(graph.readers.get(key, ())) >= 2 and np.any(_pads(value, known)):
                found.append(key)
    return found


def _spread_out(keys: list[str]) -> list[str]:
    if len(keys) <= _MOST:
        return keys
    return [keys[round(i * (len(keys) - 1) / (_MOST - 1))] for i in range(_MOST)]


def _pads(value: Array, axes: Axes) -> Array:
    axis, (short, long) = next(iter(axes.sequence.items()))
    index: list[slice] = [slice(None)] * value.ndim
    index[axis] = slice(short, long)
    return value[tuple(index)]


def _noisy(value: Array, axes: Axes, seed: int) -> Array:
    changed = value.copy()
    region = _pads(changed, axes)
    noise = np.random.default_rng(seed).standard_normal(region.shape) * (float(value.std()) or 1.0)
    region += np.asarray(noise, dtype=value.dtype)
    return changed


def _moves(runner: Runner, traces: RowTraces, trace: Trace) -> bool:
    regions = runner.regions(traces.padded_batch.rows[0].lengths, traces.padded_batch.padding)
    for spec in runner.contract.outputs:
        before, after = np.asarray(traces.padded.outputs[spec.name]), np.asarray(trace.outputs[spec.name])
        a, b = (regions[spec.name].cut(take_row(x, spec, 0)) for x in (before, after))
        if not difference([a], [b]) <= HEADROOM * rounding([a]):
            return True
    return False
