"""One call as the tables read it: its operands, its plain settings; and what they make of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.ir.constants import fill_of, integers_of
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    operation: Operation
    settings: Settings | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operand:
    """One operand of a call.

    ``key`` is that of a tensor which the model's inputs reach, ``constant`` holds the values of a small one which they
    do not. ``sized`` says that the tensor is computed from sizes alone. What is not known is ``None``.
    """

    key: str | None = None
    constant: Array | None = None
    shape: tuple[int, ...] | None = None
    sized: bool = False

    @property
    def number(self) -> float | None:
        """The one number that a constant holds everywhere."""
        return fill_of(self.constant)

    @property
    def integers(self) -> tuple[int, ...] | None:
        """A constant of whole numbers, laid flat."""
        return integers_of(self.constant)

    @property
    def integer(self) -> int | None:
        """A constant of one whole number."""
        found = self.integers
        return found[0] if found is not None and len(found) == 1 else None


ABSENT = Operand()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Call:
    """A call of an operator. Lists of tensors lie flat in ``operands``.

    ``attributes`` are plain settings by name; ``named`` holds those operands that have a name.
    """

    operator: str
    operands: tuple[Operand, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    named: Mapping[str, Operand] = field(default_factory=dict)

    def operand(self, place: int) -> Operand:
        """The operand at ``place``, negative places counting from the last; an empty one where there is none."""
        return self.operands[place] if -len(self.operands) <= place < len(self.operands) else ABSENT

    def integer(self, name: str) -> int | None:
        """A plain setting of one whole number."""
        return one(integers(self.attributes.get(name)))

    def integers(self, name: str) -> tuple[int, ...] | None:
        """A plain setting of whole numbers; one alone counts as well."""
        return integers(self.attributes.get(name))

    @property
    def rank(self) -> int | None:
        """The number of axes of the first operand."""
        shape = self.operand(0).shape
        return None if shape is None else len(shape)


def integers(value: Any) -> tuple[int, ...] | None:
    """Whole numbers as a tuple, one alone as a tuple of one; ``None`` for anything else."""
    if is_integer(value):
        return (int(value),)
    if isinstance(value, Sequence) and not isinstance(value, str) and all(map(is_integer, value)):
        return tuple(int(v) for v in value)
    return None


def is_integer(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def one(values: Sequence[int] | None) -> int | None:
    """The only one of some numbers."""
    return values[0] if values is not None and len(values) == 1 else None
