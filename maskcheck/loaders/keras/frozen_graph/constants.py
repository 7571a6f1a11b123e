"""Small constants of a frozen graph: axes, bounds and fills that tell what its operators do."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from maskcheck.core.model import Array
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, Level
from maskcheck.loaders.keras.frozen_graph.session import FrozenGraphSession
from maskcheck.loaders.keras.translate.call import SMALL


def small_constants(graph: FrozenGraph, session: FrozenGraphSession) -> dict[str, Array]:
    """Values of small constants, those that are computed from others included.

    Raises:
        RunError: the graph cannot be run.
    """
    return session.run({}, {}, list(_small(graph)))


def _small(graph: FrozenGraph) -> Iterator[str]:
    large: set[str] = set()
    computed = {key for node in graph.nodes for key in node.outputs}
    for key in graph.tensors:
        if graph.level(key) is Level.CONSTANT and key not in computed and prod(graph.shapes.get(key, (0,))) > SMALL:
            large.add(key)
        elif graph.level(key) is Level.CONSTANT and key not in computed:
            yield key
    for node in graph.nodes:
        if any(key in large for key in node.inputs):
            large.update(node.outputs)
        elif all(graph.level(key) is Level.CONSTANT for key in node.outputs):
            yield from (key for key in node.outputs if key in graph.tensors)
