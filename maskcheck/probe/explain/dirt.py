"""Which tensors differ between twins at valid positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from maskcheck.core.model import Array
from maskcheck.core.trace import Trace
from maskcheck.probe.compare import max_abs, scale
from maskcheck.probe.explain.align import MIRRORED, MODES, Axes, Mode, View, cut, reshape_like
from maskcheck.probe.noise import HEADROOM, MARGIN


class State(StrEnum):
    CLEAN = "clean"
    DIRTY = "dirty"
    OPAQUE = "opaque"  # not observed, or not alignable
    IGNORED = "ignored"  # weights, and values computed from sizes alone


@dataclass(frozen=True, slots=True)
class TensorState:
    """``gap`` is max|a - b| over the valid region in standard deviations of the reference there."""

    state: State
    gap: float = 0.0
    mode: Mode = MODES[0]


@dataclass(frozen=True, slots=True)
class Alignment:
    """Everything needed to compare two traces: their views, every tensor's axes, the noise, and how strict to be."""

    reference: View
    twin: View
    axes: Mapping[str, Axes | None]
    ratio: tuple[int, int]
    noise: Mapping[str, float]
    exact: bool

    def parts(self, key: str, before: Array, after: Array, mode: Mode) -> tuple[Array, Array] | None:
        """The two regions that should be equal, of one shape, as views; ``None`` where this reading does not fit."""
        axes = self.axes.get(key)
        if axes is None:
            return None
        a = cut(before, axes, self.reference, mode, self.ratio)
        b = cut(after, axes, self.twin, mode, self.ratio)
        if a is None or b is None:
            return None
        if a.shape != b.shape:
            a = reshape_like(a, b.shape)
        return None if a is None else (a, b)


def compare(key: str, before: Array, after: Array, alignment: Alignment) -> TensorState:
    """State of one tensor. Among several readings of a merged axis the one with the smallest difference is right.

    A mirrored reading counts only where it makes the tensor clean, and only against an unpadded run: it explains a
    reversal, never a leak, and the other ends of two padded tensors are equal because both hold pads.
    """
    best: tuple[float, Mode, Array] | None = None
    for mode in MODES:
        found = alignment.parts(key, before, after, mode)
        if found is None:
            continue
        gap = max_abs(*found)
        if best is None or gap < best[0]:
            best = (gap, mode, found[0])
        if gap == 0.0:
            break
    if best is None:
        return TensorState(State.OPAQUE)
    gap, mode, reference = best
    if gap <= _limit(key, reference, alignment):
        return TensorState(State.CLEAN, gap / scale([reference]) if gap else 0.0, mode)
    for mirrored in MIRRORED if not alignment.reference.padded else ():
        found = alignment.parts(key, before, after, mirrored)
        if found is not None and max_abs(*found) <= _limit(key, found[0], alignment):
            return TensorState(State.CLEAN, 0.0, mirrored)
    return TensorState(State.DIRTY, gap / scale([reference]), mode)


def _limit(key: str, reference: Array, alignment: Alignment) -> float:
    """Largest absolute difference that is rounding for this tensor."""
    if not np.issubdtype(reference.dtype, np.floating):
        return 0.0
    finite = reference[np.isfinite(reference)].astype(np.float64)
    headroom = HEADROOM * float(np.finfo(reference.dtype).eps) * float(np.max(np.abs(finite), initial=0.0))
    return headroom if alignment.exact else headroom + MARGIN * alignment.noise.get(key, 0.0)


def states(reference: Trace, twin: Trace, alignment: Alignment) -> dict[str, TensorState]:
    """State of every tensor that either trace knows of."""
    ignored = reference.shape_only | twin.shape_only | reference.constants | twin.constants
    found: dict[str, TensorState] = {}
    for key in {*reference.tensors, *twin.tensors}:
        before, after = reference.tensors.get(key), twin.tensors.get(key)
        if key in ignored:
            found[key] = TensorState(State.IGNORED)
        elif before is None or after is None:
            found[key] = TensorState(State.OPAQUE)
        else:
            found[key] = compare(key, before, after, alignment)
    for key in ignored:
        found.setdefault(key, TensorState(State.IGNORED))
    return found
