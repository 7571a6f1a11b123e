"""Which tensors a module or function takes, by name, and how to call it with them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.core.errors import UsageError
from maskcheck.loaders.pytorch.private_api import build_tree, flatten_tree, tree_paths
from maskcheck.loaders.pytorch.schema import is_tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Example inputs by name, and how to call the target with tensors in their place.

    ``inputs`` holds the example tensors; ``spec`` and ``fixed`` rebuild the arguments around them.
    """

    target: Callable[..., Any]
    inputs: Mapping[str, Any]
    fixed: Sequence[Any] = ()
    names: Sequence[str | None] = ()
    spec: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def call(self, tensors: Mapping[str, Any], **more: Any) -> Any:
        leaves = [value if name is None else tensors[name] for name, value in zip(self.names, self.fixed, strict=True)]
        args, kwargs = build_tree(leaves, self.spec)
        return self.target(*args, **kwargs, **{**self.extra, **more})


def bind(target: Callable[..., Any], examples: Any, extra: Mapping[str, Any] | None = None) -> Binding:
    """Name the tensors of ``examples``: a mapping of keyword arguments, a tuple of arguments, or one tensor.

    ``extra`` are further keyword arguments for every call.

    Raises:
        UsageError: the examples hold no tensor or do not fit the signature.
    """
    args, kwargs = _arguments(examples)
    labels = _labels(target, len(args))
    leaves, spec = flatten_tree((args, kwargs))
    fixed = [_to_tensor(leaf) for leaf in leaves]
    paths = tree_paths((args, kwargs))
    names = [_name(path, labels) if is_tensor(value) else None for path, value in zip(paths, fixed, strict=True)]
    inputs = {name: value for name, value in zip(names, fixed, strict=True) if name is not None}
    if not inputs:
        raise UsageError("The example inputs hold no tensor.", hint="Give a dict or a tuple of tensors.")
    return Binding(target=target, inputs=inputs, fixed=fixed, names=names, spec=spec, extra=dict(extra or {}))


def _to_tensor(leaf: Any) -> Any:
    """Arrays as tensors; whatever else is given stays."""
    import torch

    return torch.from_numpy(leaf.copy()) if isinstance(leaf, np.ndarray) else leaf


def _arguments(examples: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(examples, Mapping):
        return (), dict(examples)
    if isinstance(examples, tuple | list):
        return tuple(examples), {}
    return (examples,), {}


def parameters(target: Callable[..., Any]) -> list[inspect.Parameter]:
    """Parameters of a module's ``forward`` or of a function; empty when they cannot be known."""
    function = getattr(target, "forward", target)
    schema = getattr(function, "schema", None)
    if schema is not None:  # TorchScript
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        optional = {a.name: None if a.has_default_value() else inspect.Parameter.empty for a in schema.arguments[1:]}
        return [inspect.Parameter(name, kind, default=default) for name, default in optional.items()]
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _labels(target: Callable[..., Any], count: int) -> list[str]:
    known = [p.name for p in parameters(target) if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [known[i] if i < len(known) else f"input_{i}" for i in range(count)]


def _name(path: Sequence[Any], labels: Sequence[str]) -> str:
    """A leaf's name from its place: parameter, then keys and indices below it."""
    steps = [getattr(step, "key", getattr(step, "idx", getattr(step, "name", "?"))) for step in path]
    first = labels[int(steps[1])] if steps[0] == 0 else str(steps[1])
    return "_".join((first, *(str(step) for step in steps[2:])))
