"""Which tensors differ between twins at valid positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np

from maskcheck.core.model import Array
from maskcheck.core.trace import Trace
from maskcheck.explain.filler import adds_steps, keeps_steps
from maskcheck.ir.graph import Site
from maskcheck.probe.align import MIRRORED, MODES, Axes, Grids, Mode, View, cut, grids_of, reshape_like
from maskcheck.probe.compare import max_abs, scale
from maskcheck.probe.noise import HEADROOM, MARGIN

_FILL = 1e3
"""Scores that are smaller than minus this were filled in or are looked at more closely."""
_APART = 100.0
"""How many times larger than everything else a fill is: -1e4 beside scores of some tens."""


class State(StrEnum):
    CLEAN = "clean"
    DIRTY = "dirty"
    OPAQUE = "opaque"  # not observed, or not alignable
    IGNORED = "ignored"  # weights, and values computed from sizes alone


@dataclass(frozen=True, slots=True)
class TensorState:
    """``gap`` is max|a - b| over the valid region in standard deviations of the reference there.

    ``filled`` is positive for a clean tensor with steps in it that the model added itself; those may differ. It is how
    many steps there are with them, where an axis of that size is still to be seen.
    """

    state: State
    gap: float = 0.0
    mode: Mode = MODES[0]
    filled: int = 0


@dataclass(frozen=True)
class Alignment:
    """Everything needed to compare two traces: their views, every tensor's axes, the noise, and how strict to be.

    ``whole`` tensors are compared at pads as well: the mask of an equally padded row says the same there. ``alike``
    says that all of the row is equally padded in both runs.
    """

    reference: View
    twin: View
    axes: Mapping[str, Axes | None]
    ratio: tuple[int, int]
    noise: Mapping[str, float]
    exact: bool
    whole: frozenset[str] = frozenset()
    alike: bool = False

    @cached_property
    def grids(self) -> Grids:
        """Height and width of merged axes."""
        return grids_of(self.axes.values())

    def parts(
        self, key: str, before: Array, after: Array, mode: Mode, pads: bool = False
    ) -> tuple[Array, Array] | None:
        """The two regions that should be equal, of one shape, as views; ``None`` where this reading does not fit.

        With ``pads`` the row's own pads belong to them.
        """
        axes = self.axes.get(key)
        if axes is None:
            return None
        if pads or key in self.whole:
            axes = replace(axes, sequence={})
        a = cut(before, axes, self.reference, mode, self.ratio, self.grids)
        b = cut(after, axes, self.twin, mode, self.ratio, self.grids)
        if a is None or b is None:
            return None
        if a.shape != b.shape:
            a = reshape_like(a, b.shape)
        return None if a is None else (a, b)


def compare(
    key: str,
    before: Array,
    after: Array,
    alignment: Alignment,
    *,
    turned: bool = False,
    mirrors: bool = True,
    like: Mode | None = None,
) -> TensorState:
    """State of one tensor. Among several readings of a merged axis the one with the smallest difference is right.

    A mirrored reading counts only where it makes the tensor clean, or where what it is made of is ``turned``, and only
    against an unpadded run: it explains a reversal, never a leak, and the other ends of two padded tensors are equal
    because both hold pads. A difference is read ``like`` what the tensor was made of, where that is known.
    """
    best: tuple[float, Mode, tuple[Array, Array]] | None = None
    for mode in MODES:
        found = alignment.parts(key, before, after, mode)
        if found is None:
            continue
        gap = max_abs(*found)
        if best is None or gap < best[0]:
            best = (gap, mode, found)
        if gap == 0.0:
            break
    if best is None:
        return TensorState(State.OPAQUE)
    gap, mode, parts = best
    if gap == 0.0:
        return TensorState(State.CLEAN, 0.0, mode)
    clean, gap, unit = _judged(key, parts, alignment)
    if clean:
        return TensorState(State.CLEAN, gap / unit if gap else 0.0, mode)
    if like is not None and (known := alignment.parts(key, before, after, like)) is not None:
        mode = like
        _, gap, unit = _judged(key, known, alignment)
    dirty = TensorState(State.DIRTY, gap / unit, mode)
    for mirrored in MIRRORED if mirrors and not alignment.reference.padded else ():
        found = alignment.parts(key, before, after, mirrored)
        if found is None:
            continue
        clean, gap, unit = _judged(key, found, alignment)
        if clean:
            return TensorState(State.CLEAN, 0.0, mirrored)
        if turned and not dirty.mode.mirrored:
            dirty = TensorState(State.DIRTY, gap / unit, mirrored)
    return dirty


def _merged_alike(one: str, other: str, alignment: Alignment) -> bool:
    """Whether two tensors have their rows in the same axis, alone or merged with steps or heads."""
    a, b = alignment.axes.get(one), alignment.axes.get(other)
    return a is not None and b is not None and bool(a.batch) and (a.sequence, a.batch) == (b.sequence, b.batch)


def _judged(key: str, parts: tuple[Array, Array], alignment: Alignment) -> tuple[bool, float, float]:
    """Whether two regions differ by rounding only, by how much they differ, and their scale.

    What a mask filled in is judged by its own magnitude: the rounding of -1e9 would hide any difference of the scores
    beside it.
    """
    before, after = parts
    filled = _filled(before)
    if filled is None:
        gap = max_abs(before, after)
        return gap <= _limit(key, before, alignment), gap, scale([before])
    others = before[~filled], after[~filled]
    gap = max_abs(*others)
    fills = max_abs(before[filled], after[filled]) <= _limit(key, before[filled], alignment)
    return fills and gap <= _limit(key, others[0], alignment), gap, scale([others[0]])


def _filled(values: Array) -> Array | None:
    """Which entries are a mask's fill: far below all others, with nothing in between. ``None`` where there is none."""
    if not np.issubdtype(values.dtype, np.floating) or not np.any(values < -_FILL):
        return None
    low = values < 0.5 * np.nanmin(np.where(np.isfinite(values), values, 0.0))
    rest = np.abs(values[~low & np.isfinite(values)])
    lowest_fill = float(-np.max(values[low], initial=-np.inf))
    return low if rest.size and lowest_fill > _APART * max(float(rest.max()), 1e-30) else None


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
    made = {key: site for site in twin.sites for key in site.outputs}
    for key in dict.fromkeys((*made, *reference.tensors, *twin.tensors)):  # in the order in which they are made
        before, after = reference.tensors.get(key), twin.tensors.get(key)
        if key in ignored:
            found[key] = TensorState(State.IGNORED)
        elif before is None or after is None:
            if key in reference.tensors or key in twin.tensors:
                found[key] = TensorState(State.OPAQUE)
        else:
            read = {k: found[k] for k in made[key].inputs if k in found} if key in made else {}
            turned = _turned(read, alignment.axes)
            like = next((s.mode for k, s in read.items() if _merged_alike(k, key, alignment)), None)
            found[key] = compare(key, before, after, alignment, turned=turned, like=like)
            filled = 0
            if found[key].state is State.DIRTY and not _follows_packing(key, read, alignment.axes):
                found[key] = TensorState(State.OPAQUE)
            if found[key].state is State.DIRTY:
                filled = _only_filled(made.get(key), read, reference, twin, made, ignored, alignment.axes)
            if filled:
                found[key] = replace(found[key], state=State.CLEAN, gap=0.0, filled=filled)
    for key in ignored:
        found.setdefault(key, TensorState(State.IGNORED))
    return found


def _follows_packing(key: str, read: Mapping[str, TensorState], axes: Mapping[str, Axes | None]) -> bool:
    """Whether a tensor of real steps only has them in the order of the rows, as far as what it is made of tells."""
    known = axes.get(key)
    if known is None or not known.packed:
        return True
    packed = [s for k, s in read.items() if (made_of := axes.get(k)) is not None and made_of.packed]
    return any(s.state in (State.CLEAN, State.DIRTY) for s in packed)


def _turned(read: Mapping[str, TensorState], axes: Mapping[str, Axes | None]) -> bool:
    """Whether what a tensor is made of stands at the other end of the row, all of it: where two sequences meet that do
    not lie side by side, the one that was not moved says where the row is.
    """
    ends = {
        state.mode.mirrored
        for key, state in read.items()
        if state.state in (State.CLEAN, State.DIRTY) and (known := axes.get(key)) is not None and known.sequence
    }
    return ends == {True}


def _only_filled(
    site: Site | None,
    read: Mapping[str, TensorState],
    reference: Trace,
    twin: Trace,
    made: Mapping[str, Site],
    known: frozenset[str],
    axes: Mapping[str, Axes | None],
) -> int:
    """Whether a tensor that differs is made of clean ones, and by a site that leaves its added steps by themselves.

    The number of steps with the added ones, ``UNSEEN`` where no axis tells it any more; 0 where it is not so.
    """
    if site is None or any(state.state not in (State.CLEAN, State.IGNORED) for state in read.values()):
        return 0
    sizes = {key: state.filled for key, state in read.items() if state.filled}
    if sizes:
        return keeps_steps(site, sizes, reference, twin, known)
    return adds_steps(site, twin, axes, made, known)
