"""Numbers among the operands: what is filled in, compared with, clipped at, multiplied by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from maskcheck.ir.settings import Clip, Compare, Equation, Fill, Quantiser
from maskcheck.loaders.pytorch.translate.call import Call

_ONE_SIDED = frozenset({"sub", "div", "true_divide", "floor_divide", "fmod", "remainder", "pow", "float_power"})
"""Operators to which it matters on which side of them a constant stands."""


def operands(*names: str) -> Callable[[Call], Fill | Quantiser | None]:
    """A function that finds the constants among the operands called ``names``, the left one first."""

    def fill(call: Call) -> Fill | Quantiser | None:
        if "scale" in call.given:  # arithmetic on quantised numbers, which rounds its result
            return quantiser(call)
        found = [call.number(name) for name in names]
        values = tuple(value for value in found if value is not None)
        on_the_left = call.name in _ONE_SIDED and len(values) == 1 and found[0] is not None
        return Fill(values=values, swapped=on_the_left) if values else None

    return fill


def subtracted_from(call: Call) -> Fill | Quantiser | None:
    """``other - alpha * self``."""
    found = _OTHER(call)
    return replace(found, swapped=True) if isinstance(found, Fill) else found


def scaled_operands(call: Call) -> Fill | Quantiser | None:
    """``self + alpha * other``: what counts is the product, or the factor of an operand that is no constant."""
    alpha = call.given.get("alpha", 1)
    found = _OF_TWO(call)
    if alpha == 1 or isinstance(alpha, bool) or isinstance(found, Quantiser):
        return found
    other = call.number("other")
    own = (call.number("self"), float(alpha) * (1.0 if other is None else other))
    return Fill(values=tuple(v for v in own if v is not None))


def comparison(call: Call) -> Compare | None:
    """``None`` for a comparison of two tensors neither of which is a constant."""
    right = call.number("other")
    if right is not None:
        return Compare(value=right, operand=call.key("self"))
    left = call.number("self")
    return None if left is None else Compare(value=left, operand=call.key("other"), swapped=True)


def clip(call: Call) -> Clip:
    return Clip(lowest=call.number("min", "min_val"), highest=call.number("max", "max_val"))


def quantiser(call: Call) -> Quantiser:
    """``scale`` and ``zero_point`` are constants of the call, or measured, and then not known."""
    scale, zero, least = call.number("scale"), call.number("zero_point"), _least(call)
    if scale is None or zero is None or least is None:
        return Quantiser(scale=scale)
    return Quantiser(scale=scale, lowest=scale * (least - zero))


def equation(call: Call) -> Equation | None:
    text = call.given.get("equation")
    return Equation(text=text) if isinstance(text, str) else None


_OF_TWO = operands("self", "other")
_OTHER = operands("other")


def _least(call: Call) -> float | None:
    """The smallest integer of the quantised type."""
    import torch

    told = call.number("quant_min")
    kind = call.given.get("dtype") or getattr(call.tensor("qa"), "dtype", None)
    if told is not None or not isinstance(kind, torch.dtype) or kind.is_floating_point:
        return told
    return float(torch.iinfo(kind).min)
