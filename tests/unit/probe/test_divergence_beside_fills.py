"""A difference of scores is seen beside what a mask filled in, however large that is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from maskcheck.explain.divergence import Alignment, State, compare
from maskcheck.probe.align import Axes, View

ALIGNMENT = Alignment(View(False), View(True), {"scores": Axes()}, (5, 8), {}, exact=False)


def scores(fill: float, moved: float) -> tuple[Any, Any]:
    """Causal scores of five positions without and with pads; one score moves."""
    drawn = np.random.default_rng(0).standard_normal((1, 4, 5, 5)).astype(np.float32)
    before = np.where(np.tri(5, dtype=bool), drawn, np.float32(fill))
    after = before.copy()
    after[0, 0, 3, 1] += np.float32(moved)
    return before, after


@pytest.mark.parametrize("fill", [-1e4, -1e9, float(np.finfo(np.float32).min), -np.inf])
def test_a_moved_score_is_dirt(fill: float) -> None:
    found = compare("scores", *scores(fill, 0.01), ALIGNMENT)
    assert found.state is State.DIRTY and 0.001 < found.gap < 0.1, "in deviations of the scores, not of the fills"


@pytest.mark.parametrize("fill", [-1e4, -1e9, float(np.finfo(np.float32).min), -np.inf])
def test_rounding_of_a_score_is_none(fill: float) -> None:
    assert compare("scores", *scores(fill, 1e-7), ALIGNMENT).state is State.CLEAN


def test_rounding_of_the_fill_itself_is_none() -> None:
    before, after = scores(-1e9, 0.0)
    after[0, 0, 0, 4] = np.nextafter(before[0, 0, 0, 4], np.float32(0))
    assert compare("scores", before, after, ALIGNMENT).state is State.CLEAN


def test_another_fill_is_dirt() -> None:
    before, after = scores(-1e9, 0.0)
    after[0, 0, 0, 4] = -1e4
    assert compare("scores", before, after, ALIGNMENT).state is State.DIRTY


def test_large_activations_are_no_fills() -> None:
    before = np.array([[1.0, -2000.0, 30.0, 500.0]], dtype=np.float32)
    after = before + np.float32(1e-4)
    assert compare("scores", before, after, ALIGNMENT).state is State.CLEAN, "rounding of their sum"
