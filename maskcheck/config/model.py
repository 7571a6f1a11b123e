"""What a configuration file says, and what of it holds for one model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskcheck.acceptance import Ignore, Policy
from maskcheck.config.pattern import matches


@dataclass(frozen=True, slots=True)
class ModelTable:
    """What holds for the models whose path, relative to the file, fits ``pattern``. ``options`` has one entry for each
    key given, by the name of the audit's own flag.
    """

    pattern: str
    options: Mapping[str, Any] = field(default_factory=dict)
    ignores: tuple[Ignore, ...] = ()
    thresholds: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole file. ``everywhere`` holds for every model; of ``models``, all that fit do, later ones winning."""

    source: str = ""
    folder: Path = Path()
    everywhere: ModelTable = ModelTable("**")
    models: tuple[ModelTable, ...] = ()
    baseline: str | None = None

    def options(self, path: str) -> dict[str, Any]:
        """Return the options that hold for the model at ``path``."""
        return {key: value for table in self._tables(path) for key, value in table.options.items()}

    def policy(self, path: str) -> Policy:
        """Return what is accepted of the model at ``path``."""
        tables = self._tables(path)
        ignores = tuple(ignore for table in tables for ignore in table.ignores)
        thresholds = {key: value for table in tables for key, value in table.thresholds.items()}
        limits = (thresholds.get("max_difference"), thresholds.get("max_influence"))
        return Policy(ignores, *limits, source=self.source)

    def paths(self) -> list[str]:
        """Return every file that a pattern of a model table fits, relative to where the user is, in order."""
        found: dict[str, None] = {}
        for table in self.models:
            hits = self.folder.glob(table.pattern)
            found.update(dict.fromkeys(_as_seen(path) for path in sorted(hits)))
        return list(found)

    def without_a_model(self) -> list[str]:
        """Return the patterns that fit no file at all, which a moved export leaves behind."""
        return [table.pattern for table in self.models if next(self.folder.glob(table.pattern), None) is None]

    def _tables(self, path: str) -> Sequence[ModelTable]:
        try:
            relative = Path(os.path.relpath(path, self.folder)).as_posix()
        except ValueError:  # another drive
            relative = Path(path).as_posix()
        return [self.everywhere, *(table for table in self.models if matches(relative, table.pattern))]


def _as_seen(path: Path) -> str:
    try:
        relative = os.path.relpath(path)
    except ValueError:
        return str(path)
    return str(path) if relative.startswith("..") else relative
