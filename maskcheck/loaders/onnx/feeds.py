"""Feeds and patches as the model declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array, Feeds, TensorSpec
from maskcheck.loaders.onnx.runtime import as_declared


def convert_feeds(feeds: Feeds, specs: Sequence[TensorSpec]) -> dict[str, Array]:
    """Feeds of the declared types. Raises ``RunError`` for inputs that are missing or unknown."""
    declared = {spec.name: spec for spec in specs}
    problems = (
        ("missing", [spec.name for spec in specs if not spec.optional and spec.name not in feeds]),
        ("unknown", [name for name in feeds if name not in declared]),
    )
    parts = [f"{word} input {', '.join(names)}" for word, names in problems if names]
    if parts:
        raise RunError(f"The model was given the wrong inputs: {'; '.join(parts)}.")
    return {name: as_declared(np.asarray(value), declared[name].dtype) for name, value in feeds.items()}


def convert_patches(patches: Mapping[str, Array], dtypes: Mapping[str, str], model: str) -> dict[str, Array]:
    """Patches as arrays contiguous in memory. Raises ``TraceError``, which names ``model``, for tensors that do not
    exist or have another type.
    """
    return {key: _convert_patch(key, np.asarray(value), dtypes.get(key), model) for key, value in patches.items()}


def _convert_patch(key: str, value: Array, dtype: str | None, model: str) -> Array:
    if dtype is None:
        raise TraceError(f"There is no tensor {key!r} to patch in {model}.")
    if value.dtype.name != dtype:
        raise TraceError(f"The patch of {key!r} is {value.dtype.name}, the tensor is {dtype}.")
    return as_declared(value, dtype)
