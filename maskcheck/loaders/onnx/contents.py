"""What can be told of a model without running it: its inputs and outputs, sites, uses and static facts."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from maskcheck.core.model import TensorSpec
from maskcheck.ir.dependence import Dependence, find_dependence
from maskcheck.ir.facts import find_facts
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.input_use import InputUse
from maskcheck.ir.static_fact import StaticFact
from maskcheck.ir.uses import find_uses
from maskcheck.loaders.onnx.constants import GraphConstants, read_constants
from maskcheck.loaders.onnx.description import input_specs, output_specs, stored_dtypes
from maskcheck.loaders.onnx.files import WeightReader
from maskcheck.loaders.onnx.graph import OnnxGraph
from maskcheck.loaders.onnx.runtime import TensorType
from maskcheck.loaders.onnx.sites import build_sites


class Contents:
    """The graph of one model, asked in the language that all frameworks share.

    ``types`` are those that the runtime tells of tensors by their keys; nothing is known of them where it refuses the
    instrumented copy.
    """

    def __init__(self, graph: OnnxGraph, reader: WeightReader, types: Mapping[str, TensorType]) -> None:
        self.graph = graph
        self.types = types
        self._reader = reader

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        """The inputs a caller feeds, in the file's order."""
        return input_specs(self.graph)

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        """The outputs that can be compared: no sequences, maps and texts. Without types all are taken for numbers."""
        specs = output_specs(self.graph, self._inferred_dtypes)
        return tuple(spec for spec in specs if not self.types or self.is_fetchable(spec.name))

    @cached_property
    def constants(self) -> GraphConstants:
        return read_constants(self.graph, self._reader)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """One site for every node."""
        return build_sites(self.graph, self.constants, self._ranks)

    @cached_property
    def dependence(self) -> Dependence:
        """What each tensor depends on."""
        return find_dependence(self.sites, self.graph.inputs, (*self.graph.initializers, *self.graph.sparse))

    @cached_property
    def uses(self) -> tuple[InputUse, ...]:
        return find_uses(self._sites_graph, {spec.name: _rank(spec) for spec in self.inputs}, self.constants)

    @cached_property
    def facts(self) -> tuple[StaticFact, ...]:
        return find_facts(
            self._sites_graph,
            inputs=self.graph.inputs,
            outputs=self.graph.outputs,
            uses=self.uses,
            constants=self.constants,
            dtypes=self.dtypes,
        )

    @cached_property
    def dtypes(self) -> dict[str, str]:
        """numpy's names of types by key, as far as the file and the runtime tell them."""
        declared = {spec.name: spec.dtype for spec in self.inputs}
        return self._inferred_dtypes | stored_dtypes(self.graph) | declared

    def is_fetchable(self, key: str) -> bool:
        """Whether a run hands out the tensor as an ordinary array."""
        return key in self.types and self.types[key].fetchable

    @cached_property
    def _inferred_dtypes(self) -> dict[str, str]:
        return {name: kind.dtype for name, kind in self.types.items() if kind.dtype}

    @cached_property
    def _ranks(self) -> dict[str, int | None]:
        """Ranks of all tensors that have a type and of the inputs, which need not be declared; ``None`` if unknown."""
        inferred = {name: kind.rank or None for name, kind in self.types.items()}
        return inferred | {spec.name: _rank(spec) for spec in self.inputs}

    @cached_property
    def _sites_graph(self) -> Graph:
        return Graph.of(self.sites)


def _rank(spec: TensorSpec) -> int | None:
    return None if spec.shape is None else len(spec.shape)
