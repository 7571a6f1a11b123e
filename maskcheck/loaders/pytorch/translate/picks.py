"""Positions that are picked, cut out or looked up in a table."""

from __future__ import annotations

from maskcheck.ir.settings import Lookup, Pick, Slice
from maskcheck.loaders.pytorch.translate.call import Call
from maskcheck.loaders.pytorch.translate.operation import single_index

_END = 2**63 - 1
"""What torch writes for the end of an axis, whatever its size."""


def select(call: Call) -> Pick:
    return Pick(axis=call.given["dim"], indices=call.given["index"])


def pick(call: Call) -> Pick:
    """An index by tensors. With several there is no one axis, and no one list of positions."""
    axis, index = single_index(call)
    return Pick(axis=axis, indices=call.list_positions(index))


def cut(call: Call) -> Slice:
    """One axis, from ``start`` up to ``end``; either may be left out."""
    given = call.given
    start, end = (given.get(name) for name in ("start", "end"))
    return Slice(
        axes=(given.get("dim", 0),),
        starts=(0 if start is None else start,),
        ends=(_END if end is None else end,),
        steps=(given.get("step", 1),),
    )


def lookup(call: Call) -> Lookup:
    """Rows of a table ``weight``, or of a weight that is indexed. A negative ``padding_idx`` stands for none."""
    padding = call.given.get("padding_idx")
    return Lookup(
        rows=next(iter(call.shape("weight", "self")), None),
        padding=padding if isinstance(padding, int) and padding >= 0 else None,
        ids=call.key_of(_ids(call)),
    )


def _ids(call: Call) -> object:
    return call.tensor("indices") if call.tensor("weight") is not None else single_index(call)[1]
