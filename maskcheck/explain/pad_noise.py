"""Noise added to hidden states at pad positions, one layer input at a time.

Sees what pads could do from inside where they are inert from outside: a convolution whose input was masked once, a
layer that only the current weights keep from leaking.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maskcheck.core.contract import Contract
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array, Model
from maskcheck.core.report import PassportRow, Status, TwinKind
from maskcheck.core.trace import Trace
from maskcheck.explain.align import Axes
from maskcheck.explain.session import RowTraces
from maskcheck.ir.graph import Graph
from maskcheck.ir.operation import Kind
from maskcheck.probe.compare import difference, rounding, take_row
from maskcheck.probe.entry import feeds
from maskcheck.probe.noise import HEADROOM
from maskcheck.probe.runner import Runner

_MOST = 6


def poke(
    model: Model, contract: Contract, base: RowTraces, axes: Mapping[str, Axes | None], domain: str, seed: int
) -> PassportRow:
    """Poke up to six hidden states, spread over the depth of the model."""
    keys = _spread_out(_hidden(base.long, axes, tuple(o.name for o in model.outputs)))
    if not keys:
        reason = "no hidden state that several layers read and that pads may fill was found"
        return PassportRow(TwinKind.POKE, "hidden states", domain, Status.UNTESTED, False, reason)
    arrays = feeds(contract, base.single)
    moved: list[str] = []
    for key in keys:
        patch = _noisy(base.long.tensors[key], axes[key] or Axes(), seed)
        try:
            trace = model.trace(arrays, patches={key: patch}, record=())
        except (RunError, TraceError):
            continue
        if _moves(Runner(model, contract), base, trace):
            moved.append(next((s.name for s in base.long.sites if key in s.outputs), key))
    if not moved:
        return PassportRow(
            TwinKind.POKE, "hidden states", domain, Status.CLEAN, False, f"{len(keys)} hidden states tried"
        )
    reason = f"noise at pads reaches the answer from {moved[0]}" + (f" and {len(moved) - 1} more" if moved[1:] else "")
    return PassportRow(TwinKind.POKE, "hidden states", domain, Status.LEAKY, False, reason)


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


def _moves(runner: Runner, base: RowTraces, trace: Trace) -> bool:
    regions = runner.regions(base.single.rows[0].lengths, base.single.padding)
    for spec in runner.contract.outputs:
        before, after = np.asarray(base.long.outputs[spec.name]), np.asarray(trace.outputs[spec.name])
        a, b = (regions[spec.name].cut(take_row(x, spec, 0)) for x in (before, after))
        if not difference([a], [b]) <= HEADROOM * rounding([a]):
            return True
    return False
