"""What a file is given, and the list of all exports.

An export is a function of ``mended`` and a path that writes one ONNX file; its docstring says what the leaky file gets
wrong. The names of axes here are those of the corpus; files name theirs as exporters do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BATCH = "batch"
Build = Callable[[bool, Path], None]
Places = Callable[[Any], set[str]]
"""From a loaded ``onnx.ModelProto`` to the names of nodes."""


@dataclass(frozen=True, slots=True)
class Given:
    """One input: ``shape`` names the axes that belong to rows or to time, and has numbers for the others.

    ``kind`` is one of ``ids``, ``feats``, ``mask``, ``lengths``, ``total`` (the padded length itself) and ``types``
    (zeros). ``pad`` stands at the pads, ``real`` at the real positions of a mask. ``offset`` is added to lengths.
    """

    kind: str
    shape: tuple[str | int, ...]
    vocab: int = 40
    pad: float = 0
    real: float = 1
    dtype: str = "int64"
    domain: str = ""
    """Whose length, where the input is one."""
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Export:
    name: str
    mechanism: str
    host: str
    """The architecture."""
    build: Build
    """Writes the file: ``build(mended, path)``."""
    inputs: Mapping[str, Given]
    """A file may lack some of these: what it does not take is not given to it."""
    places: Places
    """The nodes at which padding enters the real positions of the leaky file; none where it is harmless."""
    module: str
    also: Places | None = None
    """Nodes behind these at which more padding enters."""
    cause: Places | None = None
    """Nodes before these at which the mistake was made, where they are others."""
    left: bool = False
    """Tried with padding in front as well."""
    leaks: tuple[str, ...] = ("right",)
    """The sides of the padding on which the leaky file leaks; a mended one leaks on none."""
    harmless: bool = False
    """Resembles a leak, and is sound in both states."""
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

    def leaky_on(self, side: str, mended: bool) -> bool:
        return not mended and not self.harmless and side in self.leaks

    def in_file(self, given: Given) -> tuple[str | int, ...]:
        """The shape of an input with a number for every axis that the file fixes."""
        return tuple(self.held.get(axis, axis) if isinstance(axis, str) else axis for axis in given.shape)


EXPORTS: dict[str, Export] = {}


def export(mechanism: str, host: str, places: Places, **told: Any) -> Callable[[Build], Build]:
    """Puts the function below it on the list; what is told and no field of ``Export`` is an input."""

    def add(build: Build) -> Build:
        name, module = build.__name__, build.__module__.rsplit(".", 1)[-1]
        options = {key: value for key, value in told.items() if not isinstance(value, Given)}
        inputs = {key: value for key, value in told.items() if isinstance(value, Given)}
        EXPORTS[name] = Export(name, mechanism, host, build, inputs, places, module, **options)
        return build

    return add


def ids(*shape: str | int, vocab: int = 40, pad: int = 0, dtype: str = "int64") -> Given:
    return Given("ids", shape, vocab=vocab, pad=pad, dtype=dtype)


def feats(*shape: str | int) -> Given:
    return Given("feats", shape, dtype="float32")


def mask(*shape: str | int, dtype: str = "int64") -> Given:
    """1 where real."""
    return Given("mask", shape, dtype=dtype)


def padmask(*shape: str | int, dtype: str = "bool") -> Given:
    """1 where padded."""
    return Given("mask", shape, real=0, pad=1, dtype=dtype)


def additive(*shape: str | int, fill: float = -1e9) -> Given:
    """0 where real, ``fill`` where padded."""
    return Given("mask", shape, real=0, pad=fill, dtype="float32")


def lengths(domain: str = "time", dtype: str = "int64", offset: int = 0) -> Given:
    return Given("lengths", (BATCH,), domain=domain, dtype=dtype, offset=offset)


def total(domain: str = "time", dtype: str = "int32") -> Given:
    """The padded length, as a number."""
    return Given("total", (), domain=domain, dtype=dtype)


def types(*shape: str | int, dtype: str = "int64") -> Given:
    """Segment numbers, all 0."""
    return Given("types", shape, dtype=dtype)


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
