"""What a graph fixes: small constants by their values, large ones by their shapes, and tiny arithmetic between them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, Protocol

import numpy as np

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op

Array = np.ndarray[Any, np.dtype[Any]]

SMALL = 4096
"""Constants of up to this many elements are worth reading for what they say; larger ones are weights."""


class Constants(Protocol):
    """Answers questions about tensors that no input reaches. ``None`` means that nothing is known."""

    def is_constant(self, key: str) -> bool:
        """Whether ``key`` is a constant, of whatever size."""
        ...

    def value(self, key: str) -> Array | None:
        """The small constant ``key`` holds."""
        ...

    def fill(self, key: str) -> float | None:
        """The one number that ``key`` holds everywhere, even where its size is no constant."""
        ...

    def integers(self, key: str) -> tuple[int, ...] | None:
        """The constant integers at ``key``, flattened."""
        ...

    def shape(self, key: str) -> tuple[int, ...] | None:
        """Shape of the constant ``key``, of whatever size."""
        ...

    def empty_row(self, key: str) -> int | None:
        """The only row of the table ``key`` that is all zeros."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownConstants:
    """Constants in memory. ``shapes`` are those of constants too large to be held, ``fills`` those of tensors whose
    values are told otherwise, ``empty_rows`` those of tables too large to be held.
    """

    values: Mapping[str, Array] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    fills: Mapping[str, float] = field(default_factory=dict)
    empty_rows: Mapping[str, int] = field(default_factory=dict)

    def is_constant(self, key: str) -> bool:
        return key in self.values or key in self.shapes

    def value(self, key: str) -> Array | None:
        return self.values.get(key)

    def fill(self, key: str) -> float | None:
        return self.fills[key] if key in self.fills else fill_of(self.values.get(key))

    def integers(self, key: str) -> tuple[int, ...] | None:
        return integers_of(self.values.get(key))

    def shape(self, key: str) -> tuple[int, ...] | None:
        return self.values[key].shape if key in self.values else self.shapes.get(key)

    def empty_row(self, key: str) -> int | None:
        return self.empty_rows[key] if key in self.empty_rows else empty_row_of(self.values.get(key))

    def with_sites(self, sites: Iterable[Site]) -> KnownConstants:
        """These constants and what ``sites``, in the order in which they run, make of them by tiny arithmetic."""
        values, fills = dict(self.values), dict(self.fills)
        for site in sites:
            if len(site.outputs) == 1:
                _enter(site, values, fills)
        return KnownConstants(values=values, shapes=self.shapes, fills=fills, empty_rows=self.empty_rows)


NOTHING_KNOWN = KnownConstants()


# ------------------------------------------------------------------ what one array says


def fill_of(value: Array | None) -> float | None:
    """The one number that ``value`` holds everywhere, ``None`` where it is empty, no number, or holds several."""
    if value is None or not value.size or value.dtype.kind not in "fiub":
        return None
    first = value.reshape(-1)[0]
    return float(first) if bool((value == first).all()) else None


def integers_of(value: Array | None) -> tuple[int, ...] | None:
    """Whole numbers and truth values, flattened; ``None`` for other types."""
    if value is None or value.dtype.kind not in "iub":
        return None
    return tuple(int(v) for v in value.reshape(-1))


def empty_row_of(table: Array | None) -> int | None:
    """The only row of a table (rows, features) of floats that is all zeros, as frameworks make that of padding."""
    if table is None or table.ndim != 2 or table.dtype.kind != "f" or not table.shape[1]:
        return None
    empty = [int(row) for row in np.flatnonzero(table[:, 0] == 0) if not table[row].any()]
    return empty[0] if len(empty) == 1 else None


# ------------------------------------------------------------------ folding

_ONE: Mapping[Op, Callable[[Array], Any]] = {
    Op.NEGATE: np.negative,
    Op.SQUARE_ROOT: np.sqrt,
}
_SEVERAL: Mapping[Op, Callable[[Array, Array], Any]] = {
    Op.ADD: np.add,
    Op.SUBTRACT: np.subtract,
    Op.MULTIPLY: np.multiply,
    Op.MINIMUM: np.minimum,
    Op.MAXIMUM: np.maximum,
}
_SHAPES_OF_ONE: Mapping[Op, tuple[int, ...]] = {Op.RESHAPE: (1,), Op.UNSQUEEZE: (1,), Op.SQUEEZE: ()}
"""The shape of a single number behind these, where whoever asks does not care how many axes of one it has."""

KEEPS_FILL = frozenset(
    {
        *(Op.CAST, Op.IDENTITY, Op.RESHAPE, Op.UNSQUEEZE, Op.SQUEEZE, Op.EXPAND, Op.TRANSPOSE, Op.REPEAT, Op.FLATTEN),
    }
)
"""Operations whose result holds the same number everywhere if their first operand does."""


def fold(operation: Op, operands: Sequence[Array]) -> Array | None:
    """What ``operation`` makes of constants, ``None`` where that is not worked out here.

    ``operands`` stand in the order in which mathematics has them and broadcast as in numpy; those of layout
    operations may be the first alone.
    """
    if operation is Op.IDENTITY and operands:
        return operands[0]
    if operation in _SHAPES_OF_ONE:
        return operands[0].reshape(_SHAPES_OF_ONE[operation]) if operands and operands[0].size == 1 else None
    with np.errstate(all="ignore"):
        if operation in _ONE and len(operands) == 1:
            return np.asarray(_ONE[operation](operands[0]))
        if operation in _SEVERAL and len(operands) > 1:
            return np.asarray(reduce(_SEVERAL[operation], operands))
    return None


def _enter(site: Site, values: dict[str, Array], fills: dict[str, float]) -> None:
    """Enter what ``site`` makes, if it is known; a sum of a tensor and itself names it once, and is not."""
    reads = site.inputs[:1] if site.operation in KEEPS_FILL else site.inputs
    operands = [values[key] for key in reads if key in values]
    made = fold(site.operation, operands) if len(operands) == len(reads) else None
    if made is not None and made.size <= SMALL:
        values[site.outputs[0]] = made
    elif site.operation in KEEPS_FILL and reads:
        number = fills[reads[0]] if reads[0] in fills else fill_of(values.get(reads[0]))
        fills |= {} if number is None else {site.outputs[0]: number}
