"""Sites written by hand: what a test says of one, and nothing else."""

from __future__ import annotations

from typing import Any

from maskcheck.ir.graph import Site
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
