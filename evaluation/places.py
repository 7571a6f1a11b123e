"""The places that sites of a report go by: lines of a file, nodes of a graph, layers of a Keras model."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.marks import Place
from maskcheck.ir.graph import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Lines:
    """Lines of these files. A finding at no such line counts as one at line ``elsewhere``, so that it is not
    overlooked; where that is ``None`` it counts for nothing."""

    files: frozenset[str]
    elsewhere: Place | None = 0

    def named(self, site: Site | None) -> Place | None:
        line = self._line(site)
        return self.elsewhere if line is None else line

    def related(self, site: Site) -> Place | None:
        return self._line(site)

    def begun(self, site: Site) -> Place | None:
        return self._line(site)

    def _line(self, site: Site | None) -> int | None:
        source = site.source if site is not None else None
        return source.line if source is not None and source.file in self.files else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Nodes:
    """Names of nodes."""

    def named(self, site: Site | None) -> Place | None:
        return None if site is None else site.name

    def related(self, site: Site) -> Place | None:
        return site.name

    def begun(self, site: Site) -> Place | None:
        return site.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Layers:
    """Names of layers and operations. A site goes by a name of ``wanted`` where it can, else by its own."""

    wanted: tuple[str, ...]
    cause: str = ""

    def named(self, site: Site | None) -> Place | None:
        return "" if site is None else self.related(site)

    def related(self, site: Site) -> Place | None:
        names = (site.name, site.module or "")
        return next((w for w in self.wanted for name in names if _called(name, w)), site.name)

    def begun(self, site: Site) -> Place | None:
        return self.cause if _called(site.name, self.cause) else site.name


def _called(name: str, wanted: str) -> bool:
    """``softmax``, ``softmax_2``, ``it/cell`` and ``outer/it`` go by ``softmax`` and ``it``."""
    return any(part == wanted or (part.rsplit("_", 1)[0] == wanted and part[-1].isdigit()) for part in name.split("/"))
