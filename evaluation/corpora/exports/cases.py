"""Every export, leaky and mended, on each side on which it is tried."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.corpora.exports import fused, quantised, recurrent, traced
from evaluation.corpora.exports.registry import EXPORTS, Export

assert fused and quantised and recurrent and traced  # importing them fills the list


@dataclass(frozen=True, slots=True)
class Case:
    """A case is a name, so that it travels to other processes."""

    export_name: str
    mended: bool
    side: str = "right"

    @property
    def export(self) -> Export:
        return EXPORTS[self.export_name]

    @property
    def leaks(self) -> bool:
        """Whether padding on this side moves the answers of this file."""
        return self.export.leaky_on(self.side, self.mended)

    @property
    def name(self) -> str:
        return f"{self.export_name} {'mended' if self.mended else 'leaky'} {self.side}"

    @property
    def condition(self) -> str:
        return self.side


def cases() -> list[Case]:
    return [
        Case(export.name, mended, side)
        for export in EXPORTS.values()
        for side in export.sides
        for mended in (False, True)
    ]
