"""Masks that a model derives from an input by asking which of its values equal a constant."""

from __future__ import annotations

from dataclasses import dataclass, replace

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.operation import Operation as Op


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A mask. ``equal``: true where the input is ``value`` (else where it is not).

    ``steps``: of whole steps, told by all of their features at once (else of single values).
    """

    value: float | int
    equal: bool
    steps: bool = False


_HIDES = frozenset({Op.WHERE, Op.MULTIPLY})
"""Operations by which a layer blanks the steps it took for padding."""

_ANY = frozenset({Op.ANY, Op.MAX})
_ALL = frozenset({Op.ALL, Op.MIN})


def mark_of(operation: Op, value: float | int) -> Mark | None:
    """The mask that a comparison with ``value`` makes; an ordering tells nothing of equality."""
    equal = {Op.EQUAL: True, Op.NOT_EQUAL: False}.get(operation)
    return None if equal is None else Mark(value=value, equal=equal)


def mark_behind(operation: Op, mark: Mark) -> Mark | None:
    """What an operation makes of a mask; ``None`` where it is the same mask no more."""
    if operation is Op.NOT:
        return replace(mark, equal=not mark.equal)
    if operation in (_ALL if mark.equal else _ANY):
        return replace(mark, steps=True)
    return mark if operation is Op.CAST or operation.kind is Kind.LAYOUT else None


def hides_steps(site: Site, mark: Mark) -> bool:
    """Whether ``site`` blanks whole steps by a mask; blanking single values, as of ids, is something else."""
    return mark.steps and site.operation in _HIDES
