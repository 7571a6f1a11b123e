"""``OnnxModel``: one ONNX file, run as deployed and traced as an instrumented copy."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from maskcheck.core.errors import MaskcheckError, TraceError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders.onnx.contents import Contents
from maskcheck.loaders.onnx.description import framework_of, precision_of, sha256_of, versions_of
from maskcheck.loaders.onnx.feeds import convert_feeds, convert_patches
from maskcheck.loaders.onnx.files import WeightReader
from maskcheck.loaders.onnx.graph import OnnxGraph, build
from maskcheck.loaders.onnx.hints import read_hints
from maskcheck.loaders.onnx.operators import explain_refusal
from maskcheck.loaders.onnx.precision import RecastModel, recast
from maskcheck.loaders.onnx.relax import relax
from maskcheck.loaders.onnx.runtime import TensorType, output_types, require_onnxruntime, run_session
from maskcheck.loaders.onnx.sessions import BIG, Sessions
from maskcheck.loaders.onnx.skeleton import Skeleton, read_skeleton
from maskcheck.loaders.onnx.tracer import Tracer

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
        self._reader = WeightReader(skeleton.files)
        self._size = skeleton.files.size_bytes
        source = str(path) if relaxed_from is None else relaxed_from
        self._sessions = Sessions(source=source, skeleton=skeleton, settings=settings, big=self._size > BIG)
        types, self._trace_problem = self._learn_types()
        self._contents = Contents(self._graph, self._reader, types)
        self._tracer = Tracer(self._contents, self._sessions)
        if self._trace_problem is not None or not self._sessions.big:
            # Fail now rather than halfway. A big model that traces is loaded only when it runs.
            self._deployed_session()

    def _learn_types(self) -> tuple[dict[str, TensorType], str | None]:
        """Types of all tensors, learned from a session in which everything is an output; and what went wrong, if so."""
        made = (name for node in self._graph.nodes for name in node.makes)
        try:
            session = self._sessions.traced_session(frozenset((*made, *self._graph.outputs)), {})
        except TraceError as error:
            return {}, error.message
        return output_types(session), None

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._contents.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._contents.outputs

    @property
    def uses(self) -> tuple[InputUse, ...]:
        return self._contents.uses

    @property
    def sites(self) -> tuple[Site, ...]:
        """One site for every node."""
        return self._contents.sites

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
            static=self._contents.facts,
            size_bytes=self._size,
        )

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Run the untouched file with the deployed options and return its outputs by name. Raises ``RunError``."""
        given, names = convert_feeds(feeds, self.inputs), [spec.name for spec in self.outputs]
        return dict(zip(names, run_session(self._deployed_session(), names, given), strict=True))

    def _deployed_session(self) -> onnxruntime.InferenceSession:
        """The deployed session. Raises ``LoadError`` where onnxruntime refuses the file."""
        try:
            return self._sessions.deployed_session()
        except MaskcheckError:
            raise
        except Exception as error:
            raise explain_refusal(self.path, self._graph, error) from error

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Run the instrumented copy; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        if self._trace_problem is not None:
            raise TraceError(self._trace_problem)
        given = convert_feeds(feeds, self.inputs)
        changed = convert_patches(patches or {}, self._contents.dtypes, self.path.name)
        return self._tracer.trace(given, changed, record)

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> OnnxModel | None:
        """The model with the given input axes variable, or ``None`` where that is not sound."""
        return relax(self, axes, self._reopen)

    def _reopen(self, skeleton: Skeleton) -> OnnxModel:
        content = bytes(skeleton.model.SerializeToString())
        return OnnxModel(self.path, self.settings, skeleton, relaxed_from=content)

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
