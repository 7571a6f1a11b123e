"""Sites written by hand: what a test says of one, and nothing else."""

from __future__ import annotations

from typing import Any

from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind, Operation


def any_of(kind: Kind) -> Operation:
    """Some operation of a kind, where a test cares for no more than that."""
    return next(operation for operation in Operation if operation.kind is kind)


def site(
    name: str, operator: str, does: Operation | Kind, inputs: tuple[str, ...], outputs: tuple[str, ...], **further: Any
) -> Site:
    """``does`` is the operation, or its kind where that is all that matters."""
    operation = does if isinstance(does, Operation) else any_of(does)
    return Site(name=name, operator=operator, operation=operation, inputs=inputs, outputs=outputs, **further)


_NAMED = {
    "eq": Operation.EQUAL,
    "equal": Operation.EQUAL,
    "ne": Operation.NOT_EQUAL,
    "notequal": Operation.NOT_EQUAL,
    "lt": Operation.LESS,
    "less": Operation.LESS,
    "le": Operation.LESS_OR_EQUAL,
    "gt": Operation.GREATER,
    "greater": Operation.GREATER,
    "ge": Operation.GREATER_OR_EQUAL,
    "gather": Operation.EMBEDDING,
    "embedding": Operation.EMBEDDING,
    "masking": Operation.MASKING,
}


def use(name: str, kind: UseKind, at: str, operator: str, value: float | None = None) -> InputUse:
    """A use of an input by an operator whose name says what it does, in whichever framework's spelling."""
    spelt = operator.rpartition(".")[2].replace("_", "").lower()
    operation = _NAMED.get(spelt, Operation.OTHER)
    return InputUse(input=name, kind=kind, site=at, operator=operator, operation=operation, value=value)
