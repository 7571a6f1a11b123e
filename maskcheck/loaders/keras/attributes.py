"""Settings of layers and operators, under the names all frameworks share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskcheck.loaders.keras.operations import layer_operation

_NAMES = (
    *("axis", "axes", "units", "filters", "kernel_size", "strides", "pool_size", "padding", "dilation_rate", "groups"),
    *(
        "input_dim",
        "output_dim",
        "mask_zero",
        "mask_value",
        "return_sequences",
        "go_backwards",
        "zero_output_for_mask",
        "num_heads",
        "keepdims",
    ),
    *("causal", "use_causal_mask", "rate", "supports_masking"),
)
_REDUCTIONS = frozenset({"Mean", "Sum", "Max", "Min", "Prod", "All", "Any", "ArgMax", "ArgMin", "EuclideanNorm"})


def layer_attributes(layer: Any) -> dict[str, Any]:
    """Plain settings of a layer or of a Keras operation. Global pooling reduces the axes between batch and channels."""
    found = {name: plain for name in _NAMES if (plain := _plain(getattr(layer, name, None))) is not None}
    name = type(layer).__name__
    if name == "TimeDistributed":
        found["applies"] = layer_operation(layer.layer).kind.value
    if name.startswith("Global") and "Pooling" in name:
        rank = int(name[-2])
        first = getattr(layer, "data_format", "channels_last") == "channels_first"
        found["axes"] = [axis + 1 + first for axis in range(rank)]
    if name == "Activation" or name == "Softmax":
        found.setdefault("axis", -1)
    return found


def operator_attributes(operation: str, arguments: Sequence[Any]) -> dict[str, Any]:
    """Axes and strides of a TensorFlow operator, from the arguments of its eager call."""
    inputs, named = split_arguments(arguments)
    found = {name: value for name in ("axis", "strides", "padding") if (value := _plain(named.get(name))) is not None}
    if operation in _REDUCTIONS and len(inputs) > 1:
        axes = _plain(inputs[1])
        if axes is not None:
            found["axes"] = [axes] if isinstance(axes, int) else axes
    elif operation == "ConcatV2" and len(inputs) > 1:
        found["axis"] = _plain(inputs[-1])
    elif operation in ("Softmax", "LogSoftmax"):
        found["axis"] = -1
    elif operation == "StridedSlice" and len(inputs) > 3:
        found["steps"] = _plain(inputs[3])
    return {name: value for name, value in found.items() if value is not None}


def split_arguments(arguments: Sequence[Any]) -> tuple[list[Any], Mapping[str, Any]]:
    """Inputs, which come first, and the named attributes behind them."""
    first = next((i for i, a in enumerate(arguments) if isinstance(a, str)), len(arguments))
    names, values = arguments[first::2], arguments[first + 1 :: 2]
    return list(arguments[:first]), {n: v for n, v in zip(names, values, strict=False) if isinstance(n, str)}


def _plain(value: Any) -> Any:
    """Numbers, words, and lists of numbers; small tensors of them as lists; ``None`` for anything else."""
    if isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Sequence) and all(isinstance(v, int) for v in value):
        return [int(v) for v in value]
    if hasattr(value, "numpy") and hasattr(value, "shape") and len(value.shape) <= 1:
        found = value.numpy()
        return found.tolist() if found.size <= 8 and found.dtype.kind in "iu" else None
    return None
