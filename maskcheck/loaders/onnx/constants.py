"""Values that the graph fixes: initialisers, ``Constant`` nodes, and short chains of arithmetic over them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.loaders.onnx.dependence import Dependence, Level
from maskcheck.loaders.onnx.files import WeightReader
from maskcheck.loaders.onnx.graph import OnnxGraph, OnnxNode

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 4096
"""Constants of up to this many elements are worth reading for what they say; larger ones are weights."""

_DEPTH = 12

_ARITHMETIC: dict[str, Callable[..., Any]] = {
    "Add": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "Neg": np.negative,
    "Sqrt": np.sqrt,
    "Min": np.minimum,
    "Max": np.maximum,
}
_SAME_FILL = frozenset({"Identity", "Reshape", "Unsqueeze", "Squeeze", "Expand", "Transpose", "Tile", "Flatten"})


@dataclass(slots=True)
class Constants:
    """Looks up constants of one graph; answers are remembered."""

    graph: OnnxGraph
    dependence: Dependence
    reader: WeightReader
    _values: dict[str, Array | None] = field(default_factory=dict)

    def value(self, key: str) -> Array | None:
        """The small constant ``key`` holds, or ``None`` where it is no constant, too large, or not simply read."""
        if key not in self._values:
            self._values[key] = self._read(key, _DEPTH)
        return self._values[key]

    def fill(self, key: str) -> float | None:
        """The one number that fills tensor ``key`` everywhere, whatever its shape; ``None`` where there is none."""
        return self._fill(key, _DEPTH)

    def integers(self, key: str) -> tuple[int, ...] | None:
        """The constant integers at ``key``, flattened."""
        value = self.value(key)
        return tuple(int(v) for v in value.reshape(-1)) if value is not None and value.dtype.kind in "iub" else None

    def weight(self, key: str) -> Array | None:
        """The initialiser ``key`` of any size, as a view of the mapped file where it lies in one."""
        tensor = self.graph.initializers.get(key)
        return self.reader.read(tensor) if tensor is not None else self.value(key)

    def dims(self, key: str) -> tuple[int, ...] | None:
        """Shape of a constant, without reading it, seen through operators that keep or permute it."""
        for _ in range(_DEPTH):
            tensor = self.graph.initializers.get(key)
            if tensor is not None:
                return tuple(tensor.dims)
            node = self.graph.producers.get(key)
            if node is None or self.dependence.level(key) is not Level.CONSTANT:
                return None
            if node.op == "Transpose" and node.default:
                dims = self.dims(node.input(0))
                order = node.attributes.get("perm")
                return None if dims is None else tuple(dims[i] for i in (order or range(len(dims))[::-1]))
            if node.op not in ("Identity", "Cast", "DequantizeLinear"):
                value = self.value(key)
                return None if value is None else value.shape
            key = node.input(0)
        return None

    def is_constant(self, key: str) -> bool:
        return bool(key) and self.dependence.level(key) is Level.CONSTANT and self._known(key)

    def _known(self, key: str) -> bool:
        return key in self.graph.initializers or key in self.graph.producers

    def _read(self, key: str, depth: int) -> Array | None:
        tensor = self.graph.initializers.get(key)
        if tensor is not None:
            fixed = key not in self.graph.defaults and int(np.prod(tensor.dims, dtype=np.int64)) <= SMALL
            return self.reader.read(tensor) if fixed else None
        node = self.graph.producers.get(key)
        if node is None or not node.default or not depth:
            return None
        if node.op == "Constant":
            return self._constant(node)
        if node.op in _SAME_FILL - {"Identity"} or self.dependence.level(key) is not Level.CONSTANT:
            return self._layout(node, depth)
        read = [self._read(name, depth - 1) for name in node.inputs]
        operands = [value for value in read if value is not None]
        if len(operands) != len(read) or not operands:
            return None
        return _compute(node, operands)

    def _layout(self, node: OnnxNode, depth: int) -> Array | None:
        """Layout of a constant: worked out only where the result's shape does not matter to whoever asks."""
        if node.op not in ("Unsqueeze", "Squeeze", "Reshape") or not node.input(0):
            return None
        inner = self._read(node.input(0), depth - 1)
        if inner is None or inner.size != 1:
            return None
        return inner.reshape(1) if node.op != "Squeeze" else inner.reshape(())

    def _constant(self, node: OnnxNode) -> Array | None:
        from onnx import AttributeProto

        for attribute in node.proto.attribute:
            if attribute.type == AttributeProto.TENSOR:
                count = int(np.prod(attribute.t.dims, dtype=np.int64))
                return self.reader.read(attribute.t) if count <= SMALL else None
        for name, dtype in (("value_float", np.float32), ("value_floats", np.float32), ("value_int", np.int64)):
            if name in node.attributes:
                return np.asarray(node.attributes[name], dtype)
        return np.asarray(node.attributes["value_ints"], np.int64) if "value_ints" in node.attributes else None

    def _fill(self, key: str, depth: int) -> float | None:
        node = self.graph.producers.get(key)
        if node is not None and depth and node.default:
            if node.op in _SAME_FILL or node.op == "Cast":
                return self._fill(node.input(0), depth - 1)
            if node.op == "ConstantOfShape":
                return self._shape_fill(node)
        value = self.value(key)
        if value is None or not value.size or value.dtype.kind not in "fiub":
            return None
        first = value.reshape(-1)[0]
        return float(first) if bool((value == first).all()) else None

    def _shape_fill(self, node: OnnxNode) -> float | None:
        for attribute in node.proto.attribute:
            if attribute.name == "value":
                value = self.reader.read(attribute.t)
                return None if value is None else float(value.reshape(-1)[0])
        return 0.0


def _compute(node: OnnxNode, operands: list[Array]) -> Array | None:
    if node.op == "Identity":
        return operands[0]
    if node.op == "Cast":
        from onnx import helper

        return operands[0].astype(np.dtype(helper.tensor_dtype_to_np_dtype(node.attributes["to"])))
    function = _ARITHMETIC.get(node.op)
    if function is None or len(operands) not in (1, 2):
        return None
    with np.errstate(all="ignore"):
        return np.asarray(function(*operands))
