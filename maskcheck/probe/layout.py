"""From rows of valid content to the arrays a model is fed: where each row stands, and what fills the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import numpy as np

from maskcheck.core.contract import BATCH, Contract, Domain, InputContract, Role, Side
from maskcheck.core.model import Array


class Fill(StrEnum):
    """What stands at pad positions of tokens and features.

    Random features are twice as large as real ones, the other random ones ten times: large enough to move a shared
    scale or to beat a weak mask, small enough for every sound mask. ``HUGE`` overflows masks such as -1e4 and is
    poison. ``NEAR`` misses the pad value by a thousandth in one feature.
    """

    PAD = "pad value"
    RANDOM = "random"
    OTHER_RANDOM = "other random"
    HUGE = "huge"
    NEAR = "near miss"
    NAN = "nan"
    INF = "inf"


class MaskState(StrEnum):
    """What the mask (and the lengths) claim, whatever the padding really is."""

    TRUE = "true"
    OMITTED = "all valid"
    INVERTED = "inverted"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Row:
    """One sample without any padding: the valid length along each dimension, and content by input.

    Content arrays have no batch axis; their padded axes have exactly the valid length.
    """

    lengths: Mapping[str, int]
    content: Mapping[str, Array]

    def with_content(self, name: str, value: Array) -> Row:
        return replace(self, content={**self.content, name: value})


@dataclass(frozen=True, slots=True)
class Padding:
    """How a batch is laid out. ``totals`` is the length of each dimension in the batch."""

    totals: Mapping[str, int]
    sides: Mapping[str, Side] = field(default_factory=dict)
    fill: Fill = Fill.PAD
    mask: MaskState = MaskState.TRUE
    positions_given: bool = True
    empty_rows: tuple[int, ...] = ()

    def side(self, dimension: str) -> Side:
        return self.sides.get(dimension, Side.RIGHT)


def span(length: int, total: int, side: Side) -> slice:
    """Where ``length`` valid positions stand among ``total``."""
    return slice(0, length) if side is Side.RIGHT else slice(total - length, total)


def assemble(contract: Contract, rows: Sequence[Row], padding: Padding, seed: int = 0) -> dict[str, Array]:
    """Build the feeds of one batch. Rows stand along the batch axis; an input without one takes the first row."""
    return {spec.name: _input(contract, spec, rows, padding, seed) for spec in contract.inputs}


def validity(rows: Sequence[Row], padding: Padding, dimension: str) -> Array:
    """Boolean (rows, total): which positions along ``dimension`` are real."""
    total = padding.totals[dimension]
    valid = np.zeros((len(rows), total), dtype=bool)
    for i, row in enumerate(rows):
        if i not in padding.empty_rows:
            valid[i, span(row.lengths[dimension], total, padding.side(dimension))] = True
    return valid


def _claimed(rows: Sequence[Row], padding: Padding, dimension: str, seed: int) -> Array:
    """What the mask says is valid along ``dimension``."""
    valid = validity(rows, padding, dimension)
    if padding.mask is MaskState.OMITTED:
        return np.ones_like(valid)
    if padding.mask is MaskState.INVERTED:
        return ~valid
    if padding.mask is MaskState.RANDOM:
        drawn: Array = np.random.default_rng(seed + 17).integers(0, 2, valid.shape).astype(bool)
        drawn[:, 0] = True  # never a row without any position
        return drawn
    return valid


def _input(contract: Contract, spec: InputContract, rows: Sequence[Row], padding: Padding, seed: int) -> Array:
    batched = BATCH in spec.dims
    rows = rows if batched else rows[:1]
    if spec.role.is_mask:
        value = _mask(contract.domain(spec.domain), spec, rows, padding, seed) if spec.domain else None
    elif spec.role is Role.LENGTHS and spec.domain:
        value = _lengths(contract.domain(spec.domain), spec, rows, padding, seed)
    elif spec.role is Role.POSITIONS and spec.domain:
        value = _positions(spec, rows, padding)
    elif spec.role is Role.OTHER and spec.domain and not spec.dims and spec.fill is None:
        value = np.asarray(padding.totals[contract.domain(spec.domain).dimensions[0].name])
    else:
        value = None
    if value is None:
        value = _content(spec, rows, padding, seed)
    return np.require(value, dtype=spec.dtype, requirements="C")  # which leaves a single number one


def _shape(spec: InputContract, rows: int, padding: Padding) -> tuple[int, ...]:
    return tuple(
        rows if label == BATCH else padding.totals[label] if label is not None else spec.shape[i]
        for i, label in enumerate(spec.dims)
    )


def _content(spec: InputContract, rows: Sequence[Row], padding: Padding, seed: int) -> Array:
    shape = _shape(spec, len(rows), padding)
    array = np.empty(shape, dtype=spec.dtype)
    array[...] = _fill(spec, shape, padding.fill, seed)
    batch_axis = spec.dims.index(BATCH) if BATCH in spec.dims else None
    for i, row in enumerate(rows):
        if i in padding.empty_rows and spec.domain is not None:
            continue
        index: list[slice | int] = []
        for axis, label in enumerate(spec.dims):
            if axis == batch_axis:
                index.append(i)
            elif label is None or label == BATCH:
                index.append(slice(None))
            else:
                index.append(span(row.lengths[label], padding.totals[label], padding.side(label)))
        array[tuple(index)] = row.content.get(spec.name, spec.fill or 0)
    return array


def _fill(spec: InputContract, shape: tuple[int, ...], fill: Fill, seed: int) -> Array | float | int:
    """Content of the pads. Only tokens and features are ever changed; other inputs keep their pad value."""
    pad = spec.pad_value if spec.pad_value is not None else 0
    if fill is Fill.PAD or not spec.role.is_content:
        return pad
    rng = np.random.default_rng(seed + (101 if fill is Fill.OTHER_RANDOM else 53))
    if spec.role is Role.TOKENS:
        return random_tokens(rng, spec, shape)
    if fill is Fill.HUGE:
        return (rng.standard_normal(shape) * (1e4 if spec.dtype != "float16" else 1e2)).astype(spec.dtype)
    if fill is Fill.NEAR:
        near = np.full(shape, pad, dtype=spec.dtype)
        first = (..., 0) if spec.dims[-1] is None else ...
        near[first] += 1e-3 * max(1.0, abs(pad))
        return near
    if fill in (Fill.NAN, Fill.INF):
        return float(fill.value) if np.issubdtype(np.dtype(spec.dtype), np.floating) else pad
    return random_features(rng, spec, shape) * (10 if fill is Fill.OTHER_RANDOM else 2)


def random_tokens(rng: np.random.Generator, spec: InputContract, shape: tuple[int, ...]) -> Array:
    """Ids within the vocabulary, never the pad value, and not the lowest ids, where special tokens live."""
    high = spec.vocabulary or 8
    low = min(5, high // 3)
    ids = rng.integers(low, high, size=shape)
    if spec.pad_value is not None and high - low > 1:
        clash = ids == spec.pad_value
        ids[clash] = low + (int(spec.pad_value) - low + 1) % (high - low)
    return ids


def random_features(rng: np.random.Generator, spec: InputContract, shape: tuple[int, ...]) -> Array:
    """Standard normal values, or bytes for integer features such as pixels."""
    if np.issubdtype(np.dtype(spec.dtype), np.integer):
        return rng.integers(1, 100, size=shape)
    return rng.standard_normal(shape)


def _mask(domain: Domain, spec: InputContract, rows: Sequence[Row], padding: Padding, seed: int) -> Array:
    """A mask of rank 1 to 4. A square mask hides keys only: its last padded axis decides, queries stay free."""
    shape = _shape(spec, len(rows), padding)
    padded = [axis for axis, label in enumerate(spec.dims) if label not in (BATCH, None)]
    image = len(domain.dimensions) == 2
    valid = np.ones(shape, dtype=bool)
    for axis in padded if image else padded[-1:]:
        label = spec.dims[axis]
        assert label is not None
        claimed = _claimed(rows, padding, label, seed)
        view = [1] * len(shape)
        view[axis] = shape[axis]
        if BATCH in spec.dims:
            batch_axis = spec.dims.index(BATCH)
            view[batch_axis] = shape[batch_axis]
            claimed = claimed if batch_axis < axis else claimed.T
        else:
            claimed = claimed[0]
        valid &= claimed.reshape(view)
    if spec.role is Role.ADDITIVE_MASK:
        low = spec.pad_value if spec.pad_value is not None else (-6e4 if spec.dtype == "float16" else -1e9)
        return np.where(valid, 0.0, low)
    valid_when = 1 if spec.valid_when is None else spec.valid_when
    return np.where(valid, valid_when, 1 - valid_when)


def _lengths(domain: Domain, spec: InputContract, rows: Sequence[Row], padding: Padding, seed: int) -> Array:
    """Valid lengths per row; a floating input takes them relative to the padded length, as SpeechBrain does."""
    dimension = domain.dimensions[0].name
    counts = _claimed(rows, padding, dimension, seed).sum(axis=1).astype(np.float64)
    if padding.mask is MaskState.INVERTED:
        counts = np.maximum(counts, 1)
    if np.issubdtype(np.dtype(spec.dtype), np.floating):
        counts = counts / padding.totals[dimension]
    shape = _shape(spec, len(rows), padding)
    return np.broadcast_to(counts.reshape([len(rows) if label == BATCH else 1 for label in spec.dims]), shape)


def _positions(spec: InputContract, rows: Sequence[Row], padding: Padding) -> Array:
    """Positions counted from the first valid one (``positions_given``) or from the first column."""
    shape = _shape(spec, len(rows), padding)
    axis = spec.axis
    assert axis is not None
    label = spec.dims[axis]
    assert label is not None
    total = padding.totals[label]
    counted = np.broadcast_to(np.arange(total), (len(rows), total))
    if padding.positions_given:
        counted = np.maximum(np.cumsum(validity(rows, padding, label), axis=1) - 1, 0)
    if BATCH not in spec.dims:
        counted = counted[:1]
    view = [1] * len(shape)
    view[axis] = total
    if BATCH in spec.dims:
        view[spec.dims.index(BATCH)] = len(rows)
        counted = counted if spec.dims.index(BATCH) < axis else counted.T
    return np.broadcast_to(counted.reshape(view), shape)
