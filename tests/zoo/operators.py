"""Graphs of operators that exporters seldom write: fused attention, bare recurrent nodes, scans, int8, fp16."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from onnx import TensorProto, helper

from .case import Case, Input, Output
from .graph import CONTRIB, Graph

SEQUENCE = (Output("output", "BTD"),)
WIDTH, HEADS = 32, 4

Body = Callable[[Graph], str]


def graph_case(
    name: str,
    spec: tuple[Input, ...],
    body: Body,
    outputs: tuple[Output, ...] = SEQUENCE,
    *,
    opset: int = 17,
    **more: object,
) -> Case:
    """A case whose graph ``body`` fills in; ``body`` returns the tensor of the only output."""

    def build(path: Path) -> Path:
        graph = Graph()
        return graph.write(case, {outputs[0].name: body(graph)}, path, opset)

    case = Case(name, build, spec, outputs, **more)  # type: ignore[arg-type]
    return case


# ---------------------------------------------------------------- com.microsoft


def fused(graph: Graph, mask_index: str = "", **attributes: object) -> str:
    """``com.microsoft.Attention`` over the features, with that mask input."""
    weights = graph.weight("qkv_weight", WIDTH, 3 * WIDTH, scale=0.25)
    bias = graph.weight("qkv_bias", 3 * WIDTH)
    return graph.node("Attention", "features", weights, bias, mask_index, domain=CONTRIB, num_heads=HEADS, **attributes)


def counted(graph: Graph) -> str:
    """The number of ones in each row of the mask, which is what the attention fusion makes of it."""
    ones = graph.node("Cast", "attention_mask", to=TensorProto.INT32)
    return graph.node("ReduceSum", ones, graph.constant([1], "int64"), keepdims=0)


def spans(graph: Graph) -> str:
    """Ends, then starts, of the ones in each row."""
    ones = graph.node("Cast", "attention_mask", to=TensorProto.INT32)
    start = graph.node("Cast", graph.node("ArgMax", ones, axis=1, keepdims=0), to=TensorProto.INT32)
    count = graph.node("ReduceSum", ones, graph.constant([1], "int64"), keepdims=0)
    return graph.node("Concat", graph.node("Add", start, count), start, axis=0)


def split_heads(graph: Graph, key_padding: str) -> str:
    """``com.microsoft.MultiHeadAttention`` with a projection for each of query, key and value."""
    parts = [graph.node("MatMul", "features", graph.weight(f"{p}_weight", WIDTH, WIDTH, scale=0.25)) for p in "qkv"]
    return graph.node("MultiHeadAttention", *parts, "", key_padding, domain=CONTRIB, num_heads=HEADS)


# ---------------------------------------------------------------- ai.onnx Attention


def standard(graph: Graph, attention_mask: str = "", valid: str = "", **attributes: object) -> str:
    """The standard ``Attention`` operator over three projections of the features."""
    parts = [graph.node("MatMul", "features", graph.weight(f"{p}_weight", WIDTH, WIDTH, scale=0.25)) for p in "qkv"]
    more = [attention_mask, "", "", valid] if valid else [attention_mask] if attention_mask else []
    return graph.node("Attention", *parts, *more, q_num_heads=HEADS, kv_num_heads=HEADS, **attributes)


def boolean_keys(graph: Graph) -> str:
    """The mask as booleans of shape (batch, 1, time, time)."""
    keys = graph.node(
        "Unsqueeze", graph.node("Cast", "attention_mask", to=TensorProto.BOOL), graph.constant([1, 2], "int64")
    )
    size = graph.node("Shape", "attention_mask", start=1, end=2)
    one = graph.constant([1], "int64")
    return graph.node("Expand", keys, graph.node("Concat", one, one, size, one, axis=0))


# ---------------------------------------------------------------- recurrent nodes


def lstm(graph: Graph, *, both: bool, sequence_lens: str = "", state: bool = False) -> str:
    """A bare ``LSTM`` in (time, batch, width) order; returns its outputs, directions side by side, or its state."""
    directions = 2 if both else 1
    weights = (
        graph.weight("W", directions, 48, 10),
        graph.weight("R", directions, 48, 12),
        graph.weight("B", directions, 96),
    )
    attributes = {"hidden_size": 12, "direction": "bidirectional" if both else "forward"}
    y = graph.node("LSTM", "frames", *weights, sequence_lens, outputs=2, **attributes)
    if state:
        rows = graph.node("Transpose", f"{y}_1", perm=[1, 0, 2])
        return graph.node("Reshape", rows, graph.constant([0, -1], "int64"))
    return graph.node("Reshape", graph.node("Transpose", y, perm=[0, 2, 1, 3]), graph.constant([0, 0, -1], "int64"))


def scan(graph: Graph, *, select: bool) -> str:
    """A recurrent cell in a ``Scan``; with ``select`` the state of a row stays once its mask is zero."""
    recurrent = graph.weight("recurrent", 10, 10)
    nodes = [
        helper.make_node("MatMul", ["state", recurrent], ["carried"], name="scan_carry"),
        helper.make_node("Add", ["carried", "step"], ["sum"], name="scan_add"),
        helper.make_node("Tanh", ["sum"], ["proposed"], name="scan_tanh"),
    ]
    if select:
        nodes.append(helper.make_node("Where", ["keep", "proposed", "state"], ["next"], name="scan_select"))
    else:
        nodes.append(helper.make_node("Identity", ["proposed"], ["next"], name="scan_keep"))
    info = helper.make_tensor_value_info
    inputs = [info("state", TensorProto.FLOAT, [None, 10]), info("step", TensorProto.FLOAT, [None, 10])]
    inputs += [info("keep", TensorProto.BOOL, [None, 1])] if select else []
    body = helper.make_graph(nodes, "cell", inputs, [info("next", TensorProto.FLOAT, [None, 10])])
    batch = graph.node("Shape", "frames", start=1, end=2)
    shape = graph.node("Concat", batch, graph.constant([10], "int64"), axis=0)
    start = graph.node("ConstantOfShape", shape)
    steps = ["frames"]
    if select:
        columns = graph.node("Transpose", graph.node("Cast", "mask", to=TensorProto.BOOL), perm=[1, 0])
        steps.append(graph.node("Unsqueeze", columns, graph.constant([2], "int64")))
    return graph.node("Scan", start, *steps, body=body, num_scan_inputs=len(steps))


# ---------------------------------------------------------------- others


def quantised(graph: Graph) -> str:
    """Dynamic int8: one scale for the whole activation tensor."""
    x = graph.node("DynamicQuantizeLinear", "features", outputs=3)
    weight = graph.constant(graph.rng.integers(-100, 100, (WIDTH, 20)), "int8", "weight")
    product = graph.node("MatMulInteger", x, weight, f"{x}_2", graph.constant(0, "int8"))
    scale = graph.node("Mul", f"{x}_1", graph.constant(0.004, "float32"))
    return graph.node("Mul", graph.node("Cast", product, to=TensorProto.FLOAT), scale)


def half_precision(graph: Graph, fill: float | None) -> str:
    """Attention in float16 whose mask, if any, is ``(1 - mask) * fill``, added to the scores."""
    x = graph.node("Cast", "features", to=TensorProto.FLOAT16)
    query, key, value = (
        graph.node("MatMul", x, graph.constant(graph.rng.standard_normal((WIDTH, WIDTH)) / 8, "float16", f"{p}_weight"))
        for p in ("query", "key", "value")
    )
    scores = graph.node("MatMul", query, graph.node("Transpose", key, perm=[0, 2, 1]))
    if fill is not None:
        ones = graph.node("Cast", "attention_mask", to=TensorProto.FLOAT16)
        pads = graph.node(
            "Sub", graph.constant(1, "float16"), graph.node("Unsqueeze", ones, graph.constant([1], "int64"))
        )
        with np.errstate(over="ignore"):
            bias = graph.node("Mul", pads, graph.constant(fill, "float16", "fill"))
        scores = graph.node("Add", scores, bias)
    weights = graph.node("Softmax", scores, axis=-1)
    return graph.node("Cast", graph.node("MatMul", weights, value), to=TensorProto.FLOAT)


def fourier(graph: Graph) -> str:
    """The real part of the Fourier transform over time."""
    x = graph.node("Unsqueeze", "features", graph.constant([3], "int64"))
    spectrum = graph.node("DFT", x, axis=1)
    real = graph.node("Gather", spectrum, graph.constant(0, "int64"), axis=3)
    return graph.node("Tanh", real)


def global_average(graph: Graph) -> str:
    """Frames as channels, averaged by ``GlobalAveragePool``."""
    x = graph.node("Conv", "features", graph.weight("kernel", 20, 16, 1))
    pooled = graph.node("GlobalAveragePool", graph.node("Tanh", x))
    return graph.node("Squeeze", pooled, graph.constant([2], "int64"))


def embedding_norm(graph: Graph) -> str:
    """``EmbedLayerNormalization`` counts the mask into lengths, and ``Attention`` reads those."""
    tables = [graph.weight("words", 50, WIDTH, scale=1.0), graph.weight("places", 64, WIDTH, scale=1.0)]
    norm = [graph.constant(np.ones(WIDTH), "float32"), graph.constant(np.zeros(WIDTH), "float32")]
    x = graph.node(
        "EmbedLayerNormalization", "input_ids", "", *tables, "", *norm, "attention_mask", outputs=2, domain=CONTRIB
    )
    weights = graph.weight("qkv_weight", WIDTH, 3 * WIDTH, scale=0.25)
    bias = graph.weight("qkv_bias", 3 * WIDTH)
    return graph.node("Attention", x, weights, bias, f"{x}_1", domain=CONTRIB, num_heads=HEADS)
