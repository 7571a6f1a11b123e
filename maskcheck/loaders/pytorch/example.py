"""What the example inputs show of padding: a batch as it comes out of a loader has rows of several lengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def unpadded(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Names of inputs in whose rows nothing looks like padding, where that of others does; else none."""
    padded = {name for name, tensor in inputs.items() if _shows_padding(tensor)}
    return tuple(name for name in inputs if name not in padded) if padded else ()


def _shows_padding(tensor: Any) -> bool:
    """Whether some row ends, or begins, with what may be padding: zeros, marks that change, the same id twice.

    What is only by chance so counts as padding: then more is tried, not less.
    """
    if tensor.ndim == 1 and not tensor.is_floating_point():
        return len(tensor) > 1 and bool((tensor != tensor[0]).any())
    if tensor.ndim < 2 or tensor.shape[0] < 2:
        return tensor.ndim >= 2
    return any(_ends(tensor.movedim(axis, 1)) for axis in range(1, tensor.ndim))


def _ends(tensor: Any) -> bool:
    """The same along one axis, which stands behind the batch."""
    if tensor.shape[1] < 2:
        return False
    rows = tensor.reshape(*tensor.shape[:2], -1)
    first, last = rows[:, :2], rows[:, -2:]
    if tensor.is_floating_point():
        return bool((last[:, 1] == 0).all(-1).any() or (first[:, 0] == 0).all(-1).any())
    if bool(((tensor == 0) | (tensor == 1)).all()):
        return bool((tensor != tensor[:, :1]).any())
    repeated = (last[:, 0] == last[:, 1]).all(-1) | (first[:, 0] == first[:, 1]).all(-1)
    zero = (last[:, 1] == 0).all(-1) | (first[:, 0] == 0).all(-1)
    return bool((repeated | zero).any())
