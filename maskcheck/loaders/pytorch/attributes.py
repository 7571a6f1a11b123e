"""Attributes of an ATen call: what its settings tell, under the names of before. Goes when nobody reads them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from maskcheck.ir.operation import COMPARISONS, Kind, Operation
from maskcheck.loaders.pytorch.composite_ops import RECURRENT
from maskcheck.loaders.pytorch.translate import Call
from maskcheck.loaders.pytorch.translate.recurrences import recurrence

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


def attributes(call: Call, operation: Operation) -> dict[str, Any]:
    """Attributes of a call: numbers, lists of numbers, switches."""
    found = _plain(call.name, call.given)
    if operation in COMPARISONS:
        found["compares"] = True
    if operation.kind is Kind.EMBEDDING:
        found["rows"] = next(iter(call.shape("weight", "self")), None)
    if operation.kind is Kind.ATTENTION:
        found |= _attention(call.given)
    return found | _recurrent(call) if call.name in RECURRENT else found


def _plain(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
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
    if isinstance(weight, torch.Tensor) and name.startswith("conv") and "kernel_shape" not in found:
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


def _attention(given: Mapping[str, Any]) -> dict[str, Any]:
    mask = given.get("attn_mask", given.get("attn_bias"))
    return {
        "has_mask": mask is not None,
        "mask_rank": None if mask is None else int(mask.ndim),
        "is_causal": bool(given.get("is_causal")),
        "unidirectional": bool(given.get("is_causal")),
    }


def _recurrent(call: Call) -> dict[str, Any]:
    told = recurrence(call)
    found: dict[str, Any] = {"direction": told.direction.value, "has_sequence_lens": told.packed}
    return found if told.time_first_rows is None else found | {"time_first_rows": told.time_first_rows}
