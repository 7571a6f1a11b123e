"""``OnnxModel``: one ONNX file, run as deployed and traced as an instrumented copy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskcheck.core.errors import MaskcheckError, RunError, TraceError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders.onnx.attention import recompute
from maskcheck.loaders.onnx.constants import SMALL, Constants
from maskcheck.loaders.onnx.dependence import Dependence, Level, dependence
from maskcheck.loaders.onnx.description import (
    framework_of,
    input_specs,
    output_specs,
    precision_of,
    sha256_of,
    versions_of,
)
from maskcheck.loaders.onnx.files import WeightReader
from maskcheck.loaders.onnx.graph import OnnxGraph, build
from maskcheck.loaders.onnx.hints import read_hints
from maskcheck.loaders.onnx.operators import refused
from maskcheck.loaders.onnx.precision import RecastModel, recast
from maskcheck.loaders.onnx.relax import relax
from maskcheck.loaders.onnx.runtime import (
    TensorType,
    as_declared,
    output_types,
    require_onnxruntime,
    run_session,
)
from maskcheck.loaders.onnx.sessions import BIG, Sessions
from maskcheck.loaders.onnx.sites import build_sites
from maskcheck.loaders.onnx.skeleton import PATCHED, Skeleton, read_skeleton
from maskcheck.loaders.onnx.static import static_facts
from maskcheck.loaders.onnx.uses import input_uses

if TYPE_CHECKING:
    import onnx
    import onnxruntime


def load(path: Path, settings: Settings) -> OnnxModel:
    """Open the ONNX model at ``path``. Raises ``LoadError``."""
    require_onnxruntime()
    return OnnxModel(path, settings, read_skeleton(path))


class OnnxModel:
    """Implements ``maskcheck.core.model.Model``. Tensor keys are the names of tensors in the file.

    Raises ``LoadError`` when made, if onnxruntime refuses the model. ``relaxed_from`` holds the bytes of a skeleton
    with variable axes, which then stands in for the file in ``run`` as well.
    """

    def __init__(
        self, path: Path, settings: Settings, skeleton: Skeleton, *, relaxed_from: bytes | None = None
    ) -> None:
        self.path = path
        self.settings = settings
        self.skeleton = skeleton
        self._graph: OnnxGraph = build(skeleton.model)
        self._dependence: Dependence = dependence(self._graph)
        self._reader = WeightReader(skeleton.files)
        self._constants = Constants(self._graph, self._dependence, self._reader)
        self._inputs = input_specs(self._graph)
        self._size = skeleton.files.size_bytes
        source = str(path) if relaxed_from is None else relaxed_from
        self._sessions = Sessions(source, skeleton, settings, self._size > BIG)
        self._types, self._trace_problem = self._inspect()
        if self._trace_problem is not None or not self._sessions.big:
            # Fail now rather than halfway. A big model that traces is loaded only when it runs.
            self._deployed_session()

    # ------------------------------------------------------------------ what the model is

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        dtypes = {name: kind.dtype for name, kind in self._types.items() if kind.dtype}
        specs = output_specs(self._graph, dtypes)
        # Sequences, maps and texts cannot be compared; where nothing is known of types, all is taken for numbers.
        return tuple(spec for spec in specs if not self._types or self._fetchable(spec.name))

    @cached_property
    def uses(self) -> tuple[InputUse, ...]:
        return input_uses(self._graph, self._constants, self.sites, self._ranks)

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """One site for every node."""
        return build_sites(self._graph, self._constants, self._ranks)

    @cached_property
    def _ranks(self) -> dict[str, int | None]:
        """Ranks of all tensors that have a type and of the inputs, which need not be declared; ``None`` if unknown."""
        inputs = {spec.name: None if spec.shape is None else len(spec.shape) for spec in self.inputs}
        return {name: kind.rank or None for name, kind in self._types.items()} | inputs

    @cached_property
    def info(self) -> ModelInfo:
        return ModelInfo(
            path=str(self.path),
            format="onnx",
            sha256=sha256_of(self.path),
            framework=framework_of(self._graph.model),
            versions=versions_of(self._graph),
            device=self.settings.provider.removesuffix("ExecutionProvider").lower(),
            precision=precision_of(self._graph),
            hints=read_hints(self.path),
            static=static_facts(self._graph, self._constants, self.sites, self.uses),
            size_bytes=self._size,
        )

    # ------------------------------------------------------------------ running

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Run the untouched file with the deployed options and return its outputs by name. Raises ``RunError``."""
        fed, names = self._fed(feeds), [spec.name for spec in self.outputs]
        return dict(zip(names, run_session(self._deployed_session(), names, fed), strict=True))

    def _deployed_session(self) -> onnxruntime.InferenceSession:
        """The deployed session. Raises ``LoadError`` where onnxruntime refuses the file."""
        try:
            return self._sessions.deployed()
        except MaskcheckError:
            raise
        except Exception as error:
            raise refused(self.path, self._graph, error) from error

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run the instrumented copy; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        if self._trace_problem is not None:
            raise TraceError(self._trace_problem)
        fed = self._fed(feeds)
        changed = {key: self._patch(key, value) for key, value in (patches or {}).items()}
        marks = self._observable if record is None else self._observable & frozenset(record)
        marks |= self._fetchable_outputs
        computed = self._unread_constants if record is None else frozenset()
        session = self._sessions.traced(marks | computed, {key: value.dtype.name for key, value in changed.items()})
        wanted = [*marks, *computed]
        values = run_session(session, wanted, fed | {key + PATCHED: value for key, value in changed.items()})
        tensors: dict[str, Array] = dict(zip(wanted, values, strict=True))
        self._keep_constants({key: tensors.pop(key) for key in computed})
        # What the copy's outputs read is the patch; what the site computed stays under its key.
        outputs = {name: changed.get(name, tensors[name]) for name in self._graph.outputs if name in tensors}
        outputs |= {name: changed[name] for name in self._graph.outputs if name in changed}
        tensors |= self._input_tensors(fed)
        tensors |= self._constant_tensors(record)
        return Trace(
            sites=self.sites,
            tensors=tensors,
            outputs=outputs,
            shape_only=self._dependence.shape_only,
            constants=self._dependence.constants,
            attention=recompute(self._graph, tensors, changed, self._constants),
        )

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> OnnxModel | None:
        """The model with the given input axes variable, or ``None`` where that is not sound."""
        return relax(self, axes, self._reopened)

    def _reopened(self, skeleton: Skeleton) -> OnnxModel:
        relaxed_from = bytes(skeleton.model.SerializeToString())
        return OnnxModel(self.path, self.settings, skeleton, relaxed_from=relaxed_from)

    def recast(self, precision: str) -> RecastModel | None:
        """The model computing in ``precision``, to be run only, or ``None`` where no runtime takes it so."""
        return recast(self, precision)

    def weights(self, tensor: onnx.TensorProto) -> Array | None:
        """The values of an initialiser, read where they lie; ``None`` for types that numpy cannot hold."""
        return self._reader.read(tensor)

    def release(self) -> None:
        """Free sessions of a big model, so that another can be held; they are made again when needed."""
        self._sessions.release()

    def close(self) -> None:
        """Free the runtime's memory. Further calls to ``run`` or ``trace`` are errors."""
        self._sessions.close()
        self._reader.close()

    # ------------------------------------------------------------------ what tracing needs

    def _inspect(self) -> tuple[dict[str, TensorType], str | None]:
        """Types of all tensors, learned from a session in which everything is an output; and what went wrong, if so."""
        every = frozenset(name for node in self._graph.nodes for name in node.makes) | frozenset(self._graph.outputs)
        try:
            session = self._sessions.traced(every, {})
        except TraceError as error:
            return {}, error.message
        return output_types(session), None

    @cached_property
    def _observable(self) -> frozenset[str]:
        """Tensors that depend on the inputs and can be fetched."""
        made = (name for node in self._graph.nodes for name in node.makes)
        return frozenset(
            name for name in made if self._fetchable(name) and self._dependence.level(name) is not Level.CONSTANT
        )

    @cached_property
    def _fetchable_outputs(self) -> frozenset[str]:
        return frozenset(name for name in self._graph.outputs if self._fetchable(name))

    def _fetchable(self, name: str) -> bool:
        return name in self._types and self._types[name].fetchable

    def _fed(self, feeds: Feeds) -> dict[str, Array]:
        """Feeds of the declared types. Raises ``RunError`` for inputs that are missing or unknown."""
        declared = {spec.name: spec for spec in self.inputs}
        missing = [s.name for s in self.inputs if not s.optional and s.name not in feeds]
        unknown = [name for name in feeds if name not in declared]
        if missing or unknown:
            parts = [
                f"{word} input {', '.join(names)}"
                for word, names in (("missing", missing), ("unknown", unknown))
                if names
            ]
            raise RunError(f"The model was given the wrong inputs: {'; '.join(parts)}.")
        return {name: as_declared(np.asarray(value), declared[name].dtype) for name, value in feeds.items()}

    def _patch(self, key: str, value: Array) -> Array:
        dtype = self._dtype(key)
        if dtype is None:
            raise TraceError(f"There is no tensor {key!r} to patch in {self.path.name}.")
        if np.asarray(value).dtype.name != dtype:
            raise TraceError(f"The patch of {key!r} is {np.asarray(value).dtype.name}, the tensor is {dtype}.")
        return as_declared(np.asarray(value), dtype)

    def _dtype(self, key: str) -> str | None:
        from onnx import helper

        spec = next((s for s in self.inputs if s.name == key), None)
        if spec is not None:
            return spec.dtype
        tensor = self._graph.initializers.get(key)
        if tensor is not None:
            return np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)).name
        return self._types[key].dtype if key in self._types else None

    def _input_tensors(self, fed: Mapping[str, Array]) -> dict[str, Array]:
        defaults = {name: self._constants.weight(name) for name in self._graph.defaults if name not in fed}
        return dict(fed) | {name: value for name, value in defaults.items() if value is not None}

    # ------------------------------------------------------------------ constants

    @cached_property
    def _small_constants(self) -> dict[str, Array]:
        """Small constants by key; those computed by nodes are added when they were first run."""
        initializers = {name: self._constants.value(name) for name in self._graph.initializers}
        nodes = {n: self._constants.value(n) for node in self._graph.nodes if node.op == "Constant" for n in node.makes}
        return {key: value for key, value in (initializers | nodes).items() if value is not None}

    @property
    def _unread_constants(self) -> frozenset[str]:
        return frozenset() if self._constants_run else self._computed_constants

    _constants_run = False

    @cached_property
    def _computed_constants(self) -> frozenset[str]:
        """Constants that nodes compute from small ones."""
        large = {k for k, t in self._graph.initializers.items() if int(np.prod(t.dims, dtype=np.int64)) > SMALL}
        found: set[str] = set()
        for node in self._graph.nodes:
            if any(name in large for name in node.reads):
                large.update(node.makes)
            elif node.op != "Constant":
                found.update(n for n in node.makes if self._dependence.level(n) is Level.CONSTANT)
        return frozenset(name for name in found if self._fetchable(name))

    def _keep_constants(self, values: Mapping[str, Array]) -> None:
        if values or not self._constants_run:
            self._small_constants.update({k: v for k, v in values.items() if v.size <= SMALL})

    def _constant_tensors(self, record: Collection[str] | None) -> dict[str, Array]:
        if record is None:
            self._constants_run = True
            return self._small_constants
        wanted = {key: self._constants.weight(key) for key in record if self._dependence.level(key) is Level.CONSTANT}
        return {key: value for key, value in wanted.items() if value is not None}
