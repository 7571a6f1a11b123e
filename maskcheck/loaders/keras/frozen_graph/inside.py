"""The inside of a serving function: its sites, and what they compute in one run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array, Feeds
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders.keras.frozen_graph.constants import small_constants
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, Level, flatten
from maskcheck.loaders.keras.frozen_graph.session import FrozenGraphSession
from maskcheck.loaders.keras.frozen_graph.sites import build_sites
from maskcheck.loaders.keras.frozen_graph.uses import input_uses


class Inside:
    """An instrumented copy of a serving function whose inputs and outputs have the given names.

    Raises:
        TraceError: the copy cannot be made.
    """

    def __init__(self, function: Any, inputs: list[str], outputs: list[str]) -> None:
        self._graph: FrozenGraph = flatten(function, inputs, outputs)
        self._session = FrozenGraphSession(self._graph)
        try:
            self._constants = small_constants(self._graph, self._session)
        except RunError as error:
            raise TraceError(f"The inside of this SavedModel cannot be observed: {error.message}") from error
        self._sites = build_sites(self._graph, self._constants)
        self._observable = [key for key in self._graph.tensors if self._graph.level(key) is not Level.CONSTANT]
        self.uses: tuple[InputUse, ...] = input_uses(self._graph, self._constants)

    def trace(self, feeds: Feeds, patches: Mapping[str, Array], record: Collection[str] | None) -> Trace:
        """Run once; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        strange = next((key for key in patches if not self._session.can_patch(key)), None)
        if strange is not None:
            raise TraceError(f"There is no tensor {strange!r} to patch.")
        outputs = self._graph.outputs
        wanted = self._observable if record is None else [k for k in self._observable if k in frozenset(record)]
        found = self._session.run(feeds, patches, list(dict.fromkeys((*wanted, *outputs.values()))))
        answers = {name: patches.get(key, found[key]) for name, key in outputs.items()}
        tensors = found | {name: found[key] for name, key in outputs.items()}
        if record is None:
            tensors |= self._constants
        elif record:
            tensors |= {key: self._constants[key] for key in record if key in self._constants}
        return Trace(
            self._sites,
            tensors,
            {name: np.asarray(value) for name, value in answers.items()},
            frozenset(k for k, level in self._graph.levels.items() if level is Level.SHAPE),
            frozenset(k for k in self._graph.tensors if self._graph.level(k) is Level.CONSTANT),
        )

    def close(self) -> None:
        self._session.close()
