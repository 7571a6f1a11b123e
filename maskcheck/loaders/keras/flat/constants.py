"""Small constants of a flat graph: axes, bounds and fills that tell what its operators do."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

from maskcheck.core.model import Array
from maskcheck.loaders.keras.flat.graph import Flat, Level
from maskcheck.loaders.keras.flat.session import Session

SMALL = 4096
"""Constants of up to this many elements are worth reading; larger ones are weights."""


def small_constants(flat: Flat, session: Session) -> dict[str, Array]:
    """Values of small constants, those that are computed from others included.

    Raises:
        RunError: the graph cannot be run.
    """
    return session.run({}, {}, list(_small(flat)))


def _small(flat: Flat) -> Iterator[str]:
    large: set[str] = set()
    computed = {key for node in flat.nodes for key in node.outputs}
    for key in flat.tensors:
        if flat.level(key) is Level.CONSTANT and key not in computed and prod(flat.shapes.get(key, (0,))) > SMALL:
            large.add(key)
        elif flat.level(key) is Level.CONSTANT and key not in computed:
            yield key
    for node in flat.nodes:
        if any(key in large for key in node.inputs):
            large.update(node.outputs)
        elif all(flat.level(key) is Level.CONSTANT for key in node.outputs):
            yield from (key for key in node.outputs if key in flat.tensors)
