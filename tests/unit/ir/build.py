"""Graphs of a handful of sites, written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from maskcheck.ir.constants import KnownConstants
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Settings


def site(operation: Operation, reads: str, makes: str, settings: Settings | None = None, **further: Any) -> Site:
    """A site named after what it makes first. ``reads`` and ``makes`` are keys with spaces between them."""
    inputs, outputs = tuple(reads.split()), tuple(makes.split())
    told = {"name": outputs[0], "operator": operation.value} | further
    return Site(operation=operation, inputs=inputs, outputs=outputs, settings=settings, **told)


def graph(*sites: Site) -> Graph:
    return Graph.of(sites)


def constants(**values: Any) -> KnownConstants:
    """Constants from numbers and lists; floats are float32, as they are in models."""
    arrays = {key: np.asarray(value) for key, value in values.items()}
    narrow = {key: a.astype(np.float32) if a.dtype == np.float64 else a for key, a in arrays.items()}
    return KnownConstants(values=narrow)


def table(rows: int, empty: int | None = None) -> np.ndarray:
    """A table of ``rows`` by 3 without zeros, but for the row ``empty``."""
    made = np.arange(1, rows * 3 + 1, dtype=np.float32).reshape(rows, 3)
    if empty is not None:
        made[empty] = 0
    return made
