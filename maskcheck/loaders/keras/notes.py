"""What all parts of a recording share: where the run is, and what they write to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from maskcheck.ir.graph import Site
from maskcheck.loaders.keras.journey import MaskJourneyRecorder
from maskcheck.loaders.keras.tensors import is_tensor, leaves, pack_like
from maskcheck.loaders.keras.trace_builder import PendingSite, TraceBuilder
from maskcheck.loaders.keras.translate.call import Translation


class Place:
    """The models and layers that are looked into and not left yet, outermost first."""

    def __init__(self) -> None:
        self._path: list[tuple[str, str]] = []

    @property
    def name(self) -> str | None:
        """Their names, joined; ``None`` in the model itself."""
        return "/".join(name for name, _ in self._path) or None

    @property
    def owner(self) -> str | None:
        """The class of the innermost."""
        return self._path[-1][1] if self._path else None

    @property
    def depth(self) -> int:
        return len(self._path)

    @contextmanager
    def inside(self, layer: Any) -> Iterator[None]:
        self._path.append((layer.name, type(layer).__name__))
        try:
            yield
        finally:
            self._path.pop()

    def pending(self, name: str, operator: str, done: Translation) -> PendingSite:
        """A call at this place."""
        return PendingSite(
            path=f"{self.name}/{name}" if self._path else name,
            operator=operator,
            operation=done.operation,
            settings=done.settings,
            module=self.name,
            module_class=self.owner,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Notes:
    """``journey`` is kept where it is wanted."""

    builder: TraceBuilder
    place: Place
    journey: MaskJourneyRecorder | None = None

    def write_operator(
        self, call: PendingSite, operands: Sequence[Any], outputs: Sequence[Any]
    ) -> tuple[Site | None, list[Any]]:
        """Enter a call that takes no mask: its site, and the tensors that its readers are to get."""
        site, values = self.builder.write(call, self.builder.keys(operands), outputs)
        if site is not None and self.journey is not None:
            self.journey.operator(site, operands, values, self.place.depth)
        return site, values


def repack(result: Any, values: list[Any]) -> Any:
    """The result with its tensors replaced, in order."""
    if is_tensor(result):
        return values[0]
    queue = iter(values)
    return pack_like(result, [next(queue) if is_tensor(leaf) else leaf for leaf in leaves(result)])
