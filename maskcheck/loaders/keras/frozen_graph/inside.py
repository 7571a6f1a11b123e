"""The inside of a serving function: its sites, and what they compute in one run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array, Feeds
from maskcheck.core.trace import Trace
from maskcheck.ir.constants import KnownConstants
from maskcheck.ir.dependence import Level
from maskcheck.ir.facts import StaticFact, find_facts
from maskcheck.ir.graph import Graph
from maskcheck.ir.uses import InputUse, find_uses
from maskcheck.loaders.keras.frozen_graph.constants import read_constants
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, flatten
from maskcheck.loaders.keras.frozen_graph.session import FrozenGraphSession
from maskcheck.loaders.keras.frozen_graph.sites import build_sites, depend


class Inside:
    """An instrumented copy of a serving function. ``inputs`` holds the ranks of its inputs by their names, ``None``
    where they are not declared; ``outputs`` are the names of its outputs.

    Raises:
        TraceError: the copy cannot be made.
    """

    def __init__(self, function: Any, inputs: Mapping[str, int | None], outputs: Collection[str]) -> None:
        self._graph: FrozenGraph = flatten(function, inputs, outputs)
        self._dependence = depend(self._graph)
        self._session = FrozenGraphSession(self._graph, self._dependence)
        self._constants = self._read_constants()
        self._sites = build_sites(self._graph, self._dependence, self._constants)
        fixed = {key for key in self._graph.tensors if self._dependence.level(key) is Level.CONSTANT}
        self._observable = [key for key in self._graph.tensors if key not in fixed]
        self._fixed = frozenset(fixed)
        ranks = {name: inputs[name] for name in self._graph.inputs}  # in the graph's order: a signature has none
        self.uses: tuple[InputUse, ...] = find_uses(Graph.of(self._sites), ranks, self._constants)
        self.facts: tuple[StaticFact, ...] = self._find_facts()

    def _read_constants(self) -> KnownConstants:
        try:
            return read_constants(self._graph, self._dependence, self._session)
        except RunError as error:
            raise TraceError(f"The inside of this SavedModel cannot be observed: {error.message}") from error

    def _find_facts(self) -> tuple[StaticFact, ...]:
        return find_facts(
            Graph.of(self._sites),
            inputs=list(self._graph.inputs),
            outputs=list(self._graph.outputs.values()),
            uses=self.uses,
            constants=self._constants,
            dtypes={key: np.dtype(dtype).name for key, dtype in self._graph.dtypes.items()},
        )

    def trace(self, feeds: Feeds, patches: Mapping[str, Array], record: Collection[str] | None) -> Trace:
        """Run once; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        strange = next((key for key in patches if not self._session.can_patch(key)), None)
        if strange is not None:
            raise TraceError(f"There is no tensor {strange!r} to patch.")
        outputs = self._graph.outputs
        wanted = self._observable if record is None else [k for k in self._observable if k in frozenset(record)]
        found = self._session.run(feeds, patches, list(dict.fromkeys((*wanted, *outputs.values()))))
        answers = {name: patches.get(key, found[key]) for name, key in outputs.items()}
        return Trace(
            self._sites,
            found | {name: found[key] for name, key in outputs.items()} | self._constants_of(record),
            {name: np.asarray(value) for name, value in answers.items()},
            self._dependence.shape_only,
            self._fixed,
        )

    def _constants_of(self, record: Collection[str] | None) -> dict[str, Array]:
        values = self._constants.values
        return {key: values[key] for key in (values if record is None else record) if key in values}

    def close(self) -> None:
        self._session.close()
