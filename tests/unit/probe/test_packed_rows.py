"""Tensors that hold the real steps of all rows, one row behind the other, and no pads."""

from __future__ import annotations

import numpy as np

from maskcheck.core.trace import Trace
from maskcheck.explain.divergence import Alignment, State, states
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.probe.align import Axes, Mode, View, cut, learn
from tests.sites import site as a_site

BESIDE = View(True, rows=2, row=1, lengths=(4, 3))


def test_an_axis_of_all_real_steps_is_told_from_one_of_rows() -> None:
    assert learn((3, 8), (3, 8), (7, 8), BESIDE) == Axes(packed=(0,))
    assert learn((5, 3, 3), (5, 3, 3), (5, 7, 7), BESIDE) == Axes(packed=(1, 2))
    assert learn((3, 8), (3, 8), (6, 8), BESIDE) == Axes(batch=(0,))
    assert learn((3, 8), (3, 8), (5, 8), BESIDE) is None


def test_without_lengths_nothing_is_packed() -> None:
    assert learn((3, 8), (3, 8), (7, 8), View(True, rows=2, row=1)) is None


def test_the_steps_of_a_row_stand_behind_those_of_the_rows_before_it() -> None:
    packed = np.arange(7.0)
    found = cut(packed, Axes(packed=(0,)), BESIDE, Mode(), (3, 6))
    assert found is not None and found.tolist() == [4.0, 5.0, 6.0]


def _states(chosen: list[int]) -> dict[str, State]:
    """Of ``x``, the steps of two rows, and ``taken``, those of them that are no pads, in the order of ``chosen``."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2, 6, 8))
    read = a_site("take", "index", Kind.INDEX, ("x",), ("taken",))
    made = a_site("make", "add", Kind.ELEMENTWISE, ("taken",), ("more",))
    taken = x.reshape(12, 8)[chosen]
    alone = {"x": x[1:], "taken": x[1, :3], "more": x[1, :3] + 1}
    beside = {"x": x, "taken": taken, "more": taken + 1}
    axes = {"x": Axes({1: (3, 6)}, (0,)), "taken": Axes(packed=(0,)), "more": Axes(packed=(0,))}
    view = View(True, lengths=(3,))
    alignment = Alignment(view, BESIDE, axes, (3, 6), {}, exact=False)
    found = states(_trace(alone, read, made), _trace(beside, read, made), alignment)
    return {key: state.state for key, state in found.items()}


def _trace(tensors: dict[str, np.ndarray], *sites: Site) -> Trace:
    return Trace(sites=sites, tensors=tensors, outputs={}, shape_only=frozenset(), constants=frozenset())


def test_rows_one_behind_the_other_are_compared() -> None:
    assert _states([0, 1, 2, 3, 6, 7, 8])["more"] is State.CLEAN


def test_rows_that_are_interleaved_are_not_taken_for_changed_ones() -> None:
    """``pack_padded_sequence`` puts the first steps of all rows first."""
    found = _states([0, 6, 1, 7, 2, 8, 3])
    assert found["taken"] is State.OPAQUE
    assert found["more"] is State.OPAQUE
