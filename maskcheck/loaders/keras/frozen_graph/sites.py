"""Operators of a frozen graph as sites, and what its tensors depend on."""

from __future__ import annotations

from maskcheck.ir.constants import NOTHING_KNOWN, Constants
from maskcheck.ir.dependence import Dependence, Level, find_dependence
from maskcheck.ir.graph import Site
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, FrozenNode
from maskcheck.loaders.keras.translate.call import Call, Operand
from maskcheck.loaders.keras.translate.operators import translate_operator

_ALL_READ = Dependence({})


def depend(graph: FrozenGraph) -> Dependence:
    """What every tensor depends on. That says which are constants, so none are known yet."""
    sites = (_site(node, graph, _ALL_READ, NOTHING_KNOWN) for node in graph.nodes)
    return find_dependence(sites, graph.inputs)


def build_sites(graph: FrozenGraph, dependence: Dependence, constants: Constants) -> tuple[Site, ...]:
    """One site for every operator that the inputs reach, in the graph's order."""
    nodes = (n for n in graph.nodes if any(dependence.level(key) is not Level.CONSTANT for key in n.outputs))
    return tuple(_site(node, graph, dependence, constants) for node in nodes)


def _site(node: FrozenNode, graph: FrozenGraph, dependence: Dependence, constants: Constants) -> Site:
    operands = tuple(_operand(key, graph, dependence.level(key), constants) for key in node.inputs)
    done = translate_operator(Call(operator=node.operator, operands=operands, attributes=node.attributes))
    return Site(
        name=node.name,
        operator=node.operator,
        operation=done.operation,
        inputs=tuple(dict.fromkeys(_worked_on_first(node))),
        outputs=node.outputs,
        settings=done.settings,
        module=node.module,
    )


_AXIS_FIRST = frozenset({"Split"})
"""Operators that name an axis before the tensor they work on."""


def _worked_on_first(node: FrozenNode) -> tuple[str, ...]:
    """The operands in the order that all frameworks share."""
    return (*node.inputs[1:], node.inputs[0]) if node.operator in _AXIS_FIRST else node.inputs


def _operand(key: str, graph: FrozenGraph, level: Level, constants: Constants) -> Operand:
    shape = graph.shapes.get(key)
    if level is Level.CONSTANT:
        return Operand(constant=constants.value(key), shape=shape)
    return Operand(key=key, shape=shape, sized=level is Level.SHAPE)
