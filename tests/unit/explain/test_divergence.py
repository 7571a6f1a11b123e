"""Which tensors differ at valid positions: judged by their own noise, or by none where the shapes are the same."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from maskcheck.core.contract import Side
from maskcheck.core.trace import Trace
from maskcheck.explain.divergence import Alignment, State, TensorState, compare, states
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.align import MIRRORED, MODES, Axes, View
from tests.sites import site as a_site

UNPADDED, PADDED = View(False), View(True)
STEPS = Axes({0: (3, 5)})
EPS = float(np.finfo(np.float32).eps)
ROW = np.array([1.0, -2.0, 4.0], dtype=np.float32)
"""Three real steps; rounding of the largest is sixteen times four units."""


def alignment(
    *,
    exact: bool = False,
    noise: float = 0.0,
    reference: View = UNPADDED,
    axes: Mapping[str, Axes | None] | None = None,
    whole: frozenset[str] = frozenset(),
) -> Alignment:
    return Alignment(reference, PADDED, axes or {"t": STEPS}, (3, 5), {"t": noise}, exact, whole)


def padded(row: np.ndarray, pads: float = 9.0) -> np.ndarray:
    return np.concatenate([row, np.full(2, pads, dtype=row.dtype)])


def moved(by: float) -> np.ndarray:
    return padded(ROW + np.array([0, 0, by], dtype=np.float32))


def test_what_pads_hold_is_not_compared() -> None:
    assert compare("t", ROW, padded(ROW), alignment()) == TensorState(State.CLEAN, 0.0, MODES[0])


@pytest.mark.parametrize(
    ("by", "noise", "exact", "state"),
    [
        (0.9 * 64 * EPS, 0.0, True, State.CLEAN),
        (1.2 * 64 * EPS, 0.0, True, State.DIRTY),
        (0.9e-2, 1e-3, False, State.CLEAN),
        (1.1e-2, 1e-3, False, State.DIRTY),
        (0.9e-2, 1e-3, True, State.DIRTY),
        (1.2 * 64 * EPS, 1e-3, True, State.DIRTY),
    ],
)
def test_noise_is_an_excuse_where_lengths_differ_and_none_where_shapes_are_the_same(
    by: float, noise: float, exact: bool, state: State
) -> None:
    assert compare("t", ROW, moved(by), alignment(exact=exact, noise=noise)).state is state


def test_the_gap_is_in_standard_deviations_of_the_reference() -> None:
    assert compare("t", ROW, moved(1.0), alignment()).gap == pytest.approx(1 / float(ROW.std()))


def test_integers_have_no_rounding() -> None:
    before = np.array([1, 2, 3])
    found = compare("t", before, np.array([1, 2, 4, 9, 9]), alignment(noise=9.0))
    assert found.state is State.DIRTY


@pytest.mark.parametrize("axes", [None, Axes({0: (3, 6)})], ids=["unknown axes", "other sizes"])
def test_what_cannot_be_aligned_is_opaque(axes: Axes | None) -> None:
    assert compare("t", ROW, padded(ROW), alignment(axes={"t": axes})).state is State.OPAQUE


def test_masks_of_equally_padded_rows_are_compared_at_pads_too() -> None:
    before, after = padded(ROW, 1.0), padded(ROW, 0.0)
    both = {"reference": PADDED, "exact": True}
    assert compare("t", before, after, alignment(**both)).state is State.CLEAN  # type: ignore[arg-type]
    whole = alignment(**both, whole=frozenset({"t"}))  # type: ignore[arg-type]
    assert compare("t", before, after, whole).state is State.DIRTY


def test_a_reversed_sequence_is_clean_at_its_other_end_beside_an_unpadded_run_only() -> None:
    reversed_ = np.concatenate([np.zeros(2, np.float32), ROW])
    found = compare("t", ROW, reversed_, alignment())
    assert (found.state, found.mode) == (State.CLEAN, MIRRORED[0])
    assert compare("t", ROW, reversed_, alignment(), mirrors=False).state is State.DIRTY
    beside = np.concatenate([np.ones(2, np.float32), ROW])
    assert compare("t", beside, reversed_, alignment(reference=PADDED)).state is State.DIRTY


def test_a_difference_of_what_was_turned_is_read_at_the_other_end() -> None:
    reversed_ = np.concatenate([np.zeros(2, np.float32), ROW + np.float32(0.5)])
    assert not compare("t", ROW, reversed_, alignment()).mode.mirrored
    found = compare("t", ROW, reversed_, alignment(), turned=True)
    assert found.state is State.DIRTY and found.mode.mirrored
    assert found.gap == pytest.approx(0.5 / float(ROW.std()))


def test_merged_axes_are_read_so_that_the_least_differs() -> None:
    rows = np.arange(6.0, dtype=np.float32)
    beside = View(True, rows=2, row=1)
    merged = Alignment(UNPADDED, beside, {"t": Axes(batch=(0,))}, (3, 5), {}, exact=True)
    interleaved = np.stack([rows * 10, rows], axis=1).ravel()
    found = compare("t", rows, interleaved, merged)
    assert found.state is State.CLEAN and not found.mode.rows_first
    behind = np.concatenate([rows * 10, rows])
    assert compare("t", rows, behind, merged).mode.rows_first


def test_a_difference_is_read_like_what_the_tensor_was_made_of() -> None:
    rows = np.arange(4.0, dtype=np.float32)
    beside = View(True, rows=2, row=1)
    merged = Alignment(UNPADDED, beside, {"t": Axes(batch=(0,))}, (3, 5), {}, exact=True)
    behind = np.concatenate([rows * 10, rows + np.float32(5)])
    assert compare("t", rows, behind, merged, like=MODES[0]).gap == pytest.approx(5 / float(rows.std()))
    assert compare("t", rows, behind, merged, like=MODES[2]).mode is MODES[2]


# Whole traces.


def trace(tensors: dict[str, np.ndarray], *sites: Site, **further: frozenset[str]) -> Trace:
    return Trace(sites, tensors, {}, **further)  # type: ignore[arg-type]


ADD = a_site("add", "Add", K.ELEMENTWISE, ("t",), ("made",))


def found(before: dict[str, np.ndarray], after: dict[str, np.ndarray], *sites: Site, **further: frozenset[str]):  # type: ignore[no-untyped-def]
    axes = dict.fromkeys((*before, *after), STEPS)
    told = states(trace(before, *sites), trace(after, *sites, **further), alignment(axes=axes))
    return {key: state.state for key, state in told.items()}


def test_every_tensor_that_either_run_made_has_a_state() -> None:
    told = found({"t": ROW, "made": ROW, "gone": ROW}, {"t": padded(ROW), "made": moved(1.0)}, ADD)
    assert told == {"t": State.CLEAN, "made": State.DIRTY, "gone": State.OPAQUE}


@pytest.mark.parametrize("kind", ["shape_only", "constants"])
def test_sizes_and_weights_are_left_out(kind: str) -> None:
    told = found({"t": ROW, "made": ROW}, {"t": moved(1.0), "made": moved(1.0)}, ADD, **{kind: frozenset({"t", "w"})})
    assert told == {"t": State.IGNORED, "made": State.DIRTY, "w": State.IGNORED}


def test_what_neither_run_made_has_no_state() -> None:
    assert "made" not in found({"t": ROW}, {"t": padded(ROW)}, ADD)


def test_padding_on_the_left_is_cut_there() -> None:
    left = Alignment(UNPADDED, View(True, Side.LEFT), {"t": STEPS}, (3, 5), {}, exact=False)
    after = np.concatenate([np.full(2, 9, np.float32), ROW])
    found_ = compare("t", ROW, after, left)
    assert (found_.state, found_.mode.mirrored) == (State.CLEAN, False)
