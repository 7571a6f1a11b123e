"""The keys of what operators read. What no recorded operator made gets a key, or a site, of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck.ir.dependence import Level
from maskcheck.loaders.pytorch.arrays import to_numpy
from maskcheck.loaders.pytorch.identity import Known
from maskcheck.loaders.pytorch.journal import Journal
from maskcheck.loaders.pytorch.operations import operation_of
from maskcheck.loaders.pytorch.private_api import storage_id
from maskcheck.loaders.pytorch.tensor_table import TensorTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reads:
    """``weights`` names weights by the identity of their memory."""

    journal: Journal
    table: TensorTable
    weights: Mapping[int, str]

    def find(self, tensor: Any) -> Known:
        """The key of a tensor that an operator reads."""
        known = self.table.identities.current(tensor)
        if known is not None:
            return known
        parts = self.table.identities.parts_of(tensor)
        if parts:
            return self._assemble("slice_scatter" if len(parts) > 1 else "view", tensor, parts)
        name = self.weights.get(storage_id(tensor) or 0)
        if name is not None:
            return self.table.enter_weight(name, tensor)
        return self._enter_number(tensor) if tensor.ndim == 0 else self._assemble("untracked", tensor, ())

    def _enter_number(self, tensor: Any) -> Known:
        """A single number that no operator made, as TorchScript turns sizes into tensors."""
        key, _ = self.journal.name("number")
        level = self.table.enter_number(key, to_numpy(tensor).copy())
        self.table.identities.register(tensor, key, level)
        return Known(key, level, 0)

    def _assemble(self, operator: str, tensor: Any, parts: Sequence[tuple[str, Level]]) -> Known:
        """A site for a tensor that changed without an operator making it: another view was written, or it came from
        outside.
        """
        name, place = self.journal.name(operator)
        level = max((level for _, level in parts), default=Level.DATA)
        self.table.enter(name, tensor, level)
        if level is not Level.CONSTANT:
            reads = [key for key, _ in parts]
            operation = operation_of(operator)
            self.journal.add(name, place, operator=operator, operation=operation, reads=reads, makes=(name,))
        return self.table.identities.current(tensor) or Known(name, level, 0)
