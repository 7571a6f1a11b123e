"""Parameters and buffers of modules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from maskcheck.loaders.pytorch.arrays import dtype_name
from maskcheck.loaders.pytorch.private_api import storage_id


def name_weights(*targets: Any) -> dict[int, str]:
    """Names of all parameters and buffers by the identity of their memory; the first target's go first."""
    found: dict[int, str] = {}
    for target in targets:
        for name, tensor in _weights(target):
            own = storage_id(tensor)
            if own is not None:
                found.setdefault(own, name)
    return found


def size_in_bytes(module: Any) -> int:
    return sum(p.numel() * p.element_size() for p in module.parameters())


def precision_of(target: Any) -> str:
    """The type of the first floating parameter, ``float32`` where there is none."""
    import torch

    for parameter in getattr(target, "parameters", tuple)():
        if parameter.is_floating_point():
            return "bfloat16" if parameter.dtype == torch.bfloat16 else dtype_name(parameter)
    return "float32"


def _weights(target: Any) -> Iterator[tuple[str, Any]]:
    for group in ("named_parameters", "named_buffers"):
        yield from getattr(target, group, tuple)()
