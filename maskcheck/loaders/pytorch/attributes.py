"""Settings of an ATen call under the names the rest of the program knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_NAMES = {
    "keepdim": "keepdims",
    "stride": "strides",
    "padding": "pads",
    "dilation": "dilations",
    "start": "starts",
    "end": "ends",
    "step": "steps",
    "kernel_size": "kernel_shape",
    "is_causal": "unidirectional",
    "pad": "pads",
}
_AXES = frozenset({"dim", "dims", "dim0", "axis"})
_PLAIN = (bool, int, float, str)
_SCALARS = frozenset({"other", "value", "exponent", "self"})
_SHOWN = 16


def arguments(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The call's arguments by the schema's names, defaults included."""
    schema = getattr(func, "_schema", None)
    if schema is None:
        return dict(kwargs)
    found: dict[str, Any] = {}
    for i, argument in enumerate(schema.arguments):
        if i < len(args):
            found[argument.name] = args[i]
        elif argument.name in kwargs:
            found[argument.name] = kwargs[argument.name]
        elif argument.has_default_value():
            found[argument.name] = argument.default_value
    return found


def settings(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of operator ``name`` called with ``given``: numbers, lists of numbers, switches."""
    import torch

    found: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, torch.Tensor):
            continue
        if key in _AXES:
            found |= _axes(value)
        elif isinstance(value, _PLAIN):
            label = "fill" if key in _SCALARS and not isinstance(value, bool) else _NAMES.get(key, key)
            found[label] = value
        elif isinstance(value, list | tuple) and len(value) <= _SHOWN and all(isinstance(v, _PLAIN) for v in value):
            found[_NAMES.get(key, key)] = list(value)
    if name == "select" and isinstance(given.get("index"), int):
        found["indices"] = given["index"]
    weight = given.get("weight")
    if isinstance(weight, torch.Tensor):
        if name == "embedding":
            found["rows"] = int(weight.shape[0])
        elif name.startswith("conv") and "kernel_shape" not in found:
            found["kernel_shape"] = list(weight.shape[2:])
    if name in ("mean", "sum", "amax", "max", "prod", "var", "std") and not {"axis", "axes"} & set(found):
        source = given.get("self")
        found["axes"] = list(range(source.ndim)) if isinstance(source, torch.Tensor) else []
    return found


def _axes(value: Any) -> dict[str, Any]:
    if isinstance(value, bool) or value is None:
        return {}
    if isinstance(value, int):
        return {"axis": value}
    return {"axes": list(value)} if isinstance(value, list | tuple) and value else {}


def mutated(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Tensors that the call changes in place, as its schema says."""
    import torch

    found: list[Any] = []
    for i, argument in enumerate(func._schema.arguments):
        if argument.alias_info is None or not argument.alias_info.is_write:
            continue
        value = args[i] if i < len(args) else kwargs.get(argument.name)
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, torch.Tensor):
                found.append(item)
    return found
