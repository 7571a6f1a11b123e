"""Which key a tensor goes by: found by the memory it shows, so that views and copies of objects do not matter."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from maskcheck.ir.dependence import Level
from maskcheck.loaders.pytorch.private_api import guard_storage, storage_id


@dataclass(frozen=True, slots=True)
class Known:
    """One tensor as it was when last made or read. ``version`` counts the writes to its storage."""

    key: str
    level: Level
    version: int


Geometry = tuple[Any, ...]


@dataclass(slots=True)
class Storage:
    """One piece of memory: the tensors that show it, and the keys under which it was written."""

    guard: Any
    views: dict[Geometry, Known] = field(default_factory=dict)
    writes: list[tuple[str, Level]] = field(default_factory=list)
    latest: Known | None = None

    @property
    def version(self) -> int:
        return len(self.writes)


def geometry(tensor: Any) -> Geometry:
    return (tensor.storage_offset(), tuple(tensor.shape), tuple(tensor.stride()), tensor.dtype)


@dataclass(slots=True)
class Identities:
    """All tensors met in one recording.

    Memory is kept apart by weak references to its owner, so that an address that is freed and used again counts as new.
    """

    storages: dict[int, Storage] = field(default_factory=dict)

    def storage(self, tensor: Any) -> Storage | None:
        own = storage_id(tensor)
        return None if own is None else self.storages.get(own)

    def register(self, tensor: Any, key: str, level: Level) -> None:
        """From now on ``tensor`` goes by ``key``."""
        own = storage_id(tensor)
        if own is None:
            return
        found = self.storages.get(own)
        if found is None:
            found = self.storages[own] = Storage(guard_storage(tensor))
        known = Known(key, level, found.version)
        found.views[geometry(tensor)] = known
        found.latest = known

    def current(self, tensor: Any) -> Known | None:
        """What ``tensor`` is known as, if nothing was written to its memory since."""
        found = self.storage(tensor)
        known = found.views.get(geometry(tensor)) if found else None
        return known if found and known and known.version == found.version else None

    def parts_of(self, tensor: Any) -> tuple[tuple[str, Level], ...]:
        """What ``tensor`` was known as, or else its memory, and what was written there since; ``()`` for new memory."""
        found = self.storage(tensor)
        if found is None or found.latest is None:
            return ()
        base = found.views.get(geometry(tensor), found.latest)
        return ((base.key, base.level), *found.writes[base.version :])

    def note_write(self, tensor: Any, key: str, level: Level) -> None:
        """``tensor`` was changed in place and now goes by ``key``; every other view of its memory is out of date."""
        found = self.storage(tensor)
        if found is None:
            self.register(tensor, key, level)
            found = self.storage(tensor)
        if found is not None:
            found.writes.append((key, level))
            self.register(tensor, key, level)
