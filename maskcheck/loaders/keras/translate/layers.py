"""Layers of Keras, each of which is one site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import (
    Along,
    Attention,
    Compare,
    Direction,
    Fill,
    Lookup,
    MaskValue,
    Pad,
    Recurrence,
    Reduce,
    Settings,
    Slice,
    Softmax,
    StepwiseLayer,
    Window,
)
from maskcheck.loaders.keras.operations import layer_operation
from maskcheck.loaders.keras.translate import shared
from maskcheck.loaders.keras.translate.call import ABSENT, Operand, Translation, integers, is_integer, one


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LayerInputs:
    """What a layer is called on: tensors, those masks that decide what it computes, and its other arguments by name."""

    data: tuple[Operand, ...] = ()
    masks: tuple[Operand, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> Operand:
        return self.data[0] if self.data else ABSENT

    @property
    def rank(self) -> int | None:
        """The number of axes of the first tensor."""
        return None if self.first.shape is None else len(self.first.shape)

    @property
    def mask(self) -> Operand:
        """The first mask that the model's inputs reach."""
        return next((m for m in self.masks if m.key is not None), ABSENT)


def translate_layer(layer: Any, inputs: LayerInputs) -> Translation:
    """What a layer does, by its class and the classes it derives from."""
    make = next((_SETTINGS[c.__name__] for c in type(layer).__mro__ if c.__name__ in _SETTINGS), None)
    return Translation(operation=layer_operation(layer), settings=make(layer, inputs) if make is not None else None)


def translate_mask(layer: Any, reads: Sequence[str]) -> Translation:
    """How a layer makes a mask anew. One with settings is made of what the layer ``reads``."""
    value = next((_COMPARED[c.__name__](layer) for c in type(layer).__mro__ if c.__name__ in _COMPARED), None)
    if value is None or len(reads) != 1:
        return Translation(operation=Operation.ELEMENTWISE)
    return Translation(operation=Operation.NOT_EQUAL, settings=Compare(value=value, operand=reads[0]))


_COMPARED: Mapping[str, Callable[[Any], float]] = {
    "Embedding": lambda layer: 0.0,
    "Masking": lambda layer: float(layer.mask_value),
}
"""What these layers compare with what they read, to tell padding."""


def _lookup(layer: Any, inputs: LayerInputs) -> Lookup:
    return Lookup(rows=int(layer.input_dim), padding=0 if layer.mask_zero else None, ids=inputs.first.key)


def _mask_value(layer: Any, inputs: LayerInputs) -> MaskValue:
    return MaskValue(value=float(layer.mask_value))


def _fill(layer: Any, inputs: LayerInputs) -> Fill:
    return shared.fill_among(inputs.data)


def _stepwise(layer: Any, inputs: LayerInputs) -> StepwiseLayer:
    return StepwiseLayer(recurrent=layer_operation(layer.layer).kind is Kind.RECURRENT)


def _pool_all(layer: Any, inputs: LayerInputs) -> Reduce:
    """Global pooling reduces the axes between the batch and the features."""
    axes = None if inputs.rank is None else tuple(_positions(layer, inputs.rank))
    return Reduce(axes=axes, keeps_axes=bool(layer.keepdims), mask=inputs.mask.key)


def _normalise(layer: Any, inputs: LayerInputs) -> Reduce:
    return Reduce(axes=integers(layer.axis))


def _batch_norm(layer: Any, inputs: LayerInputs) -> Reduce:
    """Only in training does it reduce anything: all axes but that of the features."""
    axes = _others(inputs.rank, layer.axis) if inputs.flags.get("training") else ()
    return Reduce(axes=axes, mask=inputs.mask.key)


def _group_norm(layer: Any, inputs: LayerInputs) -> Reduce:
    """All axes of positions are normalised as a whole, the features in groups."""
    return Reduce(axes=_others(inputs.rank, 0, layer.axis))


def _others(rank: int | None, *axes: int) -> tuple[int, ...] | None:
    """All axes but these."""
    return None if rank is None else tuple(a for a in range(rank) if a not in {axis % rank for axis in axes})


def _softmax(layer: Any, inputs: LayerInputs) -> Softmax:
    return Softmax(axis=one(integers(layer.axis)), mask=inputs.mask.key)


def _activation(layer: Any, inputs: LayerInputs) -> Softmax | None:
    return Softmax(axis=-1) if layer_operation(layer).kind is Kind.SOFTMAX else None


def _join(layer: Any, inputs: LayerInputs) -> Along:
    return Along(axis=layer.axis if is_integer(layer.axis) else None)


def _flatten(layer: Any, inputs: LayerInputs) -> Along:
    return Along(axis=1)


def _convolution(layer: Any, inputs: LayerInputs) -> Window:
    return shared.window(
        kernel=integers(layer.kernel_size),
        strides=integers(layer.strides),
        dilations=integers(layer.dilation_rate),
        padding=layer.padding,
        groups=int(getattr(layer, "groups", 1)),
        channels_last=_channels_last(layer),
    )


def _depthwise(layer: Any, inputs: LayerInputs) -> Window:
    """Every feature is a group of its own."""
    shape = inputs.first.shape
    features = 1 if shape is None else shape[-1] if _channels_last(layer) else shape[1]
    return replace(_convolution(layer, inputs), groups=features)


def _pool(layer: Any, inputs: LayerInputs) -> Window:
    return shared.window(
        kernel=integers(layer.pool_size),
        strides=integers(layer.strides),
        dilations=None,
        padding=layer.padding,
        channels_last=_channels_last(layer),
    )


def _resize(layer: Any, inputs: LayerInputs) -> Window:
    return Window(channels_last=_channels_last(layer))


def _pad(layer: Any, inputs: LayerInputs) -> Pad:
    if inputs.rank is None:
        return shared.pad(None)
    widths = dict(zip(_positions(layer, inputs.rank), _pairs(layer.padding), strict=True))
    return shared.pad([widths.get(axis, (0, 0)) for axis in range(inputs.rank)])


def _crop(layer: Any, inputs: LayerInputs) -> Slice:
    """So many positions go at the start, so many at the end."""
    if inputs.rank is None:
        return Slice()
    widths = zip(_positions(layer, inputs.rank), _pairs(layer.cropping), strict=True)
    return shared.slices({axis: (first, -last if last else shared.NO_END, 1) for axis, (first, last) in widths})


def _pairs(widths: Any) -> tuple[tuple[int, int], ...]:
    """A pair for every axis of positions; layers of one such axis have it alone."""
    return (tuple(widths),) if is_integer(widths[0]) else tuple(tuple(w) for w in widths)


def _positions(layer: Any, rank: int) -> range:
    """The axes that are neither batch nor features."""
    return range(1, rank - 1) if _channels_last(layer) else range(2, rank)


def _channels_last(layer: Any) -> bool:
    return getattr(layer, "data_format", "channels_last") != "channels_first"


def _recurrence(layer: Any, inputs: LayerInputs) -> Recurrence:
    """A layer that hands out its states beside the sequence gives both."""
    both = layer.return_sequences and layer.return_state
    return Recurrence(
        direction=Direction.REVERSE if layer.go_backwards else Direction.FORWARD,
        mask=inputs.mask.key,
        zeroes_pads=bool(getattr(layer, "zero_output_for_mask", False)),
        returns_sequence=None if both else bool(layer.return_sequences),
    )


def _both_ways(layer: Any, inputs: LayerInputs) -> Recurrence:
    return replace(_recurrence(layer.forward_layer, inputs), direction=Direction.BIDIRECTIONAL)


def _attention(layer: Any, inputs: LayerInputs) -> Attention:
    mask = inputs.mask
    return Attention(
        mask=mask.key,
        mask_rank=None if mask.shape is None else len(mask.shape),
        causal=bool(inputs.flags.get("use_causal_mask") or getattr(layer, "causal", False)),
    )


_SETTINGS: dict[str, Callable[[Any, LayerInputs], Settings | None]] = shared.by_name(
    {
        _lookup: "Embedding",
        _mask_value: "Masking",
        _fill: "Add Subtract Multiply Maximum Minimum",
        _stepwise: "TimeDistributed",
        _pool_all: """
            GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D
            GlobalMaxPooling1D GlobalMaxPooling2D GlobalMaxPooling3D""",
        _normalise: "LayerNormalization RMSNormalization UnitNormalization",
        _batch_norm: "BatchNormalization",
        _group_norm: "GroupNormalization",
        _softmax: "Softmax",
        _activation: "Activation",
        _join: "Concatenate",
        _flatten: "Flatten",
        _convolution: """
            Conv1D Conv2D Conv3D SeparableConv1D SeparableConv2D Conv1DTranspose Conv2DTranspose Conv3DTranspose""",
        _depthwise: "DepthwiseConv1D DepthwiseConv2D",
        _pool: """
            AveragePooling1D AveragePooling2D AveragePooling3D MaxPooling1D MaxPooling2D MaxPooling3D""",
        _resize: """
            UpSampling1D UpSampling2D UpSampling3D AdaptiveAveragePooling1D AdaptiveAveragePooling2D
            AdaptiveAveragePooling3D AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D""",
        _pad: "ZeroPadding1D ZeroPadding2D ZeroPadding3D",
        _crop: "Cropping1D Cropping2D Cropping3D",
        _recurrence: "LSTM GRU SimpleRNN RNN ConvLSTM1D ConvLSTM2D ConvLSTM3D",
        _both_ways: "Bidirectional",
        _attention: "MultiHeadAttention GroupQueryAttention GroupedQueryAttention Attention AdditiveAttention",
    }
)
