"""Values that a graph fixes: initialisers, ``Constant`` nodes, and what nodes make of them by tiny arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from maskcheck.ir.constants import KEEPS_FILL, SMALL, Array, KnownConstants, empty_row_of, fill_of, fold
from maskcheck.loaders.onnx.files import WeightReader, size_of
from maskcheck.loaders.onnx.graph import RANDOM, OnnxGraph, OnnxNode
from maskcheck.loaders.onnx.operations import operation_of

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphConstants:
    """The constants of one graph by the names of tensors, as ``maskcheck.ir.constants.Constants`` asks for them.

    ``known`` holds small constants and the shapes of all; what is larger is read where it lies. ``varying`` names the
    tensors that an input or a random number reaches.
    """

    graph: OnnxGraph
    reader: WeightReader
    known: KnownConstants
    varying: frozenset[str]

    def is_constant(self, key: str) -> bool:
        return bool(key) and key not in self.varying

    def value(self, key: str) -> Array | None:
        return self.known.value(key)

    def fill(self, key: str) -> float | None:
        return self.known.fill(key)

    def integers(self, key: str) -> tuple[int, ...] | None:
        return self.known.integers(key)

    def shape(self, key: str) -> Shape | None:
        """The shape; of what an input reaches only that of its default."""
        holds = key in self.graph.initializers or key not in self.varying
        return self.known.shape(key) if holds else None

    def empty_row(self, key: str) -> int | None:
        return empty_row_of(self.weight(key))

    def weight(self, key: str) -> Array | None:
        """The initialiser ``key`` of any size, as a view of the mapped file where it lies in one."""
        tensor = self.graph.initializers.get(key)
        return self.reader.read(tensor) if tensor is not None else self.value(key)


def read_constants(graph: OnnxGraph, reader: WeightReader) -> GraphConstants:
    """Read the small initialisers of ``graph``, and work out what its nodes make of them."""
    varying = find_varying(graph)
    found = _Pass(reader)
    for name, tensor in graph.initializers.items():
        found.enter_stored(name, tensor, fixed=name not in graph.defaults)
    for node in graph.nodes:
        if len(node.makes) == 1:
            found.enter_made(node, fixed=node.makes[0] not in varying)
    known = KnownConstants(values=found.values, shapes=found.shapes, fills=found.fills)
    return GraphConstants(graph=graph, reader=reader, known=known, varying=varying)


def find_varying(graph: OnnxGraph) -> frozenset[str]:
    """Keys of tensors that an input or a random number reaches. Known before sites are, which are made of constants."""
    varying = set(graph.inputs)
    for node in graph.nodes:
        draws = node.random_inside or (node.default and node.op in RANDOM)
        if draws or not varying.isdisjoint(node.reads):
            varying.update(node.makes)
    return frozenset(varying)


@dataclass(slots=True)
class _Pass:
    """What is known so far, in one pass over the nodes in the order in which they run."""

    reader: WeightReader
    values: dict[str, Array] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    fills: dict[str, float] = field(default_factory=dict)

    def enter_stored(self, name: str, tensor: onnx.TensorProto, *, fixed: bool) -> None:
        """Enter an initialiser; one that is not ``fixed`` is the default of an input."""
        self.shapes[name] = tuple(tensor.dims)
        value = self.reader.read(tensor) if fixed and size_of(tensor) <= SMALL else None
        if value is not None:
            self.values[name] = value

    def enter_made(self, node: OnnxNode, *, fixed: bool) -> None:
        """Enter what ``node`` makes; only what is ``fixed`` has a shape that holds for every run."""
        key = node.makes[0]
        value = self._value(node) if node.default else None
        if value is not None and value.size <= SMALL:
            self.values[key] = value
        elif node.default and (fill := self._fill(node)) is not None:
            self.fills[key] = fill
        if fixed and (shape := _shape_behind(node, self.shapes)) is not None:
            self.shapes[key] = shape

    def _value(self, node: OnnxNode) -> Array | None:
        if node.op == "Constant":
            return _stored_value(node, self.reader)
        operation = operation_of(node)
        reads = node.inputs[:1] if operation in KEEPS_FILL else node.inputs
        operands = [self.values[key] for key in reads if key in self.values]
        if not operands or len(operands) != len(reads):
            return None
        return _cast(operands[0], node) if node.op == "Cast" else fold(operation, operands)

    def _fill(self, node: OnnxNode) -> float | None:
        if node.op == "ConstantOfShape":
            return _fill_of_shape(node, self.reader)
        if operation_of(node) not in KEEPS_FILL or node.op == "BitCast":
            return None
        key = node.input(0)
        return self.fills[key] if key in self.fills else fill_of(self.values.get(key))


def _cast(value: Array, node: OnnxNode) -> Array:
    from onnx import helper

    with np.errstate(all="ignore"):
        return value.astype(np.dtype(helper.tensor_dtype_to_np_dtype(node.attributes["to"])))


_PLAIN_VALUES = {
    "value_float": np.float32,
    "value_floats": np.float32,
    "value_int": np.int64,
    "value_ints": np.int64,
}
"""Attributes of ``Constant`` that hold numbers rather than a tensor, and their types."""


def _stored_value(node: OnnxNode, reader: WeightReader) -> Array | None:
    """The small value of a ``Constant`` node."""
    tensor = _tensor_of(node)
    if tensor is not None:
        return reader.read(tensor) if size_of(tensor) <= SMALL else None
    plain = ((name, dtype) for name, dtype in _PLAIN_VALUES.items() if name in node.attributes)
    return next((np.asarray(node.attributes[name], dtype) for name, dtype in plain), None)


def _fill_of_shape(node: OnnxNode, reader: WeightReader) -> float | None:
    """What ``ConstantOfShape`` fills with: zeros where it is not told."""
    tensor = _tensor_of(node)
    return 0.0 if tensor is None else fill_of(reader.read(tensor))


def _tensor_of(node: OnnxNode) -> onnx.TensorProto | None:
    from onnx import AttributeProto

    return next((a.t for a in node.proto.attribute if a.type == AttributeProto.TENSOR), None)


_KEEP_SHAPE = frozenset({"Identity", "Cast", "DequantizeLinear"})


def _shape_behind(node: OnnxNode, shapes: Mapping[str, Shape]) -> Shape | None:
    """Shape of what a node makes of a constant, where the node keeps or permutes it."""
    shape = shapes.get(node.input(0))
    if shape is None or node.op in _KEEP_SHAPE:
        return shape
    if node.op != "Transpose" or not node.default:
        return None
    order = node.attributes.get("perm") or range(len(shape))[::-1]
    return tuple(shape[axis] for axis in order)
