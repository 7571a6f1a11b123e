"""Between torch tensors and numpy arrays. Types that numpy lacks travel as wider ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskcheck.core.model import Array


def to_numpy(tensor: Any) -> Array:
    """The tensor's values, sharing memory where torch can; bfloat16 and float8 as float32, complex as pairs."""
    import torch

    value = tensor.detach()
    if value.layout is not torch.strided or value.is_quantized:
        value = value.dequantize() if value.is_quantized else value.to_dense()
    if value.is_complex():
        value = torch.view_as_real(value.resolve_conj())
    elif value.is_floating_point() and value.dtype not in (torch.float16, torch.float32, torch.float64):
        value = value.float()
    return np.asarray(value.resolve_neg().cpu().numpy())


def copy_like(value: Array, tensor: Any) -> Any:
    """A new tensor of the given values with the dtype and device of ``tensor``."""
    import torch

    made = torch.from_numpy(np.array(value, copy=True))
    if tensor.is_complex():
        made = torch.view_as_complex(made.contiguous())
    return made.to(device=tensor.device, dtype=tensor.dtype)


def dtype_name(tensor: Any) -> str:
    """The numpy dtype under which values of ``tensor`` are fed and returned."""
    import torch

    if tensor.is_floating_point() and tensor.dtype not in (torch.float16, torch.float32, torch.float64):
        return "float32"
    return str(tensor.dtype).removeprefix("torch.")
