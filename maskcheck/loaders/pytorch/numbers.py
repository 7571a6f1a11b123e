"""Tensors of which it is known that they hold one number everywhere, or that the program wrote them down as numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from maskcheck.ir.operation import Kind, Operation
from maskcheck.loaders.pytorch.operations import LITERALS, ONE_NUMBER

_KEEPS_UNIFORM = (Kind.ELEMENTWISE, Kind.LAYOUT)
"""Kinds whose result holds one number everywhere if every operand does."""


@dataclass(slots=True, kw_only=True)
class Numbers:
    """Keys of those that are ``uniform``, and of those that were ``written`` down."""

    uniform: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)

    def note(self, name: str, operation: Operation, reads: Collection[str], makes: Collection[str]) -> bool:
        """Note what operator ``name`` made, and return whether that holds one number everywhere."""
        if name in LITERALS:
            self.written.update(makes)
        uniform = name in ONE_NUMBER or self._keeps_uniform(operation, reads)
        if uniform:
            self.uniform.update(makes)
        return uniform

    def _keeps_uniform(self, operation: Operation, reads: Collection[str]) -> bool:
        keeps = operation.kind in _KEEPS_UNIFORM and operation is not Operation.TRIANGLE
        return keeps and bool(reads) and self.uniform.issuperset(reads)
