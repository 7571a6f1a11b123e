"""Small ONNX models for the loader's tests, built node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from maskcheck.core.settings import Settings
from maskcheck.loaders.onnx.model import OnnxModel, load

FLOAT, INT64, INT32, BOOL, HALF = (
    TensorProto.FLOAT,
    TensorProto.INT64,
    TensorProto.INT32,
    TensorProto.BOOL,
    TensorProto.FLOAT16,
)
node = helper.make_node
Value = tuple[str, int, Sequence[Any] | None]


def build(
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[Value],
    outputs: Sequence[Value],
    weights: Mapping[str, np.ndarray] | None = None,
    *,
    opset: int = 20,
    ir_version: int = 10,
    functions: Sequence[onnx.FunctionProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """A model of one graph; ``domains`` are imported at version 1 beside the standard and Microsoft's."""
    graph = helper.make_graph(
        list(nodes),
        "graph",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()],
    )
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, 1) for domain in ("com.microsoft", *domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=ir_version, functions=list(functions))


def save(model: onnx.ModelProto, path: Path) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


def opened(model: onnx.ModelProto, folder: Path, **settings: Any) -> OnnxModel:
    """The model written to ``folder`` and loaded from there."""
    return load(save(model, folder / "model.onnx"), Settings(**settings))


def random(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def encoder(*, fill: float = -1e9) -> onnx.ModelProto:
    """Embedding, masked self-attention and a mean over all positions, which leaks."""
    nodes = [
        node("Gather", ["table", "ids"], ["x"], name="embed"),
        node("MatMul", ["x", "weight"], ["q"], name="query"),
        node("Transpose", ["x"], ["xt"], name="turn", perm=[0, 2, 1]),
        node("MatMul", ["q", "xt"], ["scores"], name="score"),
        node("Equal", ["mask", "zero"], ["pads"], name="compare"),
        node("Unsqueeze", ["pads", "one"], ["pads3"], name="widen"),
        node("Where", ["pads3", "fill", "scores"], ["masked"], name="hide"),
        node("Softmax", ["masked"], ["weights"], name="softmax", axis=-1),
        node("MatMul", ["weights", "x"], ["hidden"], name="mix"),
        node("ReduceMean", ["hidden", "one"], ["pooled"], name="pool", keepdims=0),
    ]
    weights = {
        "table": random(50, 16),
        "weight": random(16, 16, seed=1),
        "zero": np.array(0, np.int64),
        "one": np.array([1], np.int64),
        "fill": np.array(fill, np.float32),
    }
    inputs = [("ids", INT64, ["batch", "seq"]), ("mask", INT64, ["batch", "seq"])]
    return build(nodes, inputs, [("pooled", FLOAT, ["batch", 16]), ("hidden", FLOAT, None)], weights)


def encoder_feeds(batch: int = 2, length: int = 7) -> dict[str, np.ndarray]:
    mask = np.ones((batch, length), np.int64)
    mask[-1, length // 2 + 1 :] = 0
    return {"ids": np.random.default_rng(2).integers(1, 50, (batch, length)), "mask": mask}
