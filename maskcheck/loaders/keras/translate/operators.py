"""Operators of TensorFlow, called eagerly or standing in a frozen graph."""

from __future__ import annotations

from collections.abc import Callable
from types import EllipsisType

from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import (
    Along,
    Clip,
    Direction,
    Equation,
    Lookup,
    Pad,
    Pick,
    Recurrence,
    Reduce,
    Settings,
    Slice,
    Softmax,
    Window,
)
from maskcheck.loaders.keras.operations import operator_operation
from maskcheck.loaders.keras.translate import shared
from maskcheck.loaders.keras.translate.call import Call, Translation

_OWN = {"Where": Operation.NON_ZERO}
"""Operators that mean something else than the operation of ``keras.ops`` of that name."""

_CUDNN = {"lstm": Operation.LSTM, "gru": Operation.GRU}


def translate_operator(call: Call) -> Translation:
    """What an operator of TensorFlow does."""
    make = _SETTINGS.get(call.operator)
    settings = make(call) if make is not None else None
    return shared.refine(_operation(call, settings), settings)


def _operation(call: Call, settings: Settings | None) -> Operation:
    if call.operator == "StridedSlice" and isinstance(settings, Pick):
        return Operation.SELECT
    if call.operator == "CudnnRNNV3":
        return _CUDNN.get(str(call.attributes.get("rnn_mode")), Operation.RNN)
    return _OWN.get(call.operator) or operator_operation(call.operator)


def _reduction(call: Call) -> Reduce:
    return Reduce(axes=call.operand(1).integers, keeps_axes=bool(call.attributes.get("keep_dims")))


def _new_axis(call: Call) -> Reduce:
    return Reduce(axes=call.operand(1).integers)


def _squeeze(call: Call) -> Reduce:
    """Without a list of axes, whichever have one entry go."""
    return Reduce(axes=call.integers("squeeze_dims") or None)


def _fourier(call: Call) -> Reduce:
    return Reduce(axes=(-2, -1) if call.operator.endswith("2D") else (-1,))


def _inference_norm(call: Call) -> Reduce:
    """By stored statistics nothing is reduced; else everything but the features, which come last or second."""
    if not call.attributes.get("is_training", True):
        return Reduce(axes=())
    return Reduce(axes=(0, 1, 2) if _channels_last(call) else (0, 2, 3))


def _join(call: Call) -> Along:
    return Along(axis=call.operand(-1).integer)


def _split(call: Call) -> Along:
    return Along(axis=call.operand(0 if call.operator == "Split" else 2).integer)


def _cumulative(call: Call) -> Along:
    return Along(axis=call.operand(1).integer, reverse=bool(call.attributes.get("reverse")))


def _flip(call: Call) -> Along:
    return Along(axis=call.operand(1).integer)


def _roll(call: Call) -> Along:
    return Along(axis=call.operand(2).integer)


def _reverse_rows(call: Call) -> Along:
    return Along(axis=call.integer("seq_dim"))


def _largest(call: Call) -> Along:
    return Along(axis=-1, count=call.operand(1).integer)


def _one_hot(call: Call) -> Along:
    axis = call.integer("axis")
    return Along(axis=-1 if axis is None else axis)


def _last_axis(call: Call) -> Softmax:
    return Softmax(axis=-1)


def _gather(call: Call) -> Lookup | Pick:
    axis = call.operand(2).integer if len(call.operands) > 2 else 0
    return shared.gather(call.operand(0), call.operand(1), axis)


def _gather_by_tuples(call: Call) -> Lookup | None:
    """Rows of a constant table; each id may be a tuple, so that how many there are is not told."""
    table, ids = call.operand(0), call.operand(1)
    return Lookup(ids=ids.key) if table.key is None and ids.key is not None and not ids.sized else None


def _strided_slice(call: Call) -> Reduce | Pick | Slice:
    begins, ends, steps = (call.operand(place).integers for place in (1, 2, 3))
    if begins is None or ends is None or steps is None:
        return _cut_where_computed(call)
    bounds = zip(begins, ends, steps, strict=True)
    return shared.cut([_entry(call, i, *bound) for i, bound in enumerate(bounds)])


def _cut_where_computed(call: Call) -> Pick | Slice:
    """One position of one axis, which is no constant; whatever else is cut by computed bounds is a slice."""
    key = [_entry(call, i, _SOMEWHERE, _SOMEWHERE, 1) for i in range((call.operand(1).shape or (0,))[0])]
    found = shared.cut(key)
    return Pick(axis=found.axis) if isinstance(found, Pick) else Slice()


_SOMEWHERE = 1
"""Stands for a bound that is not known: with any other the result would be cut as well."""


def _entry(call: Call, place: int, begin: int, end: int, step: int) -> slice | int | EllipsisType | None:
    """The entry of a key that Python would be given for one place of the three bounds."""
    if _is_marked(call, "ellipsis", place):
        return ...
    if _is_marked(call, "new_axis", place):
        return None
    if _is_marked(call, "shrink_axis", place):
        return begin
    first, last = (_is_marked(call, side, place) for side in ("begin", "end"))
    return slice(None if first else begin, None if last else end, step)


def _is_marked(call: Call, mask: str, place: int) -> bool:
    return bool(int(call.attributes.get(f"{mask}_mask") or 0) >> place & 1)


def _slice(call: Call) -> Slice:
    """A start and a size for every axis; a size of -1 reaches to the end."""
    starts, sizes = call.operand(1).integers, call.operand(2).integers
    if starts is None or sizes is None:
        return Slice()
    ends = [shared.NO_END if size == -1 else start + size for start, size in zip(starts, sizes, strict=True)]
    cuts = {i: (start, end, 1) for i, (start, end) in enumerate(zip(starts, ends, strict=True))}
    return shared.slices({axis: cut for axis, cut in cuts.items() if cut != shared.WHOLE})


def _convolution(call: Call) -> Window:
    return _window(call, shared.kernel_of(call), "dilations", shared.groups_of(call, _channels_last(call)))


def _depthwise(call: Call) -> Window:
    return _window(call, shared.kernel_of(call), "dilations", shared.features_of(call))


def _pool(call: Call) -> Window:
    return _window(call, _of_positions(call, "ksize"), "dilations", 1)


def _patches(call: Call) -> Window:
    return _window(call, _of_positions(call, "ksizes"), "rates", 1)


def _window(call: Call, kernel: tuple[int, ...] | None, dilations: str, groups: int) -> Window:
    """``dilations`` is the name of the setting that holds them."""
    return shared.window(
        kernel=kernel,
        strides=_of_positions(call, "strides"),
        dilations=_of_positions(call, dilations),
        padding=str(call.attributes.get("padding", "")),
        groups=groups,
        channels_last=_channels_last(call),
    )


def _channels_last(call: Call) -> bool:
    return not str(call.attributes.get("data_format", "")).startswith("NC")


def _of_positions(call: Call, name: str) -> tuple[int, ...] | None:
    """A setting with an entry for every axis, without those of the batch and of the features."""
    values = call.integers(name)
    if not values:
        return None
    return values[1:-1] if _channels_last(call) else values[2:]


def _pad(call: Call) -> Pad:
    widths = call.operand(1).constant
    value = call.operand(2).number if len(call.operands) > 2 else 0.0
    return shared.pad(None if widths is None else widths.tolist(), value)


def _mirror(call: Call) -> Pad:
    widths = call.operand(1).constant
    return shared.pad(None if widths is None else widths.tolist(), None, copies=True)


def _clip(call: Call) -> Clip:
    return Clip(lowest=call.operand(1).number, highest=call.operand(2).number)


def _equation(call: Call) -> Equation | None:
    text = call.attributes.get("equation")
    return Equation(text=text) if isinstance(text, str) else None


def _recurrence(call: Call) -> Recurrence:
    both = call.attributes.get("direction") == "bidirectional"
    return Recurrence(direction=Direction.BIDIRECTIONAL if both else Direction.FORWARD, lengths=call.operand(4).key)


_SETTINGS: dict[str, Callable[[Call], Settings | None]] = shared.by_name(
    {
        shared.fill: """
            Add AddV2 AddN BiasAdd Sub Mul Div RealDiv DivNoNan Xdivy FloorDiv Mod Pow Maximum Minimum""",
        shared.fill_of_choice: "Select SelectV2",
        shared.comparison: "Equal NotEqual Greater GreaterEqual Less LessEqual",
        _reduction: "Mean Sum Max Min Prod All Any ArgMax ArgMin EuclideanNorm",
        _new_axis: "ExpandDims",
        _squeeze: "Squeeze",
        _fourier: "FFT IFFT RFFT IRFFT FFT2D",
        _inference_norm: "FusedBatchNorm FusedBatchNormV3",
        _join: "ConcatV2",
        _split: "Split SplitV",
        shared.along_attribute: "Unpack",
        _cumulative: "Cumsum Cumprod CumulativeLogsumexp",
        _flip: "ReverseV2",
        _roll: "Roll",
        _reverse_rows: "ReverseSequence",
        _largest: "TopKV2",
        _one_hot: "OneHot",
        _last_axis: "Softmax LogSoftmax",
        _gather: "GatherV2 ResourceGather Gather",
        _gather_by_tuples: "GatherNd",
        _strided_slice: "StridedSlice",
        _slice: "Slice",
        _convolution: "Conv2D Conv3D",
        _depthwise: "DepthwiseConv2dNative",
        _pool: "MaxPool MaxPool3D AvgPool AvgPool3D",
        _patches: "ExtractImagePatches",
        _pad: "Pad PadV2",
        _mirror: "MirrorPad",
        _clip: "ClipByValue",
        _equation: "Einsum",
        _recurrence: "CudnnRNNV3",
    }
)
