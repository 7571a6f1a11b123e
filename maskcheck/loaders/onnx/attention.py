"""Attention weights of fused operators, worked out again from what the operators read.

They are kept only where they reproduce what the operator itself returned; whatever is not covered (sliding windows,
softcap, packed layouts) is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.core.model import Array
from maskcheck.ir.attention import verify, weigh
from maskcheck.loaders.onnx.constants import GraphConstants
from maskcheck.loaders.onnx.graph import OnnxNode
from maskcheck.loaders.onnx.operands import OPERATORS, NotCoveredError, Reader


def recompute(
    tensors: Mapping[str, Array], patches: Mapping[str, Array], constants: GraphConstants
) -> dict[str, Array]:
    """Weights (batch, heads, queries, keys) by site name, for every fused attention operator whose operands and output
    were traced. ``patches`` stand in the place of tensors.
    """
    fused = (node for node in constants.graph.nodes if _is_traced(node, tensors))
    weights = ((node.name, _weigh(Reader(node, tensors, patches, constants))) for node in fused)
    return {name: found for name, found in weights if found is not None}


def _is_traced(node: OnnxNode, tensors: Mapping[str, Array]) -> bool:
    known = node.operator in OPERATORS and not node.is_function
    return known and bool(node.outputs) and node.outputs[0] in tensors


def _weigh(read: Reader) -> Array | None:
    """The weights, ``None`` where they are not worked out or do not lead to what the operator returned."""
    try:
        told = OPERATORS[read.node.operator](read)
        weights = weigh(told.query, told.key, scale=told.scale, mask=told.bias, causal=told.causal, past=told.past)
        checked = verify(weights, told.value, read.tensors[read.node.outputs[0]])
    except (NotCoveredError, ValueError, IndexError):
        return None
    return weights if checked else None
