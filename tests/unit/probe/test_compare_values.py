"""Differences, scales and rounding of plain arrays."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Layout, OutputContract, OutputKind, Side
from maskcheck.probe.compare import (
    Region,
    absolute,
    cosine_change,
    difference,
    epsilon,
    max_abs,
    rounding,
    scale,
    take_row,
    varies,
)

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.5),
        ([1.0, 2.0], [3.0, 1.0], 2.0),
        ([INF, -INF], [INF, -INF], 0.0),
        ([INF], [-INF], INF),
        ([NAN, 1.0], [NAN, 1.5], 0.5),
        ([NAN], [1.0], INF),
        ([1.0], [INF], INF),
        ([], [], 0.0),
        ([True, False], [True, True], 1.0),
        ([True, False], [True, False], 0.0),
        ([3, 4], [3, 7], 3.0),
    ],
)
def test_the_largest_difference_of_any_entry(a: list[float], b: list[float], expected: float) -> None:
    assert max_abs(np.array(a), np.array(b)) == expected


def test_differences_are_told_entry_by_entry() -> None:
    found = absolute(np.array([1.0, NAN, INF, 2.0]), np.array([1.5, NAN, 1.0, 2.0]))
    assert found.tolist() == [0.5, 0.0, INF, 0.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, -1.0], 1.0),
        ([3.0, 3.0], 3.0),
        ([0.0, 0.0], 1.0),
        ([], 1.0),
        ([NAN, INF], 1.0),
        ([1.0, -1.0, NAN, INF], 1.0),
        ([1e6, 1e6 + 1.0], 1e6 + 1.0),
        ([1e5, 1e5 + 1.0], 0.5),
    ],
)
def test_the_scale_is_the_spread_or_the_size_of_what_hardly_varies(values: list[float], expected: float) -> None:
    assert scale([np.array(values)]) == pytest.approx(expected)


def test_the_scale_is_that_of_all_rows_together() -> None:
    assert scale([np.array([1.0]), np.array([-1.0])]) == 1.0
    assert scale([]) == 1.0


def test_the_worst_row_counts_and_none_is_none() -> None:
    reference = [np.array([1.0, -1.0])] * 2
    assert difference(reference, [np.array([1.0, -1.0]), np.array([1.0, -4.0])]) == 3.0
    assert difference(reference, [np.array([2.0, -1.0]), np.array([1.0, -1.0])]) == 1.0
    assert difference(reference, reference) == 0.0
    assert difference([], []) == 0.0


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([[1.0, 2.0]], True),
        ([[1.0], [2.0]], True),
        ([[1.0, 1.0]], False),
        ([[NAN, 1.0]], False),
        ([], False),
        ([[]], False),
    ],
)
def test_what_varies_is_finite_and_different(rows: list[list[float]], expected: bool) -> None:
    assert varies([np.array(r) for r in rows]) is expected


def test_rounding_is_one_unit_of_the_largest_value_in_deviations() -> None:
    eps = float(np.finfo(np.float32).eps)
    assert rounding([np.array([3.0, -3.0], np.float32)]) == pytest.approx(eps)
    assert rounding([np.array([3.0], np.float32), np.array([-9.0, INF], np.float32)]) == pytest.approx(1.5 * eps)
    assert rounding([np.array([0.5, -0.5], np.float32)]) == pytest.approx(eps, rel=1e-3)
    assert rounding([np.array([1, 2])]) == 0.0 and rounding([]) == 0.0


def test_the_coarsest_type_has_the_widest_spacing() -> None:
    half, single = np.zeros(1, np.float16), np.zeros(1, np.float32)
    assert epsilon([single, half]) == float(np.finfo(np.float16).eps)
    assert epsilon([single]) == float(np.finfo(np.float32).eps)
    assert epsilon([np.zeros(1, np.int64)]) == 0.0


def test_the_largest_turn_of_a_vector_counts() -> None:
    before = [np.array([1.0, 0.0])] * 2
    assert cosine_change(before, [np.array([0.0, 1.0]), np.array([1.0, 1.0])]) == pytest.approx(1.0)
    assert cosine_change(before, [np.array([0.0, 0.0]), np.array([NAN, 1.0])]) == 0.0
    assert cosine_change(before, [np.array([INF, 1.0]), np.array([2.0, 0.0])]) == 0.0


def test_a_row_is_taken_along_the_batch_axis() -> None:
    array = np.arange(6).reshape(2, 3)

    def spec(*dims: str | None) -> OutputContract:
        return OutputContract("o", OutputKind.POOLED, dims, None, "")

    assert take_row(array, spec(BATCH, None), 1).tolist() == [3, 4, 5]
    assert take_row(array, spec(None, BATCH), 1).tolist() == [1, 4]
    assert take_row(array, spec(None, None), 1) is not None and take_row(array, spec(None, None), 1).shape == (2, 3)


LINE = np.arange(8)


@pytest.mark.parametrize(
    ("extent", "side", "length", "layout", "expected"),
    [
        (None, Side.RIGHT, None, Layout.TOGETHER, list(range(8))),
        (8, Side.LEFT, None, Layout.TOGETHER, list(range(8))),
        (9, Side.LEFT, None, Layout.TOGETHER, list(range(8))),
        (5, Side.RIGHT, 3, Layout.BEHIND, [0, 1, 2, 6, 7]),
        (5, Side.LEFT, 3, Layout.BEHIND, [3, 4, 5, 6, 7]),
        (3, Side.RIGHT, 3, Layout.BEHIND, [0, 1, 2]),
        (3, Side.RIGHT, 5, Layout.BEHIND, [0, 1, 2]),
        (5, Side.RIGHT, None, Layout.BEHIND, [0, 1, 2, 3, 4]),
        (6, Side.RIGHT, 3, Layout.BLOCKS, [0, 1, 2, 4, 5, 6]),
        (6, Side.LEFT, 3, Layout.BLOCKS, [1, 2, 3, 5, 6, 7]),
        (7, Side.RIGHT, 3, Layout.BLOCKS, [0, 1, 2, 3, 4, 5, 6]),
        (6, Side.RIGHT, 2, Layout.BLOCKS, [0, 1, 2, 3, 4, 5]),
        (6, Side.RIGHT, None, Layout.BLOCKS, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_valid_positions_of_an_axis(
    extent: int | None, side: Side, length: int | None, layout: Layout, expected: list[int]
) -> None:
    assert Region((extent,), (side,), (length,), layout).cut(LINE).tolist() == expected
