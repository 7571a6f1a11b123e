"""Valid regions of outputs, and how far two of them are apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck.core.contract import BATCH, OutputContract, Side
from maskcheck.core.model import Array


@dataclass(frozen=True, slots=True)
class Region:
    """The valid region of one row of an output: per axis, how many positions and on which side.

    ``extents`` holds ``None`` for axes that padding does not change.
    """

    extents: tuple[int | None, ...]
    sides: tuple[Side, ...]

    def cut(self, array: Array) -> Array:
        """Apply to an array without its batch axis."""
        index = []
        for extent, side, size in zip(self.extents, self.sides, array.shape, strict=True):
            if extent is None or extent >= size:
                index.append(slice(None))
            else:
                index.append(slice(0, extent) if side is Side.RIGHT else slice(size - extent, size))
        return array[tuple(index)]


def take_row(array: Array, spec: OutputContract, row: int) -> Array:
    """One row of a batched output; an output without a batch axis is every row's."""
    return np.take(array, row, axis=spec.dims.index(BATCH)) if BATCH in spec.dims else array


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
    x, y = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    with np.errstate(all="ignore"):
        gap = np.abs(x - y)
    if not np.all(np.isfinite(gap)):
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        gap = np.where(same, 0.0, np.where(np.isfinite(gap), gap, np.inf))
    return float(gap.max())


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
