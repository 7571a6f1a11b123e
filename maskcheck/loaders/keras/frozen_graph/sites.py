"""Operators of a frozen graph as sites."""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.core.model import Array
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.loaders.keras.attributes import node_attributes
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, FrozenNode, Level
from maskcheck.loaders.keras.translate.call import Call, Operand
from maskcheck.loaders.keras.translate.operators import translate_operator

Constants = Mapping[str, Array]


def build_sites(graph: FrozenGraph, constants: Constants) -> tuple[Site, ...]:
    """One site for every operator that the inputs reach, in the graph's order."""
    nodes = (n for n in graph.nodes if any(graph.level(key) is not Level.CONSTANT for key in n.outputs))
    return tuple(_site(node, graph, constants) for node in nodes)


def _site(node: FrozenNode, graph: FrozenGraph, constants: Constants) -> Site:
    done = translate_operator(_call(node, graph, constants))
    return Site(
        name=node.name,
        operator=node.operator,
        operation=done.operation,
        inputs=tuple(dict.fromkeys(node.inputs)),
        outputs=node.outputs,
        settings=done.settings,
        module=node.module,
        attributes=node_attributes(node, constants),
    )


def operation_of(node: FrozenNode, graph: FrozenGraph) -> Operation:
    """What an operator does; rows of a constant table picked by what the inputs hold are an embedding."""
    return translate_operator(_call(node, graph, {})).operation


def is_lookup(node: FrozenNode, graph: FrozenGraph) -> bool:
    return operation_of(node, graph) is Operation.EMBEDDING


def _call(node: FrozenNode, graph: FrozenGraph, constants: Constants) -> Call:
    operands = tuple(_operand(key, graph, constants) for key in node.inputs)
    return Call(operator=node.operator, operands=operands, attributes=node.attributes)


def _operand(key: str, graph: FrozenGraph, constants: Constants) -> Operand:
    level, shape = graph.level(key), graph.shapes.get(key)
    if level is Level.CONSTANT:
        return Operand(constant=constants.get(key), shape=shape)
    return Operand(key=key, shape=shape, sized=level is Level.SHAPE)
