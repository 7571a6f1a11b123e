"""``Site.attributes``, which give way to ``Site.settings``: nothing else of the loader makes or reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.keras.frozen_graph.graph import FrozenNode
from maskcheck.loaders.keras.operations import layer_operation
from maskcheck.loaders.keras.translate.call import uniform
from maskcheck.loaders.keras.translate.operands import split_arguments

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

_FILLS = {"SelectV2": (1, 2), "Select": (1, 2), "AddV2": (0, 1), "Add": (0, 1), "Sub": (1,), "Mul": (0, 1)}
_LAST_AXIS = frozenset({"Softmax", "LogSoftmax"})
_AXIS_AT = {"ExpandDims": 1, "Cumsum": 1, "Cumprod": 1, "GatherV2": 2, "ConcatV2": -1, "Split": 0, "SplitV": 2}
_NO_END = 2**31 - 1


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


def node_attributes(node: FrozenNode, constants: Mapping[str, Array]) -> dict[str, Any]:
    """Settings of an operator of a frozen graph."""
    found = dict(node.attributes)
    if node.operator in _REDUCTIONS and len(node.inputs) > 1:
        axes = _integers(constants, node.inputs[1])
        found |= {} if axes is None else {"axes": axes}
        found["keepdims"] = int(bool(node.attributes.get("keep_dims")))
    elif node.operator in _LAST_AXIS:
        found["axis"] = -1
    elif node.operator in _AXIS_AT and len(node.inputs) > 1:
        axis = _integers(constants, node.inputs[_AXIS_AT[node.operator]])
        found |= {"axis": axis[0]} if axis else {}
        found |= {"reverse": bool(node.attributes["reverse"])} if "reverse" in node.attributes else {}
    elif node.operator == "Squeeze" and node.attributes.get("squeeze_dims"):
        found["axes"] = node.attributes["squeeze_dims"]
    elif node.operator == "StridedSlice":
        found |= _sliced(node, constants)
    if node.operator in _FILLS:
        known = [
            v for p in _FILLS[node.operator] if p < len(node.inputs) for v in [uniform(constants.get(node.inputs[p]))]
        ]
        values = [v for v in known if v is not None]
        found |= {"fill": values[0]} if len(values) == 1 else {"fills": values} if values else {}
    return found


def _sliced(node: FrozenNode, constants: Mapping[str, Array]) -> dict[str, Any]:
    """Bounds along those axes that are cut; an axis behind dots counts from the end."""
    bounds = [_integers(constants, key) for key in node.inputs[1:4]]
    masks = {name: int(node.attributes.get(f"{name}_mask", 0)) for name in ("begin", "end", "ellipsis", "shrink_axis")}
    if len(bounds) < 3 or any(b is None for b in bounds) or node.attributes.get("new_axis_mask"):
        return {}
    begins, ends, steps = ([*b] for b in bounds if b is not None)
    found: dict[str, list[int]] = {"axes": [], "starts": [], "ends": [], "steps": []}
    behind = False
    for i, (begin, end, step) in enumerate(zip(begins, ends, steps, strict=True)):
        if masks["ellipsis"] >> i & 1:
            behind = True
            continue
        one = bool(masks["shrink_axis"] >> i & 1)
        start = 0 if masks["begin"] >> i & 1 and not one else begin
        stop = begin + 1 if one else _NO_END if masks["end"] >> i & 1 else end
        stop = _NO_END if one and begin == -1 else stop
        if (start, stop, step) != (0, _NO_END, 1):
            entry = {"axes": i - len(begins) if behind else i, "starts": start, "ends": stop, "steps": step}
            for name, value in entry.items():
                found[name].append(value)
    return dict(found)


def _integers(constants: Mapping[str, Array], key: str) -> list[int] | None:
    value = constants.get(key)
    return None if value is None or value.dtype.kind not in "iu" else [int(v) for v in np.ravel(value)]
