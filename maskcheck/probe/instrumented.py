"""A model whose instrumented copy stands in for the deployed one while its contract is being read.

Reading the contract gives no verdict, and for a large model loading the deployed session twice would cost more than the
whole audit: an instrumented session maps the weights where they lie.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from maskcheck.core.errors import TraceError
from maskcheck.core.model import Array, Feeds, Model, ModelInfo, TensorSpec
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse

LARGE = 64 * 2**20
"""Bytes of weights from which on it pays."""


class Instrumented:
    """Implements ``Model`` over another one, answering ``run`` from its instrumented copy where there is one."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._traceable = True

    @property
    def info(self) -> ModelInfo:
        return self._model.info

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._model.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._model.outputs

    @property
    def uses(self) -> tuple[InputUse, ...]:
        return self._model.uses

    def run(self, feeds: Feeds) -> dict[str, Array]:
        if self._traceable:
            try:
                return dict(self._model.trace(feeds, record=()).outputs)
            except TraceError:
                self._traceable = False
        return self._model.run(feeds)

    def trace(
        self, feeds: Feeds, patches: Mapping[str, Array] | None = None, record: Collection[str] | None = None
    ) -> Trace:
        return self._model.trace(feeds, patches, record)

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> Model | None:
        return self._model.relaxed(axes)

    def recast(self, precision: str) -> Model | None:
        return self._model.recast(precision)

    def close(self) -> None:
        self._model.close()
