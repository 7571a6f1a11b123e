"""The inputs and outputs of a model by name, and how they are nested when it is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.model import TensorSpec
from maskcheck.loaders.keras import private_api
from maskcheck.loaders.keras.tensors import is_tensor, leaves, pack_like

BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Signature:
    """``pack`` nests tensors, given in the order of ``inputs``, as the model wants them."""

    inputs: tuple[TensorSpec, ...]
    pack: Callable[[list[Any]], Any]


def signature_of(model: Any) -> Signature:
    """Read the inputs of a model.

    Raises:
        LoadError: the model was never built, so that nothing says what its inputs look like.
    """
    symbolic = leaves(getattr(model, "inputs", None) or [])
    if symbolic:
        structure = private_api.nesting_of_inputs(model)
        specs = tuple(_spec(t.name, t.dtype, t.shape) for t in symbolic)
        if structure is None or len(leaves(structure)) != len(symbolic):
            structure = symbolic if len(symbolic) > 1 else symbolic[0]
        return Signature(specs, lambda values: pack_like(structure, values))
    return _signature_of_build(model)


def output_names(model: Any, result: Any) -> list[str]:
    """A name for each tensor in ``result``: the key of a dictionary, the layer that makes it, or a number."""
    keras = import_module("keras")
    found = [t for t in leaves(result) if is_tensor(t)]
    if isinstance(result, dict):
        names = [str(path[0]) for path, leaf in keras.tree.flatten_with_path(result) if is_tensor(leaf)]
    else:
        names = [str(n) for n in getattr(model, "output_names", None) or []]
    if len(names) != len(found):
        names = ["output"] if len(found) == 1 else [f"output_{i}" for i in range(len(found))]
    return _make_distinct(names)


def _make_distinct(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        result.append(f"{name}_{count}" if count else name)
    return result


def _spec(name: str, dtype: Any, shape: Sequence[int | None]) -> TensorSpec:
    kind = import_module("keras").backend.standardize_dtype(dtype)
    axes: list[int | str | None] = list(shape)
    if axes and axes[0] is None:
        axes[0] = BATCH
    return TensorSpec(name, "float32" if kind == "bfloat16" else kind, tuple(axes))


def _signature_of_build(model: Any) -> Signature:
    """Inputs of a subclassed model, from the shapes it was built with."""
    shapes = _shapes_of_build(model)
    if not shapes:
        raise LoadError(
            f"{type(model).__name__} was never called or built, so its inputs are unknown.",
            hint="Call it once on real inputs before saving or auditing it.",
        )
    dtype = "int32" if _starts_with_ids(model) else model.compute_dtype
    if isinstance(shapes, dict) and not any(isinstance(v, dict) for v in shapes.values()):
        names = list(shapes)
        specs = tuple(_spec_of_build(n, dtype, shapes[n]) for n in names)
        return Signature(specs, lambda values: dict(zip(names, values, strict=True)))
    if isinstance(shapes[0], list | tuple):
        specs = tuple(_spec_of_build(f"input_{i}", dtype, s) for i, s in enumerate(shapes))
        return Signature(specs, list)
    name = next(iter(inspect.signature(model.call).parameters), "inputs")
    return Signature((_spec_of_build(name, dtype, shapes),), lambda values: values[0])


def _shapes_of_build(model: Any) -> Any:
    config = model.get_build_config() or {}
    shapes = config.get("input_shape") or config.get("shapes_dict")
    if isinstance(shapes, Mapping) and len(shapes) == 1:
        return next(iter(shapes.values()))
    return shapes


def _spec_of_build(name: str, dtype: str, shape: Sequence[int | None]) -> TensorSpec:
    """A model built by a call remembers the sizes of that call: only the last axis of features is taken for fixed."""
    rank = len(shape)
    axes = [shape[i] if rank >= 3 and i == rank - 1 else None for i in range(rank)]
    return _spec(name, dtype, axes)


def _starts_with_ids(model: Any) -> bool:
    """Whether an embedding is among the model's own layers, which then reads the input."""
    keras = import_module("keras")
    return any(isinstance(layer, keras.layers.Embedding) for layer in private_api.layers_within(model))
