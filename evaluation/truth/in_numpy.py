"""Rows drawn by numpy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.given import Given
from evaluation.truth.loader import Array


@dataclass(frozen=True, slots=True)
class Drawn:
    """Noise at the pads of features, and of ids."""

    def content(self, given: Given, shape: Sequence[int], seed: int) -> Array:
        drawn = np.random.default_rng(seed)
        if given.kind == "ids":
            found = drawn.integers(1, given.vocab, shape)
            return np.where(found == given.pad, given.pad - 1 if given.pad > 1 else 2, found).astype(given.dtype)
        if given.kind == "feats":
            return drawn.standard_normal(shape).astype(given.dtype)
        return np.full(shape, given.real if given.kind == "mask" else 0, given.dtype)

    def pads(self, given: Given, shape: Sequence[int], row: int, number: int, noise: float) -> Array:
        drawn = np.random.default_rng(7000 + 31 * row + number + sum(shape))
        if given.kind == "feats":
            return (drawn.standard_normal(shape) * noise).astype(given.dtype)
        if given.kind == "ids" and noise:
            return drawn.integers(0, given.vocab, shape).astype(given.dtype)
        return np.full(shape, given.pad, given.dtype)


@dataclass(frozen=True, slots=True)
class DrawnOnPads(Drawn):
    """Noise is added to what stands at the pads of features: ids that are pads say so in Keras."""

    def pads(self, given: Given, shape: Sequence[int], row: int, number: int, noise: float) -> Array:
        whole = np.full(shape, given.pad, given.dtype)
        if given.kind != "feats" or not noise:
            return whole
        drawn = np.random.default_rng(row + sum(shape))
        return whole + drawn.standard_normal(shape).astype(given.dtype) * noise
