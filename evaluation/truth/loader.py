"""Rows of a described model as a loader collates them: each as long as it is, filled up to the longest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.given import BATCH, Axis, Given

Array = NDArray[Any]


class Draw(Protocol):
    """Draws numbers; of its own for each framework, so that a row is the same wherever it is asked for."""

    def content(self, given: Given, shape: Sequence[int], seed: int) -> Array:
        """What stands at the real positions."""

    def pads(self, given: Given, shape: Sequence[int], row: int, number: int, noise: float) -> Array:
        """What stands at the pads, in the shape of the whole row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    inputs: Mapping[str, Given]
    draw: Draw
    sizes: tuple[int, ...] = (9, 7, 8, 5, 6, 9, 4, 7)
    """How many real positions the rows have in the first domain."""
    others: tuple[int, ...] = (6, 7, 4, 5, 7, 3, 6)
    """And in further ones."""
    shortest: int = 3
    left: bool = False
    held: Mapping[str, int] = field(default_factory=dict)
    """Domains that a model fixes, with their sizes."""

    def holding(self, held: Mapping[str, int]) -> Loader:
        """The same, with domains of these sizes."""
        return replace(self, held=held)

    @property
    def domains(self) -> list[str]:
        axes = [axis for given in self.inputs.values() for axis in given.shape if isinstance(axis, str)]
        return [name for name in dict.fromkeys(axes) if name != BATCH]

    def size(self, row: int, domain: str) -> int:
        """How many real positions a row has."""
        sizes = self.others if self.domains.index(domain) else self.sizes
        return max(sizes[row % len(sizes)], self.shortest)

    def batch(
        self,
        rows: Sequence[int],
        pads: Mapping[str, int] | None = None,
        noise: float = 0.0,
        front: Mapping[str, int] | None = None,
    ) -> dict[str, Array]:
        """Rows beside each other, each domain ``pads`` longer than its longest row; ``front`` of the pads before it."""
        totals = {d: max(self.size(r, d) for r in rows) + (pads or {}).get(d, 0) for d in self.domains}
        filled = _Filled(self, {**totals, **self.held}, noise, front or {})
        return {name: filled.column(i, given, rows) for i, (name, given) in enumerate(self.inputs.items())}


@dataclass(frozen=True, slots=True)
class _Filled:
    """A loader that knows how long its batch is."""

    loader: Loader
    totals: Mapping[str, int]
    noise: float
    front: Mapping[str, int]

    def column(self, number: int, given: Given, rows: Sequence[int]) -> Array:
        """One input of all rows."""
        if given.kind == "total":
            return np.asarray(self.totals[given.domain], given.dtype)
        if given.domain:
            return self._lengths(given, rows)
        return np.stack([self._row(number, given, row) for row in rows], given.shape.index(BATCH))

    def _lengths(self, given: Given, rows: Sequence[int]) -> Array:
        own = np.asarray([self.loader.size(row, given.domain) + given.offset for row in rows])
        return (own / self.totals[given.domain] if given.kind == "fraction" else own).astype(given.dtype)

    def _row(self, number: int, given: Given, row: int) -> Array:
        axes = [axis for axis in given.shape if axis != BATCH]
        shape = [self.totals[a] if isinstance(a, str) else a for a in axes]
        real = [self.loader.size(row, a) if isinstance(a, str) else a for a in axes]
        whole = self.loader.draw.pads(given, shape, row, number, self.noise)
        starts = [self._start(axis, long - own) for axis, long, own in zip(axes, shape, real, strict=True)]
        place = tuple(slice(start, start + own) for start, own in zip(starts, real, strict=True))
        whole[place] = self.loader.draw.content(given, real, 31 * row + number)
        return whole

    def _start(self, axis: Axis, room: int) -> int:
        return room if self.loader.left else min(self.front.get(str(axis), 0), room)
