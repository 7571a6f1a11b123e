"""Backend tensors: telling them apart, reading them, replacing them without losing the mask beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.keras import private_api


def identity(tensor: Any) -> int:
    """A number that no other living tensor has."""
    own = private_api.number_of(tensor)
    return id(tensor) if own is None else own


def is_tensor(value: Any) -> bool:
    """Whether ``value`` is a tensor that holds numbers, not a symbolic one."""
    keras = import_module("keras")
    return bool(keras.ops.is_tensor(value)) and not is_symbolic(value)


def is_symbolic(value: Any) -> bool:
    return isinstance(value, import_module("keras").KerasTensor)


def leaves(structure: Any) -> list[Any]:
    """The leaves of nested lists, tuples and dictionaries."""
    return list(import_module("keras").tree.flatten(structure))


def tensors_in(structure: Any) -> Iterator[Any]:
    """All tensors of a nested structure."""
    return (leaf for leaf in leaves(structure) if is_tensor(leaf))


def pack_like(structure: Any, values: list[Any]) -> Any:
    """``values`` in the nesting of ``structure``."""
    return import_module("keras").tree.pack_sequence_as(structure, values)


def mask_of(tensor: Any) -> Any:
    """The mask attached to a tensor, or ``None``."""
    return getattr(tensor, private_api.MASK, None)


def put_masks(tensors: Sequence[Any], masks: Sequence[Any]) -> None:
    """Attach to each tensor its mask again."""
    for tensor, mask in zip(tensors, masks, strict=True):
        if mask is not None:
            setattr(tensor, private_api.MASK, mask)


def dtype_of(tensor: Any) -> str:
    """The name of a tensor's type, as numpy has it."""
    return str(import_module("keras").backend.standardize_dtype(tensor.dtype))


def read(tensor: Any) -> Array:
    """The tensor's values; bfloat16 comes as float32, which numpy knows."""
    value = np.asarray(import_module("keras").ops.convert_to_numpy(tensor))
    return value.astype(np.float32) if value.dtype.name == "bfloat16" else value


def replace_values(tensor: Any, value: Array) -> Any:
    """A tensor of the same type that holds ``value`` and carries the same mask."""
    keras = import_module("keras")
    new = keras.ops.convert_to_tensor(value, dtype=dtype_of(tensor))
    return _hand_mask(new, tensor)


def copy(tensor: Any) -> Any:
    """The same values and mask under an identity of its own."""
    return _hand_mask(import_module("keras").ops.copy(tensor), tensor)


def _hand_mask(new: Any, old: Any) -> Any:
    mask = mask_of(old)
    if mask is not None:
        setattr(new, private_api.MASK, mask)
    return new
