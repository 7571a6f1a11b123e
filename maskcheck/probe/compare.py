"""Valid regions of outputs, and how far two of them are apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck.core.contract import BATCH, Layout, OutputContract, Side
from maskcheck.core.model import Array


@dataclass(frozen=True, slots=True)
class Region:
    """The valid region of one row of an output: per axis, how many positions and on which side.

    ``extents`` holds ``None`` for axes that padding does not change. ``lengths`` are the valid positions of the input
    for each axis, which tell a ``layout`` other than the usual one.
    """

    extents: tuple[int | None, ...]
    sides: tuple[Side, ...]
    lengths: tuple[int | None, ...] = ()
    layout: Layout = Layout.TOGETHER

    def cut(self, array: Array) -> Array:
        """Apply to an array without its batch axis."""
        for axis, (extent, side) in enumerate(zip(self.extents, self.sides, strict=True)):
            size = array.shape[axis]
            if extent is None or extent >= size:
                continue
            length = self.lengths[axis] if self.lengths else None
            array = np.take(array, self._kept(extent, size, side, length), axis=axis)
        return array

    def _kept(self, extent: int, size: int, side: Side, length: int | None) -> Array:
        """Indices of the valid positions along an axis of ``size``."""
        if self.layout is Layout.BEHIND and length is not None and side is Side.RIGHT and extent > length:
            return np.concatenate([np.arange(length), np.arange(size - (extent - length), size)])
        if self.layout is Layout.BLOCKS and length and extent % length == 0 and size % (extent // length) == 0:
            places: Array = np.arange(size).reshape(extent // length, -1)
            places = places[:, :length] if side is Side.RIGHT else places[:, -length:]
            return places.reshape(-1)
        return np.arange(extent) if side is Side.RIGHT else np.arange(size - extent, size)


def take_row(array: Array, spec: OutputContract, row: int) -> Array:
    """One row of a batched output; an output without a batch axis is every row's.

    Where every row meets every row (the similarities of a contrastive model), a row's own answer is what it makes of
    itself: what it makes of another depends on that one too.
    """
    taken: Array = array[tuple(row if label == BATCH else slice(None) for label in spec.dims)]
    return taken


def difference(reference: Sequence[Array], other: Sequence[Array]) -> float:
    """max|a - b| over all rows, divided by the standard deviation of all reference values.

    Places where both hold the same non-finite value count as equal; a value that became non-finite, or a shape that
    changed, counts as an infinite difference.
    """
    if any(a.shape != b.shape for a, b in zip(reference, other, strict=True)):
        return float("inf")
    worst = 0.0
    for a, b in zip(reference, other, strict=True):
        worst = max(worst, max_abs(a, b))
    return worst / scale(reference) if worst else 0.0


def max_abs(a: Array, b: Array) -> float:
    """max|a - b|; equal non-finite values count as 0, others as infinity."""
    if a.size == 0:
        return 0.0
    if a.dtype == bool or b.dtype == bool:
        return float(np.max(a != b))
    return float(absolute(a, b).max())


def absolute(a: Array, b: Array) -> Array:
    """|a - b| of every entry; equal non-finite values count as 0, others as infinity."""
    x, y = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        gap: Array = np.abs(x - y)
    if not np.all(np.isfinite(gap)):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        gap = np.where(same, 0.0, np.where(np.isfinite(gap), gap, np.inf))
    return gap


def epsilon(arrays: Iterable[Array]) -> float:
    """Spacing of numbers near one in the coarsest floating type among the arrays; 0.0 where none is floating."""
    return max((float(np.finfo(a.dtype).eps) for a in arrays if np.issubdtype(a.dtype, np.floating)), default=0.0)


def scale(reference: Sequence[Array]) -> float:
    """Standard deviation of all finite reference values; their largest magnitude where they hardly vary."""
    finite = [v[np.isfinite(v)] for v in (r.astype(np.float64, copy=False).ravel() for r in reference)]
    values = np.concatenate(finite) if finite else np.zeros(0)
    if values.size == 0:
        return 1.0
    spread = float(values.std())
    largest = float(np.abs(values).max())
    return spread if spread > 1e-6 * largest else (largest or 1.0)


def varies(rows: Sequence[Array]) -> bool:
    """Whether an output holds anything finite that differs at all."""
    values = np.concatenate([np.asarray(r, dtype=np.float64).ravel() for r in rows]) if rows else np.zeros(0)
    values = values[np.isfinite(values)]
    return values.size > 0 and float(values.max()) > float(values.min())


def rounding(reference: Sequence[Array]) -> float:
    """One unit in the last place of the largest reference value, in standard deviations."""
    if not reference or not np.issubdtype(reference[0].dtype, np.floating):
        return 0.0
    largest = max((float(np.max(np.abs(r[np.isfinite(r)]), initial=0.0)) for r in reference), default=0.0)
    return float(np.finfo(reference[0].dtype).eps) * largest / scale(reference)


def cosine_change(reference: Sequence[Array], other: Sequence[Array]) -> float:
    """Largest fall of the cosine similarity between a vector and its twin, over all rows."""
    worst = 0.0
    for a, b in zip(reference, other, strict=True):
        x, y = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
        norm = float(np.linalg.norm(x) * np.linalg.norm(y))
        if norm and np.isfinite(norm):
            worst = max(worst, 1.0 - float(x @ y) / norm)
    return worst
