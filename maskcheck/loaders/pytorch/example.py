"""What the example inputs show of padding: a batch as it comes out of a loader has rows of several lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_RUN = 3
"""How often an id other than 0 must stand at the end of a row, and nowhere else, to be taken for padding."""


def find_unpadded(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of inputs in whose rows nothing may be padding, where that of others surely is; else none.

    In doubt an example shows no padding, and an input may be padded: then more is tried, not less.
    """
    if not any(_is_padded(tensor) for tensor in inputs.values()):
        return ()
    return tuple(name for name, tensor in inputs.items() if not _may_be_padded(tensor))


def _along(tensor: Any) -> list[Any]:
    """A batch as (rows, steps, values), once for each axis behind the batch that may hold the steps."""
    rows = tensor.shape[0]
    return [tensor.movedim(axis, 1).reshape(rows, tensor.shape[axis], -1) for axis in range(1, tensor.ndim)]


def _is_padded(tensor: Any) -> bool:
    """Whether rows end, or begin, in different places, by marks or by what stands there. Lengths may be anything."""
    if tensor.ndim < 2 or tensor.shape[0] < 2:
        return False
    return any(_ends_apart(rows) or _ends_apart(rows.flip(1)) for rows in _along(tensor))


def _ends_apart(rows: Any) -> bool:
    """Whether some rows of (rows, steps, values) end with padding, and others do not."""
    if rows.is_floating_point():
        last = (rows[:, -1] == 0).all(-1)
        return bool(last.any()) and not bool(last.all())
    for value in dict.fromkeys((0, *rows[:, -1, 0].tolist())):
        held = (rows == value).all(-1)
        run = held.flip(1).long().cumprod(1).sum(1)  # how many steps at the end hold it
        enough = int(run.max()) >= (1 if value == 0 else _RUN)
        if enough and int(run.min()) == 0 and bool((held.sum(1) == run).all()):
            return True
    return False


def _may_be_padded(tensor: Any) -> bool:
    """Whether some row ends, or begins, with what may be padding: zeros, marks that change, the same id twice."""
    if tensor.ndim == 1 and not tensor.is_floating_point():
        return len(tensor) > 1 and bool((tensor != tensor[0]).any())
    if tensor.ndim < 2 or tensor.shape[0] < 2:
        return tensor.ndim >= 2
    return any(map(_may_end, _along(tensor)))


def _may_end(rows: Any) -> bool:
    """The same of (rows, steps, values)."""
    if rows.shape[1] < 2:
        return False
    first, last = rows[:, :2], rows[:, -2:]
    zero = (last[:, 1] == 0).all(-1) | (first[:, 0] == 0).all(-1)
    if rows.is_floating_point():
        return bool(zero.any())
    if bool(((rows == 0) | (rows == 1)).all()):
        return bool((rows != rows[:, :1]).any())
    repeated = (last[:, 0] == last[:, 1]).all(-1) | (first[:, 0] == first[:, 1]).all(-1)
    return bool((repeated | zero).any())
