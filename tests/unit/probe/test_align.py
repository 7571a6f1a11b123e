"""Aligning a tensor between two runs: which axes are the sequence and the rows, and which part should be equal."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.contract import Side
from maskcheck.probe.align import MIRRORED, MODES, Axes, Mode, Shape, View, cut, grids_of, guess, learn, reshape_like

RIGHT, LEFT = View(True), View(True, Side.LEFT)
THIRD = View(True, rows=3, row=2)


@pytest.mark.parametrize(
    ("short", "long", "many", "view", "expected"),
    [
        ((1, 3, 4), (1, 5, 4), None, RIGHT, Axes({1: (3, 5)})),
        ((1, 3, 3), (1, 5, 5), None, RIGHT, Axes({1: (3, 5), 2: (3, 5)})),
        ((1, 4), (1, 4), None, RIGHT, Axes()),
        ((1, 3), (1, 5, 1), None, RIGHT, None),
        ((1, 5), (1, 3), None, RIGHT, None),
        ((1, 3, 4), (1, 5, 4), (3, 5, 4), THIRD, Axes({1: (3, 5)}, (0,))),
        ((3, 4), (5, 4), (15, 4), THIRD, Axes({0: (3, 5)}, (0,))),
        ((1, 3, 4), (1, 5, 4), (2, 5, 4), THIRD, None),
        ((1, 3), (1, 5), (3, 5, 1), THIRD, None),
        ((), (), None, RIGHT, Axes()),
    ],
)
def test_axes_are_known_by_how_their_size_changes(
    short: Shape, long: Shape, many: Shape | None, view: View, expected: Axes | None
) -> None:
    assert learn(short, long, many, view) == expected


@pytest.mark.parametrize(
    ("shape", "rows", "expected"),
    [
        ((1, 12, 4), 1, Axes({1: (7, 12)})),
        ((2, 12, 12), 2, Axes({1: (7, 12), 2: (7, 12)}, (0,))),
        ((12, 12), 12, Axes({1: (7, 12)}, (0,))),
        ((1, 24), 1, Axes({1: (14, 24)})),
        ((1, 24, 3), 1, Axes()),
        ((1, 3, 24), 1, Axes()),
        ((36,), 1, Axes({0: (21, 36)})),
        ((1, 25), 1, Axes()),
        ((1, 6), 1, Axes()),
        ((24, 4), 1, Axes()),
        ((), 1, Axes()),
        ((2, 4), 2, Axes({}, (0,))),
        ((1, 4), 1, Axes()),
    ],
)
def test_at_a_fixed_length_sizes_alone_tell(shape: Shape, rows: int, expected: Axes) -> None:
    assert guess(shape, {12: 7}, rows) == expected


def cut_of(array: np.ndarray, axes: Axes, view: View = RIGHT, mode: Mode = MODES[0], **further: object):  # type: ignore[no-untyped-def]
    found = cut(array, axes, view, mode, (3, 5), **further)  # type: ignore[arg-type]
    return None if found is None else found.tolist()


STEPS = np.arange(5)


@pytest.mark.parametrize(
    ("view", "mirrored", "expected"),
    [
        (RIGHT, False, [0, 1, 2]),
        (LEFT, False, [2, 3, 4]),
        (RIGHT, True, [2, 3, 4]),
        (LEFT, True, [0, 1, 2]),
        (View(False), False, [0, 1, 2, 3, 4]),
    ],
)
def test_the_valid_steps_stand_at_one_end(view: View, mirrored: bool, expected: list[int]) -> None:
    assert cut_of(STEPS, Axes({0: (3, 5)}), view, Mode(mirrored=mirrored)) == expected


def test_an_axis_of_another_size_does_not_fit() -> None:
    assert cut_of(np.arange(6), Axes({0: (3, 5)})) is None
    assert cut_of(STEPS, Axes({1: (3, 5)})) is None


def test_both_axes_of_a_square_are_cut() -> None:
    square = np.arange(25).reshape(5, 5)
    assert cut_of(square, Axes({0: (3, 5), 1: (3, 5)})) == square[:3, :3].tolist()


def test_a_row_is_taken_from_the_batch() -> None:
    rows = np.arange(12).reshape(3, 4)
    assert cut_of(rows, Axes(batch=(0,)), THIRD) == [rows[2].tolist()]
    assert cut_of(rows.T, Axes(batch=(1,)), THIRD) == rows.T[:, 2:].tolist()
    assert cut_of(rows, Axes(batch=(0,)), RIGHT) == rows.tolist(), "one row is all"
    assert cut_of(np.arange(8), Axes(batch=(0,)), THIRD) is None


@pytest.mark.parametrize(("rows_first", "expected"), [(True, [4, 5]), (False, [2, 5])])
def test_rows_merged_with_something_else_stand_behind_each_other_or_in_turn(
    rows_first: bool, expected: list[int]
) -> None:
    assert cut_of(np.arange(6), Axes(batch=(0,)), THIRD, Mode(rows_first=rows_first)) == expected


@pytest.mark.parametrize(
    ("blocks", "side", "expected"),
    [
        (False, Side.RIGHT, [0, 1, 2, 3, 4, 5]),
        (False, Side.LEFT, [4, 5, 6, 7, 8, 9]),
        (True, Side.RIGHT, [[0, 1, 2], [5, 6, 7]]),
        (True, Side.LEFT, [[2, 3, 4], [7, 8, 9]]),
    ],
)
def test_channels_merged_with_time_are_read_either_way(blocks: bool, side: Side, expected: list[object]) -> None:
    assert cut_of(np.arange(10), Axes({0: (6, 10)}), View(True, side), Mode(blocks=blocks)) == expected


@pytest.mark.parametrize("sizes", [(6, 11), (7, 10), (9, 10)])
def test_sizes_that_are_no_multiples_are_no_blocks(sizes: tuple[int, int]) -> None:
    assert cut_of(np.arange(sizes[1]), Axes({0: sizes}), RIGHT, Mode(blocks=True)) is None


def test_time_alone_is_no_block() -> None:
    assert cut_of(STEPS, Axes({0: (3, 5)}), RIGHT, Mode(blocks=True)) == [0, 1, 2]


def test_blocks_behind_other_axes_are_split_in_place() -> None:
    array = np.arange(40).reshape(2, 10, 2)
    found = cut(array, Axes({1: (6, 10)}), RIGHT, Mode(blocks=True), (3, 5))
    assert found is not None and found.tolist() == array.reshape(2, 2, 5, 2)[:, :, :3].tolist()


GRID = {(4, 12): ((2, 3), (2, 4))}


@pytest.mark.parametrize(
    ("side", "corner"), [(Side.RIGHT, (slice(0, 2), slice(0, 2))), (Side.LEFT, (slice(1, 3), slice(2, 4)))]
)
def test_a_merged_image_is_cut_to_its_corner(side: Side, corner: tuple[slice, slice]) -> None:
    image = np.arange(24).reshape(12, 2)
    found = cut_of(image, Axes({0: (4, 12)}), View(True, side), grids=GRID)
    assert found == image.reshape(3, 4, 2)[corner].tolist()


def test_a_grid_is_for_the_only_sequence_axis() -> None:
    table = np.arange(144).reshape(12, 12)
    assert cut_of(table, Axes({0: (4, 12), 1: (4, 12)}), grids=GRID) == table[:4, :4].tolist()


def test_grids_are_shown_by_tensors_with_height_and_width_side_by_side() -> None:
    image = Axes({2: (2, 3), 3: (2, 4)})
    assert grids_of([None, Axes({1: (3, 5)}), image]) == GRID
    assert grids_of([Axes({1: (2, 3), 3: (2, 4)})]) == {}


def test_packed_rows_are_those_between_what_stands_before_and_behind() -> None:
    view = View(True, rows=3, row=1, lengths=(2, 3, 4))
    assert view.packed == slice(2, 5)
    assert View(True, rows=3, row=1).packed == slice(0, None)
    grid = np.arange(18).reshape(2, 9)
    assert cut_of(grid, Axes(packed=(1,)), view) == grid[:, 2:5].tolist()


def test_the_unpadded_counterpart_of_blocks_is_split_like_them() -> None:
    merged = np.arange(6)
    assert reshape_like(merged, (6,)) is merged
    found = reshape_like(merged, (2, 3))
    assert found is not None and found.shape == (2, 3)
    assert reshape_like(merged, (2, 2)) is None


def test_usual_readings_come_before_mirrored_ones() -> None:
    assert [(m.rows_first, m.blocks) for m in MODES] == [(True, False), (True, True), (False, False), (False, True)]
    assert [(m.rows_first, m.blocks, m.mirrored) for m in MIRRORED] == [(True, False, True), (True, True, True)]
