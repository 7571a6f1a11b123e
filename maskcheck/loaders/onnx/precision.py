"""The same model in another floating-point precision, to tell rounding from leaks.

Every floating tensor of the file becomes one of the wanted type: initialisers, constants, casts and declarations. The
runtime takes it where it has kernels for that type; the ``onnx`` package's own reference evaluator takes the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array, Feeds, Model, ModelInfo, TensorSpec
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders.onnx.runtime import as_declared, open_session, reason, run_session
from maskcheck.loaders.onnx.skeleton import Skeleton

if TYPE_CHECKING:
    import onnx

_LARGEST = 512 * 2**20
"""Bytes of weights above which a converted copy would cost more than it tells."""


class Original(Model, Protocol):
    """The model to be copied: a skeleton, and the weights that the skeleton refers to."""

    @property
    def skeleton(self) -> Skeleton: ...

    def weights(self, tensor: onnx.TensorProto) -> Array | None:
        """Return the values of an initialiser, or ``None`` for types that numpy cannot hold."""
        ...


class RecastModel:
    """Implements ``Model`` for running only: its sites are those of the original."""

    def __init__(self, original: Original, model: onnx.ModelProto, precision: str) -> None:
        self._original = original
        self._precision = precision
        self._session = _session(model)
        self._names = [o.name for o in model.graph.output]

    @property
    def info(self) -> ModelInfo:
        return self._original.info

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._original.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._original.outputs

    @property
    def uses(self) -> tuple[InputUse, ...]:
        return self._original.uses

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Run in the other precision. Floating feeds are converted, which is exact when widening."""
        fed = {name: self._convert(np.asarray(value)) for name, value in feeds.items()}
        return dict(zip(self._names, self._session(self._names, fed), strict=True))

    def trace(
        self, feeds: Feeds, patches: Mapping[str, Array] | None = None, record: Collection[str] | None = None
    ) -> Trace:
        raise TraceError("A copy in another precision is only run, not traced.")

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        return None

    def recast(self, precision: str) -> None:
        return None

    def close(self) -> None:
        self._session = _refuse_closed

    def _convert(self, value: Array) -> Array:
        floating = np.issubdtype(value.dtype, np.floating)
        return as_declared(value, self._precision if floating else value.dtype.name)


def recast(model: Original, precision: str) -> RecastModel | None:
    """``model`` in ``precision`` ("float32" or "float64"), or ``None`` where no runtime takes it so."""
    if model.info.size_bytes > _LARGEST or len(model.skeleton.model.functions):
        return None
    try:
        return RecastModel(model, _convert_model(model, precision), precision)
    except (RunError, ValueError, TypeError, NotImplementedError):
        return None


def _convert_model(model: Original, precision: str) -> onnx.ModelProto:
    from onnx import ModelProto, helper

    target = helper.np_dtype_to_tensor_dtype(np.dtype(precision))
    proto = ModelProto()
    proto.CopyFrom(model.skeleton.model)
    _graph(proto.graph, model, target)
    return proto


def _sources(target: int) -> frozenset[int]:
    """Element types that are converted: all floating types narrower than the target."""
    from onnx import TensorProto

    narrow = {TensorProto.FLOAT16, TensorProto.BFLOAT16}
    return frozenset(narrow | ({TensorProto.FLOAT} if target == TensorProto.DOUBLE else set()))


def _graph(graph: onnx.GraphProto, model: Original, target: int) -> None:
    sources = _sources(target)
    for tensor in graph.initializer:
        _fill_in(tensor, model.weights(tensor), target)
    for value in (*graph.input, *graph.output):
        _declare(value, sources, target)
    del graph.value_info[:]
    for node in graph.node:
        _node(node, model, target)


def _fill_in(tensor: onnx.TensorProto, values: Array | None, target: int) -> None:
    """Put ``values``, converted where they should be, into the message. Raises ``ValueError`` where there are none."""
    from onnx import numpy_helper

    if values is None:
        raise ValueError(f"{tensor.name} holds a type that numpy lacks")
    if tensor.data_type in _sources(target):
        values = values.astype(_numpy(target))
    tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), tensor.name))


def _declare(value: onnx.ValueInfoProto, sources: Collection[int], target: int) -> None:
    if value.type.tensor_type.elem_type in sources:
        value.type.tensor_type.elem_type = target


def _node(node: onnx.NodeProto, model: Original, target: int) -> None:
    from onnx import AttributeProto, numpy_helper

    sources = _sources(target)
    for attribute in node.attribute:
        if attribute.name in ("to", "dtype") and attribute.i in sources:
            attribute.i = target
        elif attribute.type == AttributeProto.TENSOR and attribute.t.data_type in sources:
            values = numpy_helper.to_array(attribute.t)
            attribute.t.CopyFrom(numpy_helper.from_array(values.astype(_numpy(target)), attribute.t.name))
        elif attribute.type == AttributeProto.GRAPH:
            _graph(attribute.g, model, target)
    _convert_plain_constant(node, target)


def _convert_plain_constant(node: onnx.NodeProto, target: int) -> None:
    """A constant told as numbers becomes a tensor, for numbers are single precision."""
    from onnx import helper, numpy_helper

    for attribute in list(node.attribute):
        if node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            plain = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            node.attribute.remove(attribute)
            values = np.asarray(plain, dtype=_numpy(target))
            node.attribute.append(helper.make_attribute("value", numpy_helper.from_array(values)))


def _numpy(element_type: int) -> Any:
    from onnx import helper

    return helper.tensor_dtype_to_np_dtype(element_type)


def _session(model: onnx.ModelProto) -> Any:
    """Something that takes names and feeds: onnxruntime where it can, the reference evaluator where it cannot."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        session = open_session(model.SerializeToString(), options, ["CPUExecutionProvider"])
    except Exception:
        return _reference(model)
    return lambda names, feeds: run_session(session, names, feeds)


def _reference(model: onnx.ModelProto) -> Any:
    from onnx.reference import ReferenceEvaluator

    if any(node.domain not in ("", "ai.onnx") for node in _all_nodes(model.graph.node)):
        raise NotImplementedError("the reference evaluator has no contributed operators")
    try:
        evaluator = ReferenceEvaluator(model)
    except Exception as error:  # it knows few operators in every version, and says so in many ways
        raise NotImplementedError(reason(error)) from error

    def run(names: list[str], feeds: dict[str, Array]) -> list[Array]:
        try:
            return [np.asarray(value) for value in evaluator.run(names, feeds)]
        except Exception as error:
            raise RunError(reason(error)) from error

    return run


def _all_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterable[onnx.NodeProto]:
    for node in nodes:
        yield node
        for attribute in node.attribute:
            yield from _all_nodes(attribute.g.node)


def _refuse_closed(names: list[str], feeds: dict[str, Array]) -> list[Array]:
    raise RunError("The model was closed.")
