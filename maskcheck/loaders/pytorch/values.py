"""The values of one recording: which are kept, and which are replaced before anything reads them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.pytorch.arrays import copy_like, to_numpy
from maskcheck.loaders.pytorch.private_api import storage_id


@dataclass(slots=True, kw_only=True)
class Values:
    """``patches`` are put in the place of what was computed; ``record`` names what is kept, ``None`` for everything.

    Kept arrays share memory with their tensors, until that memory is about to change.
    """

    patches: Mapping[str, Array] = field(default_factory=dict)
    record: Collection[str] | None = None
    kept: dict[str, Array] = field(default_factory=dict)
    _shared: dict[int, list[str]] = field(default_factory=dict)

    def is_kept(self, key: str) -> bool:
        return self.record is None or key in self.record

    def keep(self, key: str, tensor: Any) -> None:
        """Keep what was computed as ``key``, if it is to be kept."""
        if not self.is_kept(key):
            return
        self.kept[key] = to_numpy(tensor)
        own = storage_id(tensor)
        if own is not None:
            self._shared.setdefault(own, []).append(key)

    def keep_copy(self, key: str, tensor: Any) -> Array:
        """Keep an input or output of the model, which is kept always."""
        self.kept[key] = np.array(to_numpy(tensor), copy=True)
        return self.kept[key]

    def keep_number(self, key: str, number: Array) -> None:
        """Keep a number that is no tensor of the program."""
        if self.is_kept(key):
            self.kept[key] = number

    def detach(self, tensor: Any) -> None:
        """Copy what shares memory with ``tensor``, which is about to change."""
        for key in self._shared.pop(storage_id(tensor) or 0, ()):
            self.kept[key] = np.array(self.kept[key], copy=True)

    def patch(self, key: str, tensor: Any) -> Any:
        """What readers of ``key`` are to see: ``tensor`` itself, or a new one."""
        return copy_like(self.patches[key], tensor) if key in self.patches else tensor

    def patch_in_place(self, key: str, tensor: Any) -> None:
        """Write what readers of ``key`` are to see into ``tensor``."""
        if key in self.patches:
            self.detach(tensor)
            tensor.copy_(copy_like(self.patches[key], tensor))
