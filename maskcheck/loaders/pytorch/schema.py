"""Arguments of an ATen call, read by the operator's schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from maskcheck.loaders.pytorch.private_api import operator_schema

_OPERATORS = 4096
"""Operators whose schemas are kept read, which is more than a model calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """Names of the arguments in order, the defaults of those that have one, and the places of those written to."""

    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    written: tuple[tuple[int, str], ...]


@lru_cache(_OPERATORS)
def schema_of(func: Any) -> Schema:
    """The schema of an operator; an empty one where it has none."""
    declared = operator_schema(func)
    found = tuple(declared.arguments) if declared is not None else ()
    return Schema(
        names=tuple(a.name for a in found),
        defaults={a.name: a.default_value for a in found if a.has_default_value()},
        written=tuple((i, a.name) for i, a in enumerate(found) if a.alias_info is not None and a.alias_info.is_write),
    )


def arguments(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The call's arguments by the schema's names, defaults included."""
    schema = schema_of(func)
    return {**schema.defaults, **dict(zip(schema.names, args, strict=False)), **kwargs}


def changed_tensors(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Tensors that the call changes in place, as its schema says."""
    written = schema_of(func).written
    return [t for i, name in written for t in tensors(args[i] if i < len(args) else kwargs.get(name))]


def tensors(value: Any) -> Iterator[Any]:
    """All tensors in nested arguments, in order."""
    if is_tensor(value):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from tensors(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors(item)


def is_tensor(value: Any) -> bool:
    import torch

    return isinstance(value, torch.Tensor)
