"""Constants as they appear in traces: small ones always, those that nodes compute once a run has computed them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from maskcheck.core.model import Array
from maskcheck.ir.constants import SMALL
from maskcheck.ir.dependence import Level
from maskcheck.loaders.onnx.contents import Contents
from maskcheck.loaders.onnx.files import size_of


class ConstantTensors:
    """The constants of one model. ``wanted`` names those that the next full run should compute."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self._small: dict[str, Array] | None = None
        self.wanted = _computed_from_small(contents)

    def keep(self, computed: Mapping[str, Array]) -> None:
        """Keep what a full run computed, so that no other has to."""
        small = {key: value for key, value in computed.items() if value.size <= SMALL}
        self._small = {**self.all_small(), **small}
        self.wanted = frozenset()

    def all_small(self) -> Mapping[str, Array]:
        """All small constants by key; those of nodes appear after the first full run."""
        if self._small is None:
            self._small = _read_small(self._contents)
        return self._small

    def select(self, keys: Collection[str]) -> dict[str, Array]:
        """Those of ``keys`` that are constants which can be read, of whatever size."""
        level, constants = self._contents.dependence.level, self._contents.constants
        found = {key: constants.weight(key) for key in keys if level(key) is Level.CONSTANT}
        return {key: value for key, value in found.items() if value is not None}


def _read_small(contents: Contents) -> dict[str, Array]:
    graph = contents.graph
    nodes = (key for node in graph.nodes if node.op == "Constant" for key in node.makes)
    found = {key: contents.constants.value(key) for key in (*graph.initializers, *nodes)}
    return {key: value for key, value in found.items() if value is not None}


def _computed_from_small(contents: Contents) -> frozenset[str]:
    """Constants that nodes compute from small ones."""
    large = {key for key, tensor in contents.graph.initializers.items() if size_of(tensor) > SMALL}
    found: set[str] = set()
    for node in contents.graph.nodes:
        if not large.isdisjoint(node.reads):
            large.update(node.makes)
        elif node.op != "Constant":
            found.update(key for key in node.makes if contents.dependence.level(key) is Level.CONSTANT)
    return frozenset(key for key in found if contents.is_fetchable(key))
