"""Which of the tensors that a call returned or changed are new, and under which keys they go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck.ir.dependence import Level
from maskcheck.ir.operation import Kind, Operation
from maskcheck.loaders.pytorch.identity import Identities
from maskcheck.loaders.pytorch.schema import is_tensor
from maskcheck.loaders.pytorch.tensor_table import TensorTable

_FIRST_OUTPUT = (Kind.NORMALIZATION, Kind.ATTENTION)
"""Kinds whose further outputs are statistics that only training reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What one call made. ``leaves`` is all that it returned; ``fresh`` are the places of new tensors there, and
    ``extra`` tensors that it changed and did not return. ``in_place`` are the identities of all it changed.
    """

    leaves: list[Any]
    fresh: tuple[int, ...]
    extra: tuple[Any, ...]
    in_place: frozenset[int]

    @classmethod
    def of(cls, leaves: list[Any], changed: Sequence[Any], known: Identities, operation: Operation) -> Results:
        """A leaf that is only another object for a tensor known already is not new."""
        in_place = frozenset(map(id, changed))
        fresh = [
            i
            for i, leaf in enumerate(leaves)
            if is_tensor(leaf) and (id(leaf) in in_place or known.current(leaf) is None)
        ]
        if operation.kind in _FIRST_OUTPUT:
            fresh = fresh[:1]
        returned = set(map(id, leaves))
        extra = tuple(tensor for tensor in changed if id(tensor) not in returned)
        return cls(leaves=leaves, fresh=tuple(fresh), extra=extra, in_place=in_place)

    @property
    def tensors(self) -> tuple[Any, ...]:
        return (*(self.leaves[i] for i in self.fresh), *self.extra)

    @property
    def sizes(self) -> tuple[tuple[int, ...], ...]:
        """Shapes of the new tensors that were returned."""
        return tuple(tuple(self.leaves[i].shape) for i in self.fresh)

    def enter(self, name: str, level: Level, table: TensorTable) -> tuple[str, ...]:
        """Enter all tensors into ``table``, put what readers are to see into ``leaves``, and return the keys."""
        keys = tuple(name if i == 0 else f"{name}.{i}" for i in range(len(self.fresh) + len(self.extra)))
        seen = [
            table.enter(key, tensor, level, in_place=id(tensor) in self.in_place)
            for key, tensor in zip(keys, self.tensors, strict=True)
        ]
        for i, tensor in zip(self.fresh, seen, strict=False):
            self.leaves[i] = tensor
        return keys
