"""What one recorded run of the examples tells of a model: how it uses its inputs, and what looks suspicious."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from maskcheck.core.model import TensorSpec
from maskcheck.ir.constants import Constants
from maskcheck.ir.facts import StaticFact, find_facts
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import Recurrence
from maskcheck.ir.uses import InputUse, find_uses
from maskcheck.loaders.pytorch.learned import Learned


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleRun:
    """The sites of the run, and what is known of its constants and types."""

    graph: Graph
    constants: Constants
    dtypes: Mapping[str, str]

    @classmethod
    def of(cls, sites: Sequence[Site], learned: Learned) -> ExampleRun:
        return cls(graph=Graph.of(sites), constants=learned.constants(sites), dtypes=learned.dtypes)

    def uses(self, inputs: Sequence[TensorSpec]) -> tuple[InputUse, ...]:
        ranks = {spec.name: None if spec.shape is None else len(spec.shape) for spec in inputs}
        return find_uses(self.graph, ranks, self.constants, recorded=True)

    def facts(
        self, inputs: Sequence[TensorSpec], uses: Sequence[InputUse], outputs: Collection[str]
    ) -> tuple[StaticFact, ...]:
        return find_facts(
            self.graph,
            inputs=[spec.name for spec in inputs],
            outputs=outputs,
            uses=uses,
            constants=self.constants,
            dtypes=self.dtypes,
        )

    @property
    def time_first_rows(self) -> int | None:
        """Size of the batch as the first recurrent layer reads it, when that layer takes time before batch."""
        told = (site.settings for site in self.graph.sites if site.kind is Kind.RECURRENT)
        rows = (settings.time_first_rows for settings in told if isinstance(settings, Recurrence))
        return next((found for found in rows if found is not None), None)
