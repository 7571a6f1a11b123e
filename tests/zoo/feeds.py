"""Feeds for a case: rows of valid content, and batches of them under a chosen padding. Numpy only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .case import DIMENSIONS, Case, Input

Array = npt.NDArray[np.generic]

CONTENT = frozenset({"tokens", "features", "segments"})
"""Roles that hold data; every other role follows from the lengths."""


@dataclass(frozen=True, slots=True)
class Row:
    """One sequence: its number of valid positions along each dimension, and its values without any padding."""

    lengths: Mapping[str, int]
    content: Mapping[str, Array]


def shape(spec: Input, batch: int, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Shape of an input for a batch and the given length of each dimension."""
    known = {"B": batch, "1": 1, **spec.sizes, **sizes}
    return tuple(known[axis] for axis in spec.axes)


def values(spec: Input, size: tuple[int, ...], rng: np.random.Generator, scale: float = 1.0) -> Array:
    """Random values that may stand in a content input: ids from 1 on (0 pads), segments, or normal features."""
    if spec.role == "tokens":
        return rng.integers(1, spec.vocabulary, size).astype(spec.dtype)
    if spec.role == "segments":
        return rng.integers(0, spec.vocabulary, size).astype(spec.dtype)
    return (scale * rng.standard_normal(size)).astype(spec.dtype)


def row(case: Case, valid: Mapping[str, int], seed: int) -> Row:
    """A sequence of ``valid`` positions, equal for equal seeds."""
    rng = np.random.default_rng(seed)
    content = {i.name: values(i, shape(i, 1, valid), rng) for i in case.spec if i.role in CONTENT}
    return Row(dict(valid), content)


def batch(
    case: Case,
    rows: Sequence[Row],
    width: Mapping[str, int],
    side: str = "right",
    filler: tuple[int, float] | None = None,
) -> dict[str, Array]:
    """Pad ``rows`` to ``width`` and stack them.

    ``filler`` is a seed and a scale for random values at pads instead of the pad value.
    """
    return {i.name: _stack(i, rows, width, side, filler) for i in case.spec}


def _stack(
    spec: Input, rows: Sequence[Row], width: Mapping[str, int], side: str, filler: tuple[int, float] | None
) -> Array:
    if spec.role == "lengths":
        return np.asarray([_length(spec, r, width) for r in rows], dtype=spec.dtype)
    if "B" not in spec.axes:
        raise ValueError(f"input {spec.name} has no batch axis")
    return np.concatenate([_pad(spec, r, width, side, filler) for r in rows], axis=spec.axes.index("B"))


def _length(spec: Input, item: Row, width: Mapping[str, int]) -> float:
    count = item.lengths[spec.dimension]
    return count / width[spec.dimension] if spec.relative else count


def _pad(spec: Input, item: Row, width: Mapping[str, int], side: str, filler: tuple[int, float] | None) -> Array:
    size = shape(spec, 1, width)
    region = block(spec.axes, item.lengths, width, side)
    if spec.role in ("mask", "additive_mask"):
        return _mark(spec, size, item.lengths, width, side)
    if spec.role == "positions":
        out = np.zeros(size, spec.dtype)
        out[region] = np.arange(spec.offset, spec.offset + item.lengths[spec.dimension])
        return out
    if filler is not None and spec.role != "segments" and not spec.reads_padding:
        out = values(spec, size, np.random.default_rng(filler[0]), filler[1])
    else:
        out = np.zeros(size, spec.dtype)
    out[region] = item.content[spec.name]
    return out


def _mark(spec: Input, size: tuple[int, ...], valid: Mapping[str, int], width: Mapping[str, int], side: str) -> Array:
    out = np.full(size, spec.pad, spec.dtype)
    keys = "".join("." if axis in spec.axes[i + 1 :] else axis for i, axis in enumerate(spec.axes))
    out[block(keys, valid, width, side)] = spec.valid
    return out


def block(axes: str, valid: Mapping[str, int], width: Mapping[str, int], side: str) -> tuple[slice, ...]:
    """Slices of the valid region: along every padded axis its first (or, padded left, last) positions."""

    def span(axis: str) -> slice:
        if axis not in DIMENSIONS:
            return slice(None)
        return slice(0, valid[axis]) if side == "right" else slice(width[axis] - valid[axis], width[axis])

    return tuple(span(axis) for axis in axes)
