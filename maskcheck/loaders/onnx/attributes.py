"""Settings under the operators' own names, for readers that do not read ``Site.settings`` yet.

Goes as a whole, with the one line in ``sites.py`` that calls it, once nobody reads ``Site.attributes``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from maskcheck.loaders.onnx.constants import Constants
from maskcheck.loaders.onnx.graph import OnnxGraph, OnnxNode

_AXES_OPERAND = {
    "ReduceMean": 1,
    "ReduceSum": 1,
    "ReduceMax": 1,
    "ReduceMin": 1,
    "ReduceProd": 1,
    "ReduceL1": 1,
    "ReduceL2": 1,
    "ReduceLogSum": 1,
    "ReduceLogSumExp": 1,
    "ReduceSumSquare": 1,
    "Squeeze": 1,
    "Unsqueeze": 1,
    "Slice": 3,
    "Pad": 3,
}
_REDUCTIONS = frozenset(op for op in _AXES_OPERAND if op.startswith("Reduce"))
_AXIS_DEFAULT = {
    "Gather": 0,
    "GatherElements": 0,
    "ScatterElements": 0,
    "Scatter": 0,
    "TensorScatter": -2,
    "TopK": -1,
    "ArgMax": 0,
    "ArgMin": 0,
    "Split": 0,
    "LayerNormalization": -1,
    "RMSNormalization": -1,
    "SimplifiedLayerNormalization": -1,
    "LpNormalization": -1,
    "OneHot": -1,
    "Flatten": 1,
}
_RECURRENT_LENGTHS = {"LSTM": 4, "GRU": 4, "RNN": 4}
_MASK_OPERAND = {
    "com.microsoft.Attention": 3,
    "com.microsoft.QAttention": 5,
    "com.microsoft.MultiHeadAttention": 4,
    "com.microsoft.DecoderMaskedMultiHeadAttention": 3,
    "com.microsoft.DecoderMaskedSelfAttention": 3,
    "com.microsoft.LongformerAttention": 3,
    "com.microsoft.EmbedLayerNormalization": 7,
    "com.microsoft.QEmbedLayerNormalization": 7,
    "Attention": 3,
}
"""Where each fused operator takes its mask."""

_BIAS_OPERAND = {
    "com.microsoft.Attention": 5,
    "com.microsoft.MultiHeadAttention": 5,
    "com.microsoft.DecoderMaskedMultiHeadAttention": 4,
    "com.microsoft.GroupQueryAttention": 10,
}
"""Where each takes a bias that is added to the scores, which may be a mask as well."""

_LENGTHS_OPERAND = {
    "LSTM": 4,
    "GRU": 4,
    "RNN": 4,
    "com.microsoft.DynamicQuantizeLSTM": 4,
    "com.microsoft.GroupQueryAttention": 5,
    "com.microsoft.SparseAttention": 8,
    "Attention": 6,
    "ReverseSequence": 1,
}
"""Where each operator takes the number of valid positions of every row."""


def site_attributes(node: OnnxNode, graph: OnnxGraph, constants: Constants) -> dict[str, Any]:
    """The operator's attributes, with operands that are constants and defaults of the axis filled in."""
    found = dict(node.attributes)
    if node.default:
        found |= _axes(node, graph, constants)
        for group in (_recurrent, _fills, _switches):
            found |= group(node, constants)
    found |= _masking(node, constants)
    found |= _lowest(node, constants)
    return found


def _axes(node: OnnxNode, graph: OnnxGraph, constants: Constants) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if node.op in ("Softmax", "LogSoftmax", "Hardmax"):
        found["axis"] = node.attributes.get("axis", -1 if graph.opset >= 13 else 1)
        # Before opset 13 everything from the axis on is flattened and normalised together.
        found["flattens"] = graph.opset < 13
    elif node.op in _AXIS_DEFAULT:
        found["axis"] = node.attributes.get("axis", _AXIS_DEFAULT[node.op])
    elif node.op in ("CumSum", "CumProd", "DFT"):
        position = 2 if node.op == "DFT" else 1
        axis = constants.integers(node.input(position))
        default = {"DFT": 1 if graph.opset < 20 else -2}.get(node.op)
        value = axis[0] if axis else node.attributes.get("axis", default)
        found |= {} if value is None else {"axis": value}
    elif "axes" not in node.attributes and node.op in _AXES_OPERAND:
        axes = constants.integers(node.input(_AXES_OPERAND[node.op]))
        found |= {"axes": list(axes)} if axes is not None else {}
    if node.op in _REDUCTIONS:
        found["keepdims"] = node.attributes.get("keepdims", 1)
    if node.op in ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"):
        found |= {"keepdims": 1, "spatial": True}
    return found


def _recurrent(node: OnnxNode, constants: Constants) -> dict[str, Any]:
    if node.op not in _RECURRENT_LENGTHS:
        return {}
    return {
        "direction": node.attributes.get("direction", "forward"),
        "has_sequence_lens": bool(node.input(_RECURRENT_LENGTHS[node.op])),
    }


def _fills(node: OnnxNode, constants: Constants) -> dict[str, Any]:
    """``fill``: the constant a selection, an addition or a clip puts in."""
    operands = {"Where": (1, 2), "Add": (0, 1), "Sub": (1,), "Mul": (0, 1), "Max": (0, 1), "Min": (0, 1)}.get(
        node.op, ()
    )
    values = [constants.fill(node.input(p)) for p in operands if node.input(p)]
    known = [v for v in values if v is not None]
    if node.op == "Where" and len(known) == 2:
        return {"fills": known}
    found: dict[str, Any] = {"fill": known[0]} if len(known) == 1 else {}
    if node.op == "Pad":
        value = constants.fill(node.input(2)) if node.input(2) else node.attributes.get("value", 0.0)
        pads = constants.integers(node.input(1)) or node.attributes.get("pads")
        found |= {} if value is None else {"fill": value}
        found |= {} if pads is None else {"pads": list(pads)}
    return found


_OUTPUT_SCALE = {
    "QuantizeLinear": 1,
    "com.microsoft.QuantizeLinear": 1,
    "com.microsoft.QLinearAdd": 6,
    "com.microsoft.QLinearMul": 6,
    "com.microsoft.QLinearWhere": 7,
    "QLinearMatMul": 6,
}
"""Operators that make integers with a scale of their own, and the operand that holds it; the zero point follows."""


def _lowest(node: OnnxNode, constants: Constants) -> dict[str, Any]:
    """``lowest``: the smallest number a quantiser can express, (smallest integer - zero point) * scale."""
    place = _OUTPUT_SCALE.get(node.operator)
    scale = constants.value(node.input(place)) if place is not None and node.input(place) else None
    if place is None or scale is None or scale.size != 1:
        return {}
    zero = constants.value(node.input(place + 1)) if node.input(place + 1) else np.zeros(1, np.uint8)
    if zero is None or zero.size != 1 or zero.dtype.kind not in "iu":
        return {}
    least = int(np.iinfo(zero.dtype).min) - int(zero.reshape(-1)[0])
    return {"lowest": least * float(scale.reshape(-1)[0])}


def _switches(node: OnnxNode, constants: Constants) -> dict[str, Any]:
    if node.op == "Dropout" and node.input(2):
        return {"training_mode": bool(constants.fill(node.input(2)) or 0)}
    if node.op == "Slice":
        bounds = {key: constants.integers(node.input(p)) for p, key in ((1, "starts"), (2, "ends"), (4, "steps"))}
        return {key: list(value) for key, value in bounds.items() if value is not None}
    if node.op == "Gather":
        index = constants.value(node.input(1))
        return {"indices": index.tolist()} if index is not None and index.size <= 16 else {}
    if node.op == "TopK":
        k = constants.integers(node.input(1))
        return {"k": k[0]} if k else {}
    return {}


_MASK_FILL_DEFAULT = -10000.0


def _masking(node: OnnxNode, constants: Constants) -> dict[str, Any]:
    """What fused operators were told about padding."""
    found: dict[str, Any] = {}
    operation = node.operator
    if operation in _MASK_OPERAND:
        found["has_mask"] = bool(node.input(_MASK_OPERAND[operation]))
    if operation in _BIAS_OPERAND:
        found["has_bias"] = bool(node.input(_BIAS_OPERAND[operation]))
    if operation in _LENGTHS_OPERAND and "has_sequence_lens" not in found:
        found["has_sequence_lens"] = bool(node.input(_LENGTHS_OPERAND[operation]))
    if operation in ("com.microsoft.Attention", "com.microsoft.MultiHeadAttention", "com.microsoft.QAttention"):
        found["mask_filter_value"] = node.attributes.get("mask_filter_value", _MASK_FILL_DEFAULT)
        found["unidirectional"] = bool(node.attributes.get("unidirectional", 0))
    if operation == "com.microsoft.GroupQueryAttention":
        found["unidirectional"] = bool(node.attributes.get("causal", 1))
    if operation == "Attention":
        found["unidirectional"] = bool(node.attributes.get("is_causal", 0))
    return found
