"""Operations of ``keras.ops`` that are called as a whole, between layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from maskcheck.ir.settings import (
    Along,
    Attention,
    Clip,
    Equation,
    Lookup,
    Pad,
    Pick,
    Reduce,
    Settings,
    Slice,
    Softmax,
    Window,
)
from maskcheck.loaders.keras.operations import operator_operation
from maskcheck.loaders.keras.translate import shared
from maskcheck.loaders.keras.translate.call import ABSENT, Call, Translation


def translate_keras_operation(call: Call) -> Translation:
    """What an operation of ``keras.ops`` does; ``call.attributes`` hold its own and the arguments that have a name."""
    make = _SETTINGS.get(call.operator)
    return shared.refine(operator_operation(call.operator), make(call) if make is not None else None)


def _reduction(call: Call) -> Reduce:
    """Without axes, all are reduced."""
    axes = call.integers("axis")
    everything = call.attributes.get("axis") is None and call.rank is not None
    return Reduce(
        axes=tuple(range(call.rank or 0)) if everything else axes, keeps_axes=bool(call.attributes.get("keepdims"))
    )


def _axes(call: Call) -> Reduce:
    return Reduce(axes=call.integers("axis"))


def _last_axis(call: Call) -> Reduce:
    return Reduce(axes=(-2, -1) if call.operator == "FFT2" else (-1,))


def _norm_by_statistics(call: Call) -> Reduce:
    """It is given the statistics, and reduces nothing."""
    return Reduce(axes=())


def _side_by_side(call: Call) -> Along:
    """Along the second axis; rows of numbers have but one."""
    return Along(axis=0 if call.rank == 1 else 1)


def _first_axis(call: Call) -> Along:
    return Along(axis=0)


def _largest(call: Call) -> Along:
    return Along(axis=-1, count=call.integer("k"))


def _scan(call: Call) -> Along:
    return Along(axis=call.integer("axis") or 0, reverse=bool(call.attributes.get("reverse")))


def _softmax(call: Call) -> Softmax:
    return Softmax(axis=call.integer("axis"))


def _gather(call: Call) -> Lookup | Pick:
    return shared.gather(call.operand(0), call.operand(1), call.integer("axis"))


def _gather_along(call: Call) -> Lookup | Pick:
    found = _gather(call)
    return found if isinstance(found, Lookup) else Pick(axis=call.integer("axis"))


def _item(call: Call) -> Reduce | Pick | Slice:
    key = call.attributes.get("key")
    return shared.cut(tuple(key) if isinstance(key, tuple | list) else (key,))


def _slice(call: Call) -> Slice:
    """A start and a size for every axis; a size that is that of the axis, or -1, takes all of it."""
    starts, sizes, shape = _whole_numbers(call, "start_indices"), call.integers("shape"), call.operand(0).shape
    if starts is None or sizes is None or shape is None:
        return Slice()
    triples = zip(starts, sizes, shape, strict=True)
    cuts = {i: (start, start + size, 1) for i, (start, size, whole) in enumerate(triples) if size not in (whole, -1)}
    return shared.slices(cuts)


def _whole_numbers(call: Call, name: str) -> tuple[int, ...] | None:
    return call.named.get(name, ABSENT).integers or call.integers(name)


def _convolution(call: Call) -> Window:
    return _window(call, shared.groups_of(call, _channels_last(call)))


def _depthwise(call: Call) -> Window:
    return _window(call, shared.features_of(call))


def _plain_window(call: Call) -> Window:
    """A transposed or separable convolution: its groups are not those of its kernel."""
    return _window(call, 1)


def _pool(call: Call) -> Window:
    """Without strides, as long as the windows."""
    kernel = call.integers("pool_size")
    if kernel is not None and len(kernel) == 1 and call.rank is not None:
        kernel = kernel * (call.rank - 2)
    return shared.window(
        kernel=kernel,
        strides=call.integers("strides") or kernel,
        dilations=None,
        padding=str(call.attributes.get("padding", "valid")),
        channels_last=_channels_last(call),
    )


def _window(call: Call, groups: int) -> Window:
    return shared.window(
        kernel=shared.kernel_of(call),
        strides=call.integers("strides"),
        dilations=call.integers("dilation_rate"),
        padding=str(call.attributes.get("padding", "valid")),
        groups=groups,
        channels_last=_channels_last(call),
    )


def _channels_last(call: Call) -> bool:
    return call.attributes.get("data_format") != "channels_first"


def _pad(call: Call) -> Pad:
    """One pair of widths holds for every axis."""
    copies = call.attributes.get("mode", "constant") != "constant"
    value = call.named.get("constant_values", ABSENT)
    fill = 0.0 if call.attributes.get("constant_values") is None else value.number
    return shared.pad(_widths(call), None if copies else fill, copies=copies)


def _widths(call: Call) -> list[list[int]] | None:
    value = np.asarray(call.attributes.get("pad_width"))
    if value.dtype.kind not in "iu" or call.rank is None:
        return None
    return np.broadcast_to(value, (call.rank, 2)).tolist()


def _clip(call: Call) -> Clip:
    return Clip(lowest=_number(call.attributes.get("x_min")), highest=_number(call.attributes.get("x_max")))


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _equation(call: Call) -> Equation | None:
    text = call.attributes.get("subscripts")
    return Equation(text=text) if isinstance(text, str) else None


def _attention(call: Call) -> Attention:
    mask, bias = (call.named.get(name, ABSENT) for name in ("mask", "bias"))
    return Attention(
        mask=mask.key,
        bias=bias.key,
        mask_rank=None if mask.key is None or mask.shape is None else len(mask.shape),
        causal=bool(call.attributes.get("is_causal")),
    )


_SETTINGS: dict[str, Callable[[Call], Settings | None]] = shared.by_name(
    {
        shared.fill: """
            Add Subtract Multiply Divide TrueDivide FloorDivide Mod Power Maximum Minimum""",
        shared.fill_of_choice: "Where",
        shared.comparison: "Equal NotEqual Greater GreaterEqual Less LessEqual",
        _reduction: """
            Mean Average Sum Max Amax Min Amin Prod All Any Var Std Logsumexp Argmax Argmin Norm Median""",
        _axes: "ExpandDims Squeeze LayerNorm RMSNorm Normalize",
        _norm_by_statistics: "BatchNorm",
        _last_axis: "FFT RFFT IRFFT FFT2",
        shared.along_attribute: """
            Concatenate Stack Split Flip Roll Sort Argsort Cumsum Cumprod Unstack OneHot""",
        _side_by_side: "Hstack",
        _first_axis: "Vstack Ravel SegmentSum",
        _largest: "TopK",
        _scan: "Scan AssociativeScan",
        _softmax: "Softmax LogSoftmax",
        _gather: "Take",
        _gather_along: "TakeAlongAxis",
        _item: "GetItem",
        _slice: "Slice",
        _convolution: "Conv",
        _depthwise: "DepthwiseConv",
        _plain_window: "SeparableConv ConvTranspose",
        _pool: "MaxPool AveragePool",
        _pad: "Pad",
        _clip: "Clip",
        _equation: "Einsum",
        _attention: "DotProductAttention",
    }
)
