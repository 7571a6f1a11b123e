"""Tensors that still hold the values of a model input: cast, laid out anew, cut, joined, but not computed with."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from maskcheck.ir.constants import Constants
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Along, Lookup, Pick, Reduce, Slice


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An input as some tensor holds it.

    ``rank`` is how many axes the tensor has, where known. ``column`` says that only one column of the input is left, as
    models of tables pick their features apart.
    """

    rank: int | None = None
    column: bool = False


_KEEPS = frozenset({Op.CAST, Op.DROPOUT, Op.CLIP})
_KEEPING_KINDS = frozenset({Kind.LAYOUT, Kind.INDEX, Kind.PAD})
"""What keeps the values of the first operand. A clip bounds ids and lengths, which mean the same behind it."""

_JOINS = frozenset({Op.SPLIT})
"""Operators that name their axis first in some framework."""


def keeps(operation: Op) -> bool:
    """Whether an operation hands on the values of the tensor it works on."""
    joins = operation.kind is Kind.CONCATENATE or operation in _JOINS
    return joins or operation in _KEEPS or operation.kind in _KEEPING_KINDS


def handed_on(site: Site, key: str) -> tuple[str, ...]:
    """Outputs of ``site`` that hold the values of its operand ``key``; none where it does anything else with them."""
    if isinstance(site.settings, Lookup) and site.settings.ids == key:
        return ()  # the table may be no tensor, and the ids the first operand
    if site.operation is Op.SORT:
        return site.outputs[:1] if len(site.outputs) > 1 else ()  # a single result may be the order alone
    anywhere = site.operation.kind is Kind.CONCATENATE or site.operation in _JOINS
    return site.outputs if keeps(site.operation) and (anywhere or site.inputs[0] == key) else ()


def view_behind(site: Site, views: Collection[View], constants: Constants, *, columns: bool = True) -> View:
    """What ``site``, which hands on ``views`` of one input, makes of them. ``columns``: whether it may pick one."""
    first = next(iter(views))
    column = all(view.column for view in views) or (columns and _picks_column(site))
    known = first.rank is not None or site.operation is Op.RESHAPE
    return replace(first, rank=_rank(site, first.rank or 0, constants) if known else None, column=column)


# ------------------------------------------------------------------ columns


def _picks_column(site: Site) -> bool:
    """Whether ``site`` leaves one position of an axis other than the first."""
    match site.settings:
        case Pick(axis=int() as axis, indices=int() | (int(),)):
            return axis != 0
        case Slice(axes=(int() as axis,), starts=(int() as start,), ends=(int() as end,)):
            return axis != 0 and _width(start, end) == 1
        case Along(sizes=tuple() as sizes):
            return len(sizes) > 1 and set(sizes) == {1}
        case _:
            return False


def _width(start: int, end: int) -> int | None:
    """Width of a slice; ``None`` where it depends on the size of the axis. An end beyond the size is the end."""
    if start < 0 <= end:
        return 1 if start == -1 else None
    return None if (start < 0) != (end < 0) else end - start


# ------------------------------------------------------------------ ranks

_KEEP_RANK = frozenset(
    {
        *(Op.CAST, Op.CLIP, Op.DROPOUT, Op.SORT, Op.IDENTITY, Op.TRANSPOSE, Op.SLICE, Op.SPLIT, Op.ROLL, Op.FLIP),
        *(Op.REVERSE_SEQUENCE, Op.CONCATENATE, Op.SLICE_UPDATE, Op.PAD, Op.REPEAT),
    }
)


def _rank(site: Site, rank: int, constants: Constants) -> int | None:
    if site.operation in _KEEP_RANK:
        return rank
    change = _RANKS.get(site.operation)
    return None if change is None else change(site, rank, constants)


def _axes(site: Site) -> int | None:
    return len(site.settings.axes) if isinstance(site.settings, Reduce) and site.settings.axes is not None else None


def _more(site: Site, rank: int, constants: Constants) -> int | None:
    count = _axes(site)
    return None if count is None else rank + count


def _fewer(site: Site, rank: int, constants: Constants) -> int | None:
    count = _axes(site)
    return None if not count else rank - count  # of no axes in particular every axis of one goes


def _of_shape(site: Site, rank: int, constants: Constants) -> int | None:
    sizes = constants.integers(site.inputs[1]) if len(site.inputs) > 1 else None
    return None if sizes is None else len(sizes)


def _stretched(site: Site, rank: int, constants: Constants) -> int | None:
    sizes = _of_shape(site, rank, constants)
    return None if sizes is None else max(rank, sizes)


def _picked(site: Site, rank: int, constants: Constants) -> int | None:
    match site.settings:
        case Pick(indices=int()):
            return rank - 1
        case Pick(indices=tuple()):
            return rank
    index = constants.value(site.inputs[1]) if len(site.inputs) > 1 else None
    return None if index is None else rank - 1 + index.ndim


_RANKS: Mapping[Op, Callable[[Site, int, Constants], int | None]] = {
    Op.UNSQUEEZE: _more,
    Op.SQUEEZE: _fewer,
    Op.RESHAPE: _of_shape,
    Op.EXPAND: _stretched,
    Op.GATHER: _picked,
    Op.SELECT: lambda site, rank, constants: rank - 1,
    Op.STACK: lambda site, rank, constants: rank + 1,
}
"""How operations change the number of axes; it is not known behind others."""
