"""What a file is, and the list of all exports.

An export is a function of ``mended`` and a path that writes one ONNX file; its docstring says what the leaky file gets
wrong. The names of axes here are those of the corpus; files name theirs as exporters do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.described import Build, Described, listing
from evaluation.given import BATCH, Given, additive, feats, ids, lengths, mask, padmask, total, types

__all__ = ["additive", "feats", "ids", "lengths", "mask", "padmask", "total", "types"]
Places = Callable[[Any], set[str]]
"""From a loaded ``onnx.ModelProto`` to the names of nodes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export(Described):
    """``build(mended, path)`` writes the file. It may lack some of the inputs: what it does not take is not given."""

    host: str
    """The architecture."""
    places: Places
    """The nodes at which padding enters the real positions of the leaky file; none where it is harmless."""
    also: Places | None = None
    """Nodes behind these at which more padding enters."""
    cause: Places | None = None
    """Nodes before these at which the mistake was made, where they are others."""
    left: bool = False
    """Tried with padding in front as well."""
    leaks: tuple[str, ...] = ("right",)
    """The sides of the padding on which the leaky file leaks; a mended one leaks on none."""
    held: Mapping[str, int] = field(default_factory=dict)
    """Axes that the file fixes, ``batch`` among them, with their sizes."""
    inside: Mapping[str, int] = field(default_factory=dict)
    """Sizes that the file itself fills an axis up to."""
    int8: bool = False
    """Quantised, so that rounding may flip a step."""
    shown: bool = False
    """Nothing tells the file what is padding but the value that stands there."""
    rows: tuple[int, ...] = (0,)
    """The axis of each output that holds the rows; the last one holds for all further outputs."""
    shortest: int = 3

    @property
    def sides(self) -> tuple[str, ...]:
        return ("right", "left") if self.left else ("right",)

    @property
    def batch(self) -> int:
        """The number of rows it takes at least."""
        return self.held.get(BATCH, 1)

    @property
    def times(self) -> dict[str, int]:
        """The domains whose length it fixes."""
        return {axis: fixed for axis, fixed in self.held.items() if axis != BATCH}

    def leaky_on(self, side: str, mended: bool) -> bool:
        return not mended and not self.harmless and side in self.leaks

    def in_file(self, given: Given) -> tuple[str | int, ...]:
        """The shape of an input with a number for every axis that the file fixes."""
        return tuple(self.held.get(axis, axis) if isinstance(axis, str) else axis for axis in given.shape)


EXPORTS: dict[str, Export] = {}
_describe = listing(EXPORTS, Export)


def export(mechanism: str, host: str, places: Places, **told: Any) -> Callable[[Build], Build]:
    """Puts the function below it on the list."""
    return _describe(mechanism, host=host, places=places, **told)


def named(*fragments: str) -> Places:
    """The nodes whose names end with one of these."""

    def find(model: Any) -> set[str]:
        return {node.name for node in model.graph.node if node.name.endswith(fragments)}

    return find


def of_type(*ops: str, at: int | None = None) -> Places:
    """The nodes of these types in the main graph, or only the one in place ``at`` among them."""

    def find(model: Any) -> set[str]:
        found = [node.name for node in model.graph.node if node.op_type in ops]
        return set(found if at is None else found[at : at + 1 or None])

    return find


def nowhere(model: Any) -> set[str]:
    return set()
