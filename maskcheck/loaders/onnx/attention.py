"""Attention weights of fused operators, worked out again from what the operators read.

A fused operator never shows its weights. They are recomputed in numpy, and kept only where they reproduce what the
operator itself returned; whatever is not covered (sliding windows, softcap, packed layouts) is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.onnx.constants import Constants
from maskcheck.loaders.onnx.graph import OnnxGraph
from maskcheck.loaders.onnx.operands import OPERATORS, NotCoveredError, Operands, Reader

_MARGIN = {"float64": 1e-5, "float32": 1e-5, "float16": 5e-3}
"""How far ``weights @ values`` may lie from the operator's output, relative to the largest entry."""


def recompute(
    graph: OnnxGraph, tensors: Mapping[str, Array], patches: Mapping[str, Array], constants: Constants
) -> dict[str, Array]:
    """Weights (B, N, T, S) by site name, for every fused attention operator whose operands and output were traced."""
    found: dict[str, Array] = {}
    for node in graph.nodes:
        operands_of = OPERATORS.get(node.operator)
        if operands_of is None or node.is_function or not node.outputs or node.outputs[0] not in tensors:
            continue
        reader = Reader(node, tensors, patches, constants)
        try:
            operands = operands_of(reader)
            weights = _weights(operands)
        except (NotCoveredError, ValueError, IndexError):
            continue
        checked = _verified(weights, operands.value, tensors[node.outputs[0]])
        if checked is not None:
            found[node.name] = checked
    return found


def _weights(operands: Operands) -> Array:
    with np.errstate(all="ignore"):
        scores = operands.query @ operands.key.swapaxes(-1, -2) * operands.scale + operands.bias
        scores = scores - scores.max(axis=-1, keepdims=True)
        powers = np.exp(scores)
        return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


def _verified(weights: Array, value: Array, returned: Array) -> Array | None:
    """The weights, if they lead to what the operator returned. Rows that attend to nothing come out as zeros."""
    margin = _MARGIN.get(returned.dtype.name)
    if margin is None:
        return None
    actual = returned.astype(np.float32)
    empty = np.isnan(weights).any(axis=-1, keepdims=True)
    filled = np.where(empty, 0.0, weights).astype(np.float32)
    expected = filled @ value
    if actual.ndim == 3:
        expected = expected.swapaxes(1, 2).reshape(actual.shape[0], expected.shape[2], -1)
    if expected.shape != actual.shape:
        return None
    finite = np.isfinite(actual)
    # Rows without anything to attend to are defined by each runtime for itself; the others must agree.
    rows = np.broadcast_to(empty, (*empty.shape[:-1], value.shape[-1]))
    compared = finite & ~(rows if actual.ndim == 4 else rows.swapaxes(1, 2).reshape(actual.shape))
    largest = max(1.0, float(np.abs(actual[compared]).max(initial=0.0)))
    if not compared.any() or float(np.abs(expected - actual)[compared].max()) > margin * largest:
        return None
    return filled
