"""Names for the tensors of whatever a model returns."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any


def flatten(result: Any, name: str = "") -> dict[str, Any]:
    """Tensors by name: keys of a mapping, fields of a named tuple, a dataclass or a namespace, ``output_0`` of a tuple,
    ``output`` of a single one.

    What holds no tensor (caches, ``None``, numbers) is left out.
    """
    import torch

    if isinstance(result, torch.Tensor):
        return {name or "output": result}
    found: dict[str, Any] = {}
    if isinstance(result, Mapping):
        for key, value in result.items():
            found |= flatten(value, f"{name}_{key}" if name else str(key))
    elif isinstance(result, tuple) and hasattr(result, "_fields"):
        for key in result._fields:
            found |= flatten(getattr(result, key), f"{name}_{key}" if name else key)
    elif isinstance(result, list | tuple):
        for i, value in enumerate(result):
            found |= flatten(value, f"{name or 'output'}_{i}")
    elif hasattr(result, "__dataclass_fields__") or isinstance(result, SimpleNamespace):
        for key in getattr(result, "__dataclass_fields__", None) or vars(result):
            found |= flatten(getattr(result, key), f"{name}_{key}" if name else key)
    return found
