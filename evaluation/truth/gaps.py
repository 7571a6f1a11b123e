"""How far answers are apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluation.truth.loader import Array

GONE = 9.0
"""Stands for a difference from what is no number."""


def gap(x: Array, y: Array, left: bool) -> float:
    """The largest difference at the positions of ``y``, the smaller one; NaN that was there before is none."""
    x = _cut(x, y.shape, left)
    if x.shape != y.shape:
        return GONE
    with np.errstate(invalid="ignore"):
        apart = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    return float(np.nan_to_num(apart, nan=GONE, posinf=GONE).max(initial=0.0))


def _cut(x: Array, shape: Sequence[int], left: bool) -> Array:
    for axis, (more, own) in enumerate(zip(x.shape, shape, strict=True)):
        if more != own:
            x = x.take(range(more - own, more) if left else range(min(own, more)), axis)
    return x


def scale(answers: Sequence[Array]) -> float:
    """The standard deviation of the answers to all rows."""
    return max(float(np.nanstd(np.concatenate([x.ravel() for x in answers]))), 1e-12)
