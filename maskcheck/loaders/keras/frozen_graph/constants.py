"""Constants of a frozen graph: axes, bounds and fills that tell what its operators do, and the shapes of weights."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from maskcheck.ir.constants import SMALL, KnownConstants
from maskcheck.ir.dependence import Dependence, Level
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph
from maskcheck.loaders.keras.frozen_graph.session import FrozenGraphSession


def read_constants(graph: FrozenGraph, dependence: Dependence, session: FrozenGraphSession) -> KnownConstants:
    """Values of small constants, those that are computed from others included, and shapes of large ones.

    Raises:
        RunError: the graph cannot be run.
    """
    constants = [key for key in graph.tensors if dependence.level(key) is Level.CONSTANT]
    shapes = {key: graph.shapes[key] for key in constants if key in graph.shapes}
    return KnownConstants(values=session.run({}, {}, list(_small(graph, dependence))), shapes=shapes)


def _small(graph: FrozenGraph, dependence: Dependence) -> Iterator[str]:
    large: set[str] = set()
    computed = {key for node in graph.nodes for key in node.outputs}
    for key in graph.tensors:
        if key in computed or dependence.level(key) is not Level.CONSTANT:
            continue
        if prod(graph.shapes.get(key, (0,))) > SMALL:
            large.add(key)
        else:
            yield key
    for node in graph.nodes:
        if any(key in large for key in node.inputs):
            large.update(node.outputs)
        elif all(dependence.level(key) is Level.CONSTANT for key in node.outputs):
            yield from (key for key in node.outputs if key in graph.tensors)
