"""Transformer encoders of any size as ONNX files with external data and random weights, made without a framework."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper

_OPSET = 17


class _Builder:
    def __init__(self, folder: Path, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._folder = folder
        self._data = (folder / "model.onnx.data").open("wb")
        self._rng = np.random.default_rng(seed)

    def node(self, operation: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(operation, inputs, [output], name=f"/{output}", **attributes))
        return output

    def small(self, name: str, value: object, dtype: type = np.float32) -> str:
        self.weights.append(onnx.numpy_helper.from_array(np.asarray(value, dtype=dtype), name))
        return name

    def large(self, name: str, *shape: int) -> str:
        """A random weight whose bytes go to the data file."""
        values = (self._rng.standard_normal(shape, dtype=np.float32) / np.float32(shape[0] ** 0.5)).tobytes()
        tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        place = {"location": "model.onnx.data", "offset": self._data.tell(), "length": len(values)}
        for key, value in place.items():
            tensor.external_data.add(key=key, value=str(value))
        self._data.write(values)
        self.weights.append(tensor)
        return name

    def dense(self, x: str, name: str, width_in: int, width_out: int) -> str:
        product = self.node("MatMul", [x, self.large(f"{name}.weight", width_in, width_out)], f"{name}/MatMul")
        return self.node("Add", [product, self.small(f"{name}.bias", np.zeros(width_out))], f"{name}/Add")

    def norm(self, x: str, name: str, width: int) -> str:
        scale, bias = self.small(f"{name}.weight", np.ones(width)), self.small(f"{name}.bias", np.zeros(width))
        return self.node("LayerNormalization", [x, scale, bias], name, axis=-1)

    def close(self) -> None:
        self._data.close()


def encoder(
    folder: Path, *, layers: int, width: int, heads: int = 8, vocabulary: int = 1000, leaky: bool = False
) -> Path:
    """Write ``folder/model.onnx``: input_ids and attention_mask to a (masked or plain) mean of the last layer.

    ``leaky`` leaves the mask out of every attention.
    """
    folder.mkdir(parents=True, exist_ok=True)
    b = _Builder(folder, seed=0)
    b.small("one", 1.0)
    b.small("low", -1e9)
    b.small("split", [0, 0, heads, width // heads], np.int64)
    b.small("join", [0, 0, width], np.int64)
    b.small("scale", (width / heads) ** -0.5)
    mask = b.node("Cast", ["attention_mask"], "mask", to=TensorProto.FLOAT)
    keys = b.node("Unsqueeze", [mask, b.small("axes12", [1, 2], np.int64)], "mask4")
    bias = b.node("Mul", [b.node("Sub", ["one", keys], "unmasked"), "low"], "bias")
    x = b.node("Gather", [b.large("embeddings", vocabulary, width), "input_ids"], "embedded")
    for i in range(layers):
        x = _layer(b, x, f"layer.{i}", width, None if leaky else bias)
    wide = b.node("Unsqueeze", [mask, b.small("axis2", [2], np.int64)], "mask3")
    total = b.node(
        "ReduceSum", [b.node("Mul", [x, wide], "kept"), b.small("axis1", [1], np.int64)], "total", keepdims=0
    )
    count = b.node("ReduceSum", [mask, "axis1"], "count", keepdims=1)
    b.node("Div", [total, count], "sentence_embedding")
    b.close()
    graph = helper.make_graph(
        b.nodes,
        "encoder",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "seq"]),
            helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "seq"]),
        ],
        [helper.make_tensor_value_info("sentence_embedding", TensorProto.FLOAT, ["batch", width])],
        b.weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=10)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def _layer(b: _Builder, x: str, name: str, width: int, bias: str | None) -> str:
    def split(part: str, order: list[int]) -> str:
        projected = b.dense(x, f"{name}.{part}", width, width)
        apart = b.node("Reshape", [projected, "split"], f"{name}.{part}/split")
        return b.node("Transpose", [apart], f"{name}.{part}/heads", perm=order)

    query, key, value = split("query", [0, 2, 1, 3]), split("key", [0, 2, 3, 1]), split("value", [0, 2, 1, 3])
    scores = b.node("Mul", [b.node("MatMul", [query, key], f"{name}.qk"), "scale"], f"{name}.scores")
    if bias is not None:
        scores = b.node("Add", [scores, bias], f"{name}.masked")
    weights = b.node("Softmax", [scores], f"{name}.softmax", axis=-1)
    context = b.node(
        "Transpose", [b.node("MatMul", [weights, value], f"{name}.context")], f"{name}.back", perm=[0, 2, 1, 3]
    )
    attended = b.dense(b.node("Reshape", [context, "join"], f"{name}.joined"), f"{name}.output", width, width)
    x = b.norm(b.node("Add", [x, attended], f"{name}.residual"), f"{name}.norm1", width)
    inner = b.node("Relu", [b.dense(x, f"{name}.up", width, 4 * width)], f"{name}.relu")
    return b.norm(
        b.node("Add", [x, b.dense(inner, f"{name}.down", 4 * width, width)], f"{name}.sum"), f"{name}.norm2", width
    )
