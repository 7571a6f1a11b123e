"""How the inputs of a frozen graph are consumed, seen through operators that keep values."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, FrozenNode, Level
from maskcheck.loaders.keras.frozen_graph.sites import Constants, is_lookup, operation_of
from maskcheck.loaders.keras.operations import SIZES
from maskcheck.loaders.keras.translate.call import uniform

_KEEPS = frozenset({"Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "StridedSlice", "Transpose", "Tile"})
_EQUALITY = frozenset({"Equal", "NotEqual"})
_PUTS_OUT = frozenset({"SelectV2", "Select", "Mul"})
"""Operators by which a layer blanks the steps it took for padding."""

_FROM_MASK = frozenset({"Any", "All", "Cast", "ExpandDims", "Reshape", "LogicalNot"})


Makers = Mapping[str, FrozenNode]


def input_uses(graph: FrozenGraph, constants: Constants) -> tuple[InputUse, ...]:
    """All uses of all inputs."""
    makers = {key: node for node in graph.nodes for key in node.outputs}
    ends = {node.name: node for node in graph.nodes if _counts_from_end(node, graph, makers, constants)}
    inner = {key for node in ends.values() for key in node.inputs[:2]}
    nodes = [node for node in graph.nodes if node.operator not in SIZES and not inner & set(node.outputs)]
    return tuple(dict.fromkeys(use for name in graph.inputs for use in _of_input(name, nodes, ends, graph, constants)))


def _of_input(
    name: str, nodes: list[FrozenNode], ends: Collection[str], graph: FrozenGraph, constants: Constants
) -> Iterator[InputUse]:
    views, masks = {name}, dict[str, float | int]()
    for node in nodes:
        marked = next((masks[k] for k in node.inputs if k in masks), None)
        if node.operator in _FROM_MASK and marked is not None:
            masks.update(dict.fromkeys(node.outputs, marked))
        if not any(key in views for key in node.inputs):
            continue
        does = operation_of(node, graph)
        if node.name in ends or (node.operator in _KEEPS and node.inputs[0] in views):
            views.update(node.outputs)
        elif is_lookup(node, graph) and node.inputs[1] in views:
            rows = graph.shapes.get(node.inputs[0])
            yield InputUse(
                input=name,
                kind=UseKind.INDEX,
                site=node.name,
                operator=node.operator,
                value=rows[0] if rows else None,
                operation=does,
            )
        elif node.operator in _EQUALITY and (value := _compared(node, views, constants)) is not None:
            masks.update(dict.fromkeys(node.outputs, value))
            yield InputUse(
                input=name, kind=UseKind.COMPARE, site=node.name, operator=node.operator, value=value, operation=does
            )
        elif node.operator in _PUTS_OUT and marked is not None:
            yield InputUse(
                input=name, kind=UseKind.MASKING, site=node.name, operator=node.operator, value=marked, operation=does
            )
        else:
            yield InputUse(
                input=name, kind=UseKind.OTHER, site=node.name, operator=node.operator, value=None, operation=does
            )


def _compared(node: FrozenNode, views: Collection[str], constants: Constants) -> float | int | None:
    other = next((k for k in node.inputs if k not in views), None)
    value = None if other is None else uniform(constants.get(other))
    return int(value) if value is not None and value.is_integer() else value


def _counts_from_end(node: FrozenNode, graph: FrozenGraph, makers: Makers, constants: Constants) -> bool:
    """Whether ``node`` is ``where(ids < 0, ids + rows, ids)``, by which a lookup lets negative ids count from the end.

    The comparison and the sum in it tell nothing of padding.
    """
    if node.operator not in ("SelectV2", "Select") or len(node.inputs) != 3:
        return False
    less, moved, ids = makers.get(node.inputs[0]), makers.get(node.inputs[1]), node.inputs[2]
    if less is None or moved is None or less.operator != "Less" or not moved.operator.startswith("Add"):
        return False
    below_none = less.inputs[0] == ids and uniform(constants.get(less.inputs[1])) == 0
    return below_none and ids in moved.inputs and graph.level(ids) is Level.DATA
