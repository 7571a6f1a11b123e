"""Sites, and who makes and who reads each tensor between them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Settings
from maskcheck.ir.source import SourceLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A named place where tensors are made: an ONNX node, a torch op inside a module, a Keras layer.

    ``operation`` and ``settings`` say what is done there; ``operator`` is the framework's own name of it, for readers.
    ``inputs`` and ``outputs`` are tensor keys; a key is stable between runs of one model, however the runs differ in
    length.
    """

    name: str
    operator: str
    operation: Operation
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    settings: Settings | None = None
    module: str | None = None
    module_class: str | None = None
    source: SourceLine | None = None

    @property
    def kind(self) -> Kind:
        """What the operation does to a sequence."""
        return self.operation.kind


@dataclass(frozen=True, slots=True)
class Graph:
    """Who makes and who reads each tensor of a model, its sites in the order in which they run."""

    sites: tuple[Site, ...]
    maker: Mapping[str, Site]
    readers: Mapping[str, tuple[Site, ...]]

    @classmethod
    def of(cls, sites: Sequence[Site]) -> Graph:
        readers: dict[str, list[Site]] = {}
        for site in sites:
            for key in site.inputs:
                readers.setdefault(key, []).append(site)
        maker = {key: site for site in sites for key in site.outputs}
        return cls(tuple(sites), maker, {key: tuple(found) for key, found in readers.items()})

    def live(self, outputs: Collection[str]) -> frozenset[str]:
        """Keys from which one of ``outputs`` is computed, those included."""
        seen, stack = set(outputs), list(outputs)
        while stack:
            site = self.maker.get(stack.pop())
            for key in site.inputs if site else ():
                if key not in seen:
                    seen.add(key)
                    stack.append(key)
        return frozenset(seen)

    def upstream(self, site: Site, limit: int) -> tuple[Site, ...]:
        """The nearest sites that feed ``site``, breadth first, at most ``limit``."""
        return _nearest(self._makers(site), limit, self._makers)

    def downstream(self, site: Site, limit: int) -> tuple[Site, ...]:
        """The nearest sites that read from ``site``, breadth first, at most ``limit``."""
        return _nearest(self._readers(site), limit, self._readers)

    def _makers(self, site: Site) -> list[Site]:
        return [self.maker[key] for key in site.inputs if key in self.maker]

    def _readers(self, site: Site) -> list[Site]:
        return [reader for key in site.outputs for reader in self.readers.get(key, ())]


def _nearest(first: Sequence[Site], limit: int, following: Callable[[Site], Sequence[Site]]) -> tuple[Site, ...]:
    found: dict[str, Site] = {}
    queue = list(first)
    while queue and len(found) < limit:
        site = queue.pop(0)
        if site.name not in found:
            found[site.name] = site
            queue += following(site)
    return tuple(found.values())


def ancestors(keys: Iterable[str], sites: Iterable[Site]) -> tuple[Site, ...]:
    """Those of ``sites`` that the tensors called ``keys`` were made by, nearest first."""
    makers = {key: site for site in sites for key in site.outputs}
    found: dict[str, Site] = {}
    queue = list(keys)
    while queue:
        maker = makers.get(queue.pop(0))
        if maker is not None and maker.name not in found:
            found[maker.name] = maker
            queue += maker.inputs
    return tuple(found.values())
