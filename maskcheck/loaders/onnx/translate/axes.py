"""Settings of operators that work over whole axes or along one: reductions, normalisations, softmax, joining, sorting.

An operator that works over all axes, or from one to the last, names them where the rank of its operand is known.
"""

from __future__ import annotations

from maskcheck.ir.settings import Along, Axes, Reduce, Softmax
from maskcheck.loaders.onnx.translate.node import NodeView, table


def reduction(view: NodeView) -> Reduce:
    return Reduce(axes=_axes_or_all(view, view.given("axes", 1, ())), keeps_axes=_keeps(view))


def quantised_reduction(view: NodeView) -> Reduce:
    return Reduce(axes=_axes_or_all(view, tuple(view.attribute("axes", ()))), keeps_axes=_keeps(view))


def _keeps(view: NodeView) -> bool:
    return bool(view.attribute("keepdims", 1))


def _axes_or_all(view: NodeView, axes: Axes | None) -> Axes | None:
    """The axes that are given; without any it is all of them, or none where the operator is told so."""
    if axes or axes is None:
        return axes
    return () if view.attribute("noop_with_empty_axes") else _up_to_last(view, 0)


def _up_to_last(view: NodeView, first: int) -> Axes | None:
    rank = view.rank(0)
    return None if rank is None else tuple(range(first, rank))


def extremum_index(view: NodeView) -> Reduce:
    return Reduce(axes=(view.attribute("axis", 0),), keeps_axes=_keeps(view))


def over_positions(view: NodeView) -> Reduce:
    return Reduce(keeps_axes=True, spatial=True)


def quantised_pool(view: NodeView) -> Reduce:
    return over_positions(view) if not view.attribute("channels_last", 0) else _between(view)


def _between(view: NodeView) -> Reduce:
    """All axes but the batch and the features behind."""
    axes = _up_to_last(view, 1)
    return Reduce(axes=None if axes is None else axes[:-1], keeps_axes=True)


def group_norm(view: NodeView) -> Reduce:
    """Microsoft's group normalisation is of images, whose features stand last unless it is told otherwise."""
    return Reduce(axes=(1, 2), keeps_axes=True) if view.attribute("channels_last", 1) else over_positions(view)


def from_axis(view: NodeView) -> Reduce:
    """All axes from ``axis`` to the last; ``axis`` alone where it counts from the first and the rank is not known."""
    axis = view.attribute("axis", -1)
    if axis < 0:
        return Reduce(axes=tuple(range(axis, 0)), keeps_axes=True)
    return Reduce(axes=_up_to_last(view, axis) or (axis,), keeps_axes=True)


def one_axis(view: NodeView) -> Reduce:
    return Reduce(axes=(view.attribute("axis", -1),), keeps_axes=True)


def across_channels(view: NodeView) -> Reduce:
    return Reduce(axes=(1,), keeps_axes=True)


def mean_variance(view: NodeView) -> Reduce:
    return Reduce(axes=tuple(view.attribute("axes", (0, 2, 3))), keeps_axes=True)


def batch_norm(view: NodeView) -> Reduce:
    """In training over the batch and all positions, else over nothing: it scales by what it has learned."""
    if not view.attribute("training_mode") and len(view.node.makes) < 2:
        return Reduce(axes=(), keeps_axes=True)
    positions = _up_to_last(view, 2)
    return Reduce(axes=None if positions is None else (0, *positions), keeps_axes=True)


def fourier(view: NodeView) -> Reduce:
    """The axis is an attribute before opset 20, an operand since."""
    axes = view.given("axis", 2, (1 if view.opset < 20 else -2,))
    return Reduce(axes=axes, keeps_axes=True)


def short_time_fourier(view: NodeView) -> Reduce:
    return Reduce(axes=(1,), keeps_axes=True)


def real_fourier(view: NodeView) -> Reduce:
    return Reduce(axes=tuple(range(-view.attribute("signal_ndim", 1), 0)), keeps_axes=True)


def inverse_real_fourier(view: NodeView) -> Reduce:
    """Behind the axes of the signal stands that of real and imaginary parts."""
    return Reduce(axes=tuple(range(-view.attribute("signal_ndim", 1) - 1, -1)), keeps_axes=True)


def axes_of_one(view: NodeView) -> Reduce:
    """Axes of size 1 that come or go; all that there are where none are given, which the graph does not tell."""
    return Reduce(axes=view.given("axes", 1))


def softmax(view: NodeView) -> Softmax:
    """Before opset 13 everything from the axis on is flattened and normalised together."""
    old = view.opset < 13
    return Softmax(axis=view.attribute("axis", 1 if old else -1), flattens=old)


def biased_softmax(view: NodeView) -> Softmax:
    return Softmax(axis=view.attribute("axis", 1), flattens=True)


def quantised_softmax(view: NodeView) -> Softmax:
    return Softmax(axis=view.attribute("axis", -1), flattens=view.attribute("opset", 13) < 13)


def second_axis(view: NodeView) -> Along:
    return Along(axis=view.attribute("axis", 1))


def parts(view: NodeView) -> Along:
    """How long each part is, where it is told; parts of equal lengths are told by their number alone."""
    return Along(axis=view.attribute("axis", 0), sizes=view.given("split", 1))


def first_axis(view: NodeView) -> Along:
    return Along(axis=view.attribute("axis", 0))


def last_axis(view: NodeView) -> Along:
    return Along(axis=view.attribute("axis", -1))


def named_axis(view: NodeView) -> Along:
    """Along ``axis``, or over the flattened tensor where none is given."""
    return Along(axis=view.attribute("axis"))


def tensor_scatter(view: NodeView) -> Along:
    return Along(axis=view.attribute("axis", -2))


def cumulative(view: NodeView) -> Along:
    axes = view.integers(1)
    return Along(axis=axes[0] if axes else None, reverse=bool(view.attribute("reverse", 0)))


def top(view: NodeView) -> Along:
    counts = view.given("k", 1)
    return Along(axis=view.attribute("axis", -1), count=counts[0] if counts else None)


def reversed_rows(view: NodeView) -> Along:
    return Along(axis=view.attribute("time_axis", 0), reverse=True, lengths=view.key(1))


def scan(view: NodeView) -> Along:
    """A scan steps along an axis of its inputs; it runs backward where it reads all of them from their end."""
    batched = view.opset < 9
    axes = view.attribute("scan_input_axes", ())
    directions = view.attribute("directions" if batched else "scan_input_directions", ())
    return Along(axis=axes[0] if axes else int(batched), reverse=bool(directions) and all(directions))


MAKERS = table(
    {
        reduction: (
            """
            ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
            ReduceSumSquare""",
            "",
        ),
        quantised_reduction: ("", "QLinearReduceMean"),
        extremum_index: ("ArgMax ArgMin", ""),
        over_positions: ("GlobalAveragePool GlobalMaxPool GlobalLpPool InstanceNormalization GroupNormalization", ""),
        quantised_pool: ("", "QLinearGlobalAveragePool"),
        group_norm: ("", "GroupNorm SkipGroupNorm"),
        from_axis: (
            "LayerNormalization RMSNormalization SimplifiedLayerNormalization",
            """
            LayerNormalization RMSNormalization SimplifiedLayerNormalization SkipLayerNormalization
            SkipSimplifiedLayerNormalization QOrderedLayerNormalization BranchwiseRMSNorm GatedRMSNorm""",
        ),
        one_axis: ("LpNormalization", ""),
        across_channels: ("LRN", ""),
        mean_variance: ("MeanVarianceNormalization", ""),
        batch_norm: ("BatchNormalization", ""),
        fourier: ("DFT", ""),
        short_time_fourier: ("STFT", ""),
        real_fourier: ("", "Rfft"),
        inverse_real_fourier: ("", "Irfft"),
        axes_of_one: ("Squeeze Unsqueeze", "ExpandDims"),
        softmax: ("Softmax LogSoftmax Hardmax", ""),
        biased_softmax: ("", "BiasSoftmax"),
        quantised_softmax: ("", "QLinearSoftmax"),
        second_axis: ("Concat ConcatFromSequence Flatten", "QLinearConcat"),
        parts: ("Split", ""),
        first_axis: ("Scatter ScatterElements", ""),
        last_axis: ("", "BiasSplitGelu"),
        named_axis: ("Unique Compress", "Unique"),
        tensor_scatter: ("TensorScatter", ""),
        cumulative: ("CumSum CumProd", ""),
        top: ("TopK", ""),
        reversed_rows: ("ReverseSequence", ""),
        scan: ("Scan", ""),
    }
)
