"""Aligning a tensor between two runs of different padding, batch or side, and cutting out what should be equal.

An axis is known by how its size changes: sizes that differ between an unpadded and a padded run are sequence axes,
sizes that differ between a row alone and the same row among mates are batch axes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from types import MappingProxyType

import numpy as np

from maskcheck.core.contract import Side
from maskcheck.core.model import Array

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class View:
    """How one run lays out its rows: whether it is padded, on which side, how many rows, and which row is looked at.

    ``lengths`` are the numbers of real steps of all rows, where they are known.
    """

    padded: bool
    side: Side = Side.RIGHT
    rows: int = 1
    row: int = 0
    lengths: tuple[int, ...] = ()

    @property
    def packed(self) -> slice:
        """Where the row's steps stand when only the real steps of all rows are kept, one row behind the other."""
        start = sum(self.lengths[: self.row])
        return slice(start, start + self.lengths[self.row] if self.lengths else None)


@dataclass(frozen=True, slots=True)
class Axes:
    """Axes of one tensor. ``sequence`` maps an axis to its size (unpadded, padded) with one row; ``batch`` is the
    row axis; ``packed`` axes hold the real steps of all rows and no pads.
    """

    sequence: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    batch: tuple[int, ...] = ()
    packed: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Mode:
    """How to read a tensor whose layout the sizes alone do not tell.

    ``rows_first`` reads a merged axis as (rows * time), ``blocks`` as (channels * time) rather than (time * channels).
    ``mirrored`` looks for the valid positions at the other end, where a reversed scan puts them.
    """

    rows_first: bool = True
    blocks: bool = False
    mirrored: bool = False


MODES = tuple(Mode(r, b) for r, b in product((True, False), (False, True)))
MIRRORED = tuple(replace(mode, mirrored=True) for mode in MODES[:2])


def learn(short: Shape, long: Shape, many: Shape | None, view: View) -> Axes | None:
    """Axes from shapes: one unpadded row, one padded row, the padded rows of ``view``. ``None``: ranks differ, not
    alignable.
    """
    if len(short) != len(long) or (many is not None and len(many) != len(long)):
        return None
    sequence = {i: (s, t) for i, (s, t) in enumerate(zip(short, long, strict=True)) if s != t}
    if any(s > t for s, t in sequence.values()):
        return None
    batch: tuple[int, ...] = ()
    packed: tuple[int, ...] = ()
    if many is not None:
        batch = tuple(i for i, (one, several) in enumerate(zip(long, many, strict=True)) if one != several)
        own = view.packed
        if own.stop is not None:
            sizes = (own.stop - own.start, sum(view.lengths))
            packed = tuple(i for i in batch if (long[i], many[i]) == sizes and i not in sequence)
            batch = tuple(i for i in batch if i not in packed)
        if any(many[i] != long[i] * view.rows for i in batch):
            return None
    return Axes(sequence, batch, packed)


def guess(shape: Shape, valid: Mapping[int, int], rows: int) -> Axes:
    """Axes by size alone, for a model whose length cannot vary. ``valid`` maps padded totals to valid lengths.

    Where several axes have the telling size all are taken: the compared block is smaller then, never wrong.
    """
    sequence: dict[int, tuple[int, int]] = {}
    for axis, size in enumerate(shape):
        if axis == 0 and size == rows:
            continue
        for total, length in valid.items():
            if size == total:
                sequence[axis] = (length, total)
            elif size % total == 0 and size > total and axis == len(shape) - 1 and len(shape) <= 2:
                sequence[axis] = (length * (size // total), size)  # time merged with features by a Flatten
    return Axes(sequence, (0,) if shape and shape[0] == rows and rows > 1 else ())


Grids = Mapping[tuple[int, int], tuple[tuple[int, int], tuple[int, int]]]
"""Sizes (unpadded, padded) of merged height and width -> those of the height and of the width."""


def grids_of(axes: Iterable[Axes | None]) -> Grids:
    """The grids of images that tensors with two sequence axes side by side show."""
    found = {}
    for known in axes:
        if known is not None and len(known.sequence) == 2:
            (i, height), (j, width) = sorted(known.sequence.items())
            if j == i + 1:
                found[height[0] * width[0], height[1] * width[1]] = (height, width)
    return found


def cut(
    array: Array, axes: Axes, view: View, mode: Mode, ratio: tuple[int, int], grids: Grids = MappingProxyType({})
) -> Array | None:
    """The part of ``array`` that holds one row's valid positions, as a view; ``None`` where it does not fit.

    ``ratio`` is (valid, total) of the dimension, to split merged axes by; ``grids`` split merged axes of images.
    """
    for axis in axes.batch if view.rows > 1 else ():
        taken = _take_row(array, axis, view, mode)
        if taken is None:
            return None
        array = taken
    for axis in axes.packed:
        array = array[(slice(None),) * axis + (view.packed,)]
    if not view.padded:
        return array
    side = _other(view.side) if mode.mirrored else view.side
    for axis, (short, long) in axes.sequence.items():
        if axis >= array.ndim or array.shape[axis] != long:
            return None
        if (grid := grids.get((short, long))) is not None and len(axes.sequence) == 1:
            return _cut_grid(array, axis, grid, side)
        if mode.blocks and long != ratio[1]:
            blocked = _cut_blocks(array, axis, short, long, side, ratio)
            if blocked is None:
                return None
            array = blocked
            continue
        index: list[slice] = [slice(None)] * array.ndim
        index[axis] = slice(0, short) if side is Side.RIGHT else slice(long - short, long)
        array = array[tuple(index)]
    return array


def _cut_grid(array: Array, axis: int, grid: tuple[tuple[int, int], tuple[int, int]], side: Side) -> Array:
    """Read an axis of ``height * width`` as an image and keep its valid corner."""
    (high, tall), (wide, broad) = grid
    split = array.reshape((*array.shape[:axis], tall, broad, *array.shape[axis + 1 :]))
    index: list[slice] = [slice(None)] * split.ndim
    for place, (valid, total) in ((axis, (high, tall)), (axis + 1, (wide, broad))):
        index[place] = slice(0, valid) if side is Side.RIGHT else slice(total - valid, total)
    return split[tuple(index)]


def _other(side: Side) -> Side:
    return Side.LEFT if side is Side.RIGHT else Side.RIGHT


def _take_row(array: Array, axis: int, view: View, mode: Mode) -> Array | None:
    size = array.shape[axis]
    if size % view.rows:
        return None
    per_row = size // view.rows
    lead: list[slice] = [slice(None)] * axis
    if mode.rows_first:
        return array[(*lead, slice(view.row * per_row, (view.row + 1) * per_row))]
    return array[(*lead, slice(view.row, None, view.rows))]


def _cut_blocks(array: Array, axis: int, short: int, long: int, side: Side, ratio: tuple[int, int]) -> Array | None:
    """Read an axis of ``channels * total`` as blocks and keep the valid part of each."""
    valid, total = ratio
    if long % total or short % valid or long // total != short // valid:
        return None
    shape = (*array.shape[:axis], long // total, total, *array.shape[axis + 1 :])
    split = array.reshape(shape)
    index: list[slice] = [slice(None)] * split.ndim
    index[axis + 1] = slice(0, valid) if side is Side.RIGHT else slice(total - valid, total)
    return split[tuple(index)]


def reshape_like(reference: Array, shape: Shape) -> Array | None:
    """The unpadded counterpart of a block cut has its blocks still merged."""
    if reference.shape == shape:
        return reference
    return reference.reshape(shape) if int(np.prod(reference.shape)) == int(np.prod(shape)) else None
