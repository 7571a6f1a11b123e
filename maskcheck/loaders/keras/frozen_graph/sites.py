"""Operators of a frozen graph as sites, with the settings that matter to padding in their usual names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, FrozenNode, Level
from maskcheck.loaders.keras.operations import operator_operation

_OPERATIONS = {
    "Where": Operation.NON_ZERO,  # the operator lists positions; the operation of Keras that is called so selects
    "CudnnRNNV3": Operation.RNN,
}
_REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "All", "Any", "ArgMax", "ArgMin", "EuclideanNorm"})
_FILLS = {"SelectV2": (1, 2), "Select": (1, 2), "AddV2": (0, 1), "Add": (0, 1), "Sub": (1,), "Mul": (0, 1)}
_LAST_AXIS = frozenset({"Softmax", "LogSoftmax"})
_AXIS_AT = {"ExpandDims": 1, "Cumsum": 1, "Cumprod": 1, "GatherV2": 2, "ConcatV2": -1, "Split": 0, "SplitV": 2}
_NO_END = 2**31 - 1

Constants = Mapping[str, Array]


def build_sites(graph: FrozenGraph, constants: Constants) -> tuple[Site, ...]:
    """One site for every operator that the inputs reach, in the graph's order."""
    return tuple(
        Site(
            name=node.name,
            operator=node.operator,
            operation=operation_of(node, graph),
            inputs=tuple(dict.fromkeys(node.inputs)),
            outputs=node.outputs,
            module=node.module,
            attributes=_settings(node, constants),
        )
        for node in graph.nodes
        if any(graph.level(key) is not Level.CONSTANT for key in node.outputs)
    )


def operation_of(node: FrozenNode, graph: FrozenGraph) -> Operation:
    """Translate an operator; rows of a constant table picked by what the inputs hold are an embedding."""
    if is_lookup(node, graph):
        return Operation.EMBEDDING
    return _OPERATIONS.get(node.operator) or operator_operation(node.operator)


def is_lookup(node: FrozenNode, graph: FrozenGraph) -> bool:
    return (
        node.operator == "GatherV2"
        and len(node.inputs) > 1
        and graph.level(node.inputs[0]) is Level.CONSTANT
        and graph.level(node.inputs[1]) is Level.DATA
    )


def fill(constants: Constants, key: str) -> float | None:
    """The one number that a small constant holds everywhere."""
    value = constants.get(key)
    if value is None or not value.size or value.dtype.kind not in "fiub":
        return None
    first = value.reshape(-1)[0]
    return float(first) if bool((value == first).all()) else None


def _settings(node: FrozenNode, constants: Constants) -> dict[str, Any]:
    found = dict(node.attributes)
    if node.operator in _REDUCTIONS and len(node.inputs) > 1:
        axes = _integers(constants, node.inputs[1])
        found |= {} if axes is None else {"axes": axes}
        found["keepdims"] = int(bool(node.attributes.get("keep_dims")))
    elif node.operator in _LAST_AXIS:
        found["axis"] = -1
    elif node.operator in _AXIS_AT and len(node.inputs) > 1:
        axis = _integers(constants, node.inputs[_AXIS_AT[node.operator]])
        found |= {"axis": axis[0]} if axis else {}
        found |= {"reverse": bool(node.attributes["reverse"])} if "reverse" in node.attributes else {}
    elif node.operator == "Squeeze" and node.attributes.get("squeeze_dims"):
        found["axes"] = node.attributes["squeeze_dims"]
    elif node.operator == "StridedSlice":
        found |= _sliced(node, constants)
    if node.operator in _FILLS:
        known = [v for p in _FILLS[node.operator] if p < len(node.inputs) for v in [fill(constants, node.inputs[p])]]
        values = [v for v in known if v is not None]
        found |= {"fill": values[0]} if len(values) == 1 else {"fills": values} if values else {}
    return found


def _sliced(node: FrozenNode, constants: Constants) -> dict[str, Any]:
    """Bounds along those axes that are cut; an axis behind dots counts from the end."""
    bounds = [_integers(constants, key) for key in node.inputs[1:4]]
    masks = {name: int(node.attributes.get(f"{name}_mask", 0)) for name in ("begin", "end", "ellipsis", "shrink_axis")}
    if len(bounds) < 3 or any(b is None for b in bounds) or node.attributes.get("new_axis_mask"):
        return {}
    begins, ends, steps = ([*b] for b in bounds if b is not None)
    found: dict[str, list[int]] = {"axes": [], "starts": [], "ends": [], "steps": []}
    behind = False
    for i, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        if masks["ellipsis"] >> i & 1:
            behind = True
            continue
        one = bool(masks["shrink_axis"] >> i & 1)
        start = 0 if masks["begin"] >> i & 1 and not one else begin
        stop = begin + 1 if one else _NO_END if masks["end"] >> i & 1 else end
        stop = _NO_END if one and begin == -1 else stop
        if (start, stop, step) != (0, _NO_END, 1):
            entry = {"axes": i - len(begins) if behind else i, "starts": start, "ends": stop, "steps": step}
            for name, value in entry.items():
                found[name].append(value)
    return dict(found)


def _integers(constants: Constants, key: str) -> list[int] | None:
    value = constants.get(key)
    return None if value is None or value.dtype.kind not in "iu" else [int(v) for v in np.ravel(value)]
