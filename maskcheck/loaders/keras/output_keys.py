"""Outputs of a model go by their own names, not by the keys of the calls that made them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import Any

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.loaders.keras.trace_builder import TraceBuilder

Named = Iterable[tuple[str, Any]]
"""The tensors of an answer, each with its name."""


class OutputKeys:
    """Names of outputs by the keys of their tensors, which are the same in every run: the first one teaches them."""

    def __init__(self, inputs: Collection[str]) -> None:
        self._inputs = frozenset(inputs)
        self._names: dict[str, str] = {}

    def learn(self, builder: TraceBuilder, answers: Named) -> None:
        for name, tensor in answers if not self._names else ():
            key = builder.key(tensor)
            if key is not None and key not in self._inputs and key not in self._names:
                self._names[key] = name

    def name_of(self, key: str) -> str:
        return self._names.get(key, key)

    def keys(self) -> dict[str, str]:
        """Keys by the names of the outputs."""
        return {name: key for key, name in self._names.items()}

    def rename(self, site: Site) -> Site:
        inputs, outputs = (tuple(map(self.name_of, keys)) for keys in (site.inputs, site.outputs))
        return replace(site, inputs=inputs, outputs=outputs)

    def hand_through(self, builder: TraceBuilder, answers: Named) -> Iterator[Site]:
        """Sites for outputs that are inputs, or the same tensor as another output."""
        made = set(self._names.values())
        for name, tensor in answers:
            key = builder.key(tensor)
            if name not in made and key is not None:
                yield _copy(self.name_of(key), name)


def _copy(key: str, name: str) -> Site:
    return Site(
        name=f"output {name}", operator="Identity", operation=Operation.IDENTITY, inputs=(key,), outputs=(name,)
    )
