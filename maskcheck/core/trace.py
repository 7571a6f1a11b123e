"""What one run of a model computed, where, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.ir.graph import Site


@dataclass(frozen=True, slots=True)
class Trace:
    """One instrumented run.

    ``tensors`` maps keys (model inputs included) to what was computed; a key that is absent was not observable.
    ``shape_only`` names tensors computed from sizes alone: they differ between lengths by nature and carry no content.
    ``constants`` names tensors that no input reaches, weights above all; small ones may appear in ``tensors``.
    ``attention`` maps the name of an attention site to its weights ``(batch, heads, queries, keys)`` where the
    operator is fused and the loader recomputed them from its inputs.
    """

    sites: tuple[Site, ...]
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    outputs: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    shape_only: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    attention: Mapping[str, np.ndarray[Any, np.dtype[Any]]] = field(default_factory=dict)
