"""Operands in the order in which all frameworks have them, where torch has another."""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.loaders.pytorch.translate.call import Call

_ORDERS: Mapping[str, tuple[str, ...]] = {
    "masked_fill": ("mask", "value", "self"),  # condition, then, else
    "rsub": ("other", "self"),  # other - self
}


def operand_keys(call: Call, numbers: Mapping[str, str]) -> tuple[str, ...]:
    """Keys of all that ``call`` reads. ``numbers`` are those of the numbers it was given, by the arguments' names."""
    order = _ORDERS.get(call.name) if call.torchs_own else None
    if order is None:
        return (*call.keys, *numbers.values())
    found = (call.key(name) or numbers.get(name) for name in order)
    return tuple(key for key in found if key is not None)
