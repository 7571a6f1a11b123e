"""Attention weights found by structure, and how much of them valid queries put on pads."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maskcheck.core.contract import Side
from maskcheck.core.model import Array
from maskcheck.core.report import AttentionMap, AttentionSample, MaskAxis
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import axes_of
from maskcheck.probe.align import Axes, View

_KEEPS_WEIGHTS = (Kind.ELEMENTWISE, Kind.RANDOM)
_VISIBLE = 1e-6
_SHOWN = 64
_HIDDEN_SCORE = 1e3
"""A pad query whose scores lie this far below the others' was masked as a row."""


def maps(trace: Trace, axes: Mapping[str, Axes | None], view: View) -> tuple[AttentionMap, ...]:
    """One map per attention site of a padded trace of identical rows."""
    graph = Graph.of(trace.sites)
    found = []
    for site in trace.sites:
        if site.name in trace.attention:
            known = _fused(site, trace.attention[site.name], axes, view)
        elif site.kind is Kind.SOFTMAX:
            known = _softmax(site, graph, trace, axes, view)
        else:
            known = None
        if known is not None:
            found.append(known)
    return tuple(found)


def _softmax(
    site: Site, graph: Graph, trace: Trace, axes: Mapping[str, Axes | None], view: View
) -> AttentionMap | None:
    key = site.outputs[0]
    weights, known = trace.tensors.get(key), axes.get(key)
    if weights is None or known is None or weights.ndim < 2 or (weights.ndim - 1) not in known.sequence:
        return None
    if axes_of(site.settings, weights.ndim) not in (None, (weights.ndim - 1,)):
        return None
    final = _final_weights(site, graph, trace, weights)
    scores = trace.tensors.get(site.inputs[0])
    return _map(site, weights, final, scores, known, view)


def _final_weights(site: Site, graph: Graph, trace: Trace, weights: Array) -> Array:
    """What multiplies the values: the softmax's output after masks and scales applied to it, of the same shape."""
    key, final = site.outputs[0], weights
    for _ in range(6):
        readers = [r for r in graph.readers.get(key, ()) if r.kind in _KEEPS_WEIGHTS and r.outputs]
        if len(graph.readers.get(key, ())) != 1 or not readers:
            break
        value = trace.tensors.get(readers[0].outputs[0])
        if value is None or value.shape != weights.shape:
            break
        key, final = readers[0].outputs[0], value
    return final


def _map(
    site: Site, weights: Array, final: Array, scores: Array | None, known: Axes, view: View
) -> AttentionMap | None:
    keys, queries = weights.ndim - 1, weights.ndim - 2
    valid_keys = known.sequence[keys][0]
    rows = _rows(final.astype(np.float64), queries, known, view)
    mass = rows[..., _pads(valid_keys, rows.shape[-1], view.side)]
    with np.errstate(all="ignore"):
        per_head = np.abs(mass).sum(axis=-1)
    heads = _by_head(per_head)
    axis = _masked_axis(scores, weights, queries, known, view, float(np.nanmax(per_head, initial=0.0)))
    sample = _sample(final, heads, known, view) if max(heads, default=0.0) > _VISIBLE else None
    return AttentionMap(site=site, heads=len(heads), pad_mass=heads, axis=axis, sample=sample)


def _sample(weights: Array, heads: tuple[float, ...], known: Axes, view: View) -> AttentionSample | None:
    """The head that pays most to the pads, of the first row, at most 64 by 64."""
    keys, queries = weights.ndim - 1, weights.ndim - 2
    if weights.ndim < 3 or queries not in known.sequence:
        return None
    worst = int(np.nanargmax(np.nan_to_num(heads)))
    one = weights.reshape(weights.shape[0], -1, *weights.shape[-2:])[0, worst]

    def pads(axis: int, size: int) -> tuple[int, ...]:
        valid = known.sequence[axis][0]
        return tuple(range(valid, size)) if view.side is Side.RIGHT else tuple(range(size - valid))

    shown = tuple(tuple(float(v) for v in row[:_SHOWN]) for row in one[:_SHOWN])
    return AttentionSample(worst, shown, pads(keys, one.shape[1]), pads(queries, one.shape[0]))


def _rows(weights: Array, queries: int, known: Axes, view: View) -> Array:
    """Only the valid queries."""
    if queries not in known.sequence or queries < 0:
        return weights
    short, long = known.sequence[queries]
    index: list[slice] = [slice(None)] * weights.ndim
    index[queries] = slice(0, short) if view.side is Side.RIGHT else slice(long - short, long)
    return weights[tuple(index)]


def _pads(valid: int, total: int, side: Side) -> slice:
    return slice(valid, total) if side is Side.RIGHT else slice(0, total - valid)


def _by_head(mass: Array) -> tuple[float, ...]:
    """Mean over queries (and identical rows) of the mass on pads, one figure per head."""
    flat = mass.reshape(mass.shape[0], -1, mass.shape[-1]) if mass.ndim >= 3 else mass.reshape(1, 1, -1)
    with np.errstate(all="ignore"):
        return tuple(float(np.nanmean(flat[:, h])) if flat[:, h].size else 0.0 for h in range(flat.shape[1]))


def _masked_axis(scores: Array | None, weights: Array, queries: int, known: Axes, view: View, mass: float) -> MaskAxis:
    """ "keys" when pads get no weight, "queries" when whole pad rows were masked instead, "none" otherwise."""
    if mass <= _VISIBLE:
        return MaskAxis.KEYS
    if queries not in known.sequence or scores is None or scores.shape != weights.shape:
        return MaskAxis.NONE if queries in known.sequence else MaskAxis.UNKNOWN
    short, long = known.sequence[queries]
    if long <= short:
        return MaskAxis.UNKNOWN
    values = np.moveaxis(scores.astype(np.float64), queries, 0)
    own, pad = (
        (values[:short], values[short:])
        if view.side is Side.RIGHT
        else (values[long - short :], values[: long - short])
    )
    with np.errstate(all="ignore"):
        low = bool(
            np.all((np.nanmax(pad) < np.nanmin(own[np.isfinite(own)], initial=0.0) - _HIDDEN_SCORE) | ~np.isfinite(pad))
        )
    if low or not np.any(np.isfinite(pad)):
        return MaskAxis.QUERIES
    return MaskAxis.NONE


def _fused(site: Site, weights: Array, axes: Mapping[str, Axes | None], view: View) -> AttentionMap | None:
    """Recomputed weights ``(batch, heads, queries, keys)`` of a fused operator, whose inputs' axes are known."""
    lengths = {long: short for key in site.inputs for short, long in (axes.get(key) or Axes()).sequence.values()}
    sequence = {a: (lengths[weights.shape[a]], weights.shape[a]) for a in (2, 3) if weights.shape[a] in lengths}
    if 3 not in sequence:
        return None
    return _map(site, weights, weights, None, Axes(sequence), view)
