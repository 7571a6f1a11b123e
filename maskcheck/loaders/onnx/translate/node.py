"""A node with what the graph tells about its operands, and tables from operators to what makes their settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maskcheck.ir.settings import Settings
from maskcheck.loaders.onnx.constants import GraphConstants
from maskcheck.loaders.onnx.graph import OnnxNode

Ranks = Mapping[str, int | None]
"""Ranks of tensors by key; a tensor that is not named has an unknown one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeView:
    """One node as those see it who make its settings. Operands are named by their positions."""

    node: OnnxNode
    constants: GraphConstants
    ranks: Ranks

    @property
    def opset(self) -> int:
        return self.constants.graph.opset

    def attribute(self, name: str, default: Any = None) -> Any:
        return self.node.attributes.get(name, default)

    def key(self, position: int) -> str | None:
        """The operand at ``position``, ``None`` where it was left out."""
        return self.node.input(position) or None

    def number(self, position: int) -> float | None:
        """The one number that fills the operand everywhere; ``None`` where there is none."""
        return self.constants.fill(self.node.input(position))

    def integers(self, position: int) -> tuple[int, ...] | None:
        """The integers of a constant operand, flattened; ``None`` for any other and for one that was left out."""
        return self.constants.integers(self.node.input(position))

    def given(self, name: str, position: int, default: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
        """Integers that older opsets take as attribute ``name`` and newer ones as the operand at ``position``.

        ``default`` where neither is given, ``None`` where the operand is no constant.
        """
        value = self.attribute(name)
        if value is not None:
            return (value,) if isinstance(value, int) else tuple(value)
        return self.integers(position) if self.key(position) else default

    def dims(self, position: int) -> tuple[int, ...] | None:
        """Shape of a constant operand."""
        return self.constants.shape(self.node.input(position))

    def rank(self, position: int) -> int | None:
        dims = self.dims(position)
        return self.ranks.get(self.node.input(position)) if dims is None else len(dims)


Maker = Callable[[NodeView], Settings | None]


def table(source: Mapping[Maker, tuple[str, str]]) -> dict[str, Maker]:
    """Makers by operator, from the names of standard operators and those of Microsoft's that each serves."""
    standard = {name: maker for maker, (names, _) in source.items() for name in names.split()}
    return standard | {f"com.microsoft.{name}": maker for maker, (_, names) in source.items() for name in names.split()}
