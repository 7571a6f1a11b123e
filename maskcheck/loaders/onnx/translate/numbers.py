"""Settings that are numbers: constants of arithmetic, bounds, comparisons, scales of quantisers; and equations."""

from __future__ import annotations

import numpy as np

from maskcheck.ir.constants import Array
from maskcheck.ir.settings import Clip, Compare, Equation, Fill, Quantiser
from maskcheck.loaders.onnx.translate.node import NodeView, table

_CONSTANTS = {
    "Where": (1, 2),
    "Add": (0, 1),
    "Mul": (0, 1),
    # What something is taken from, divided by itself or raised is not put in: 1 - mask fills nothing with 1.
    "Sub": (1,),
    "Div": (1,),
    "Mod": (1,),
    "Pow": (1,),
}
"""Operands whose constant is put in; all of them for other operators."""


def fill(view: NodeView) -> Fill:
    places = _CONSTANTS.get(view.node.op, range(len(view.node.inputs)))
    numbers = (view.number(position) for position in places)
    return Fill(values=tuple(number for number in numbers if number is not None))


def clip(view: NodeView) -> Clip:
    """Bounds are attributes before opset 11, operands since."""
    return Clip(lowest=_bound(view, "min", 1), highest=_bound(view, "max", 2))


def _bound(view: NodeView, name: str, position: int) -> float | None:
    value = view.attribute(name)
    return view.number(position) if value is None else float(value)


def comparison(view: NodeView) -> Compare:
    right, left = view.number(1), view.number(0)
    if right is not None:
        return Compare(value=right, operand=view.key(0))
    return Compare() if left is None else Compare(value=left, operand=view.key(1), swapped=True)


def equation(view: NodeView) -> Equation:
    return Equation(text=view.attribute("equation", ""))


_SCALES = {
    "QuantizeLinear": 1,
    "QLinearMatMul": 6,
    "com.microsoft.QuantizeLinear": 1,
    "com.microsoft.QLinearAdd": 6,
    "com.microsoft.QLinearMul": 6,
    "com.microsoft.QLinearWhere": 7,
}
"""Operators that make integers with a scale of their own, and the operand that holds it; the zero point follows."""


def quantiser(view: NodeView) -> Quantiser:
    """A scale that is measured, or differs between channels or blocks, is not told."""
    place = _SCALES[view.node.operator]
    scale, least = _single(_value(view, place)), _least(view, place + 1)
    return Quantiser(
        scale=scale,
        lowest=None if scale is None or least is None else least * scale,
        block=view.attribute("block_size") or None,
    )


_LEAST = {0: 0, 2: 0, 3: -128, 4: 0, 5: -(2**15)}
"""The smallest integer by ``output_dtype``: unsigned bytes where it is 0, then uint8, int8, uint16, int16."""


def _least(view: NodeView, place: int) -> int | None:
    """The smallest integer less the zero point, which tells the type of integers where it is given."""
    if not view.key(place):
        return _LEAST.get(view.attribute("output_dtype", 0))
    zero = _value(view, place)
    if zero is None or zero.size != 1 or zero.dtype.kind not in "iu":
        return None
    return int(np.iinfo(zero.dtype).min) - int(zero.reshape(-1)[0])


def _value(view: NodeView, place: int) -> Array | None:
    return view.constants.value(view.node.input(place))


def _single(value: Array | None) -> float | None:
    return float(value.reshape(-1)[0]) if value is not None and value.size == 1 else None


def measured_scale(view: NodeView) -> Quantiser:
    return Quantiser()


MAKERS = table(
    {
        fill: ("Where Add Sub Mul Div Mod Pow Max Min", ""),
        clip: ("Clip", ""),
        comparison: ("Equal Less LessOrEqual Greater GreaterOrEqual", ""),
        equation: ("Einsum", ""),
        quantiser: ("QuantizeLinear QLinearMatMul", "QuantizeLinear QLinearAdd QLinearMul QLinearWhere"),
        measured_scale: ("DynamicQuantizeLinear", "DynamicQuantizeMatMul"),
    }
)
