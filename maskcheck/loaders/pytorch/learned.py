"""What one recording learns of types and constants, for the analyses that look for more than sites."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.ir.constants import SMALL, KnownConstants, empty_row_of
from maskcheck.ir.dependence import Level
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.loaders.pytorch.arrays import to_numpy


@dataclass(slots=True, kw_only=True)
class Learned:
    """By key: types of all tensors, the numbers that some hold everywhere, small constants, shapes of large ones, and
    weights. Nothing else is held, for large constants made in a run are to go when the program lets go of them.
    """

    dtypes: dict[str, str] = field(default_factory=dict)
    fills: dict[str, float] = field(default_factory=dict)
    _values: dict[str, Array] = field(default_factory=dict)
    _shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    _weights: dict[str, Any] = field(default_factory=dict)

    def learn(self, key: str, tensor: Any, level: Level) -> None:
        self.dtypes[key] = str(tensor.dtype).removeprefix("torch.")
        if level is not Level.CONSTANT:
            return
        if tensor.numel() <= SMALL:
            self._values[key] = np.array(to_numpy(tensor), copy=True)
        else:
            self._shapes[key] = tuple(tensor.shape)

    def learn_weight(self, name: str, tensor: Any) -> None:
        self.learn(name, tensor, Level.CONSTANT)
        self._weights[name] = tensor

    def learn_fill(self, key: str, tensor: Any) -> None:
        """Learn the number that ``tensor`` holds everywhere, unless it holds truth values or nothing."""
        if tensor.numel() and not tensor.is_complex() and self.dtypes.get(key) != "bool":
            self.fills[key] = float(tensor.reshape(-1)[0].item())

    def constants(self, sites: Iterable[Site]) -> KnownConstants:
        """Everything known of constants. Large tables are looked through where ``sites`` look up rows in them."""
        tables = {site.inputs[0] for site in sites if site.kind is Kind.EMBEDDING and site.inputs}
        large = tables & self._shapes.keys() & self._weights.keys()
        rows = {key: row for key in large if (row := _empty_row(self._weights[key])) is not None}
        return KnownConstants(values=self._values, shapes=self._shapes, fills=self.fills, empty_rows=rows)


def _empty_row(table: Any) -> int | None:
    """The only row that is all zeros of a large table (rows, features), found without a copy of all of it."""
    if table.ndim != 2 or not table.is_floating_point():
        return None
    candidates = (table[:, 0] == 0).nonzero().reshape(-1)
    found = empty_row_of(to_numpy(table[candidates]))
    return None if found is None else int(candidates[found])
