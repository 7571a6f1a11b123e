"""One ATen call, and what is known of the tensors it reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from maskcheck.ir.dependence import Level
from maskcheck.loaders.pytorch.identity import Known
from maskcheck.loaders.pytorch.schema import is_tensor

_LIBRARIES = frozenset({"aten", "quantized", "quantized_decomposed"})
_LISTED = 16
"""Entries up to which a constant list of positions is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A call of operator ``name`` (its base name) with the arguments ``given``, by the schema's names.

    ``known`` tells what goes by which key, by the identity of the tensor. Tensors whose keys are in ``uniform`` hold
    one number everywhere; those whose keys are in ``written`` were written down as numbers in the program. ``library``
    is where the operator comes from: only torch's own have the arguments one knows.
    """

    name: str
    given: Mapping[str, Any]
    library: str = "aten"
    known: Mapping[int, Known] = field(default_factory=dict)
    uniform: Collection[str] = ()
    written: Collection[str] = ()

    @property
    def torchs_own(self) -> bool:
        return self.library in _LIBRARIES

    def tensor(self, *names: str) -> Any:
        """The first of the named arguments that is a tensor, else ``None``."""
        return next((self.given[n] for n in names if is_tensor(self.given.get(n))), None)

    def shape(self, *names: str) -> tuple[int, ...]:
        """Sizes of the first of the named arguments that is a tensor; ``()`` where none is."""
        found = self.tensor(*names)
        return () if found is None else tuple(found.shape)

    def rank(self, *names: str) -> int:
        """Number of axes, which nested tensors have as well; 0 where none of the arguments is a tensor."""
        found = self.tensor(*names)
        return 0 if found is None else int(found.ndim)

    def key(self, *names: str) -> str | None:
        """Key of the first of the named arguments that is a tensor."""
        return self.key_of(self.tensor(*names))

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys of all tensors that are read, in the order of the arguments."""
        return tuple(known.key for known in self.known.values())

    @property
    def levels(self) -> tuple[Level, ...]:
        return tuple(known.level for known in self.known.values())

    def key_of(self, tensor: Any) -> str | None:
        known = self.known.get(id(tensor))
        return None if known is None else known.key

    def level_of(self, tensor: Any) -> Level:
        """What ``tensor`` depends on; data, where nothing is known of it."""
        known = self.known.get(id(tensor))
        return Level.DATA if known is None else known.level

    def number(self, *names: str) -> float | None:
        """The number that one of the named arguments is, or holds everywhere.

        ``None`` for what depends on the model's inputs, and for truth values, which are no numbers.
        """
        return next((n for name in names if (n := self._number(self.given.get(name))) is not None), None)

    def list_positions(self, tensor: Any) -> int | tuple[int, ...] | None:
        """Positions that a short constant ``tensor`` lists: one where it has no axis, else one per entry."""
        if tensor is None or tensor.ndim > 1 or tensor.numel() > _LISTED or not self._constant(tensor):
            return None
        found = tensor.tolist()
        return int(found) if tensor.ndim == 0 else tuple(int(i) for i in found)

    def _number(self, value: Any) -> float | None:
        if isinstance(value, int | float):
            return None if isinstance(value, bool) else float(value)
        return _first(value) if is_tensor(value) and self._uniform(value) else None

    def _uniform(self, tensor: Any) -> bool:
        known = self.known.get(id(tensor))
        if known is None or known.level is Level.DATA or not tensor.numel():
            return False
        return tensor.numel() == 1 or known.key in self.uniform

    def _constant(self, tensor: Any) -> bool:
        known = self.known.get(id(tensor))
        return known is not None and (known.level is Level.CONSTANT or known.key in self.written)


def _first(tensor: Any) -> float | None:
    """The first number of a tensor; ``None`` for truth values and complex numbers."""
    import torch

    if tensor.dtype is torch.bool or tensor.is_complex():
        return None
    return float(tensor.reshape(-1)[0].item())
