"""What a model file says about itself: inputs, outputs, where it came from, in which precision it computes."""

from __future__ import annotations

import hashlib
import platform
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from maskcheck.core.model import TensorSpec
from maskcheck.loaders.onnx.files import size_of
from maskcheck.loaders.onnx.graph import OnnxGraph

if TYPE_CHECKING:
    import onnx

_CHUNK = 4 * 2**20
_PRODUCERS = (
    ("pytorch", "pytorch"),
    ("torch", "pytorch"),
    ("keras", "keras"),
    ("tf2onnx", "tensorflow"),
    ("tensorflow", "tensorflow"),
)


def sha256_of(path: Path) -> str:
    """Hash the file in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def input_specs(graph: OnnxGraph) -> tuple[TensorSpec, ...]:
    """The inputs a caller feeds, in the file's order."""
    values = {v.name: v for v in graph.model.graph.input}
    return tuple(_spec(values[name], optional=name in graph.defaults) for name in graph.inputs)


def output_specs(graph: OnnxGraph, dtypes: Mapping[str, str]) -> tuple[TensorSpec, ...]:
    """The outputs in the file's order; ``dtypes`` fills in types that the file leaves out."""
    return tuple(_spec(v, dtype=dtypes.get(v.name)) for v in graph.model.graph.output)


def _spec(value: onnx.ValueInfoProto, *, optional: bool = False, dtype: str | None = None) -> TensorSpec:
    from onnx import TensorProto, helper

    kind = value.type
    if not kind.HasField("tensor_type"):
        return TensorSpec(value.name, dtype or kind.WhichOneof("value") or "unknown", None, optional)
    tensor = kind.tensor_type
    if tensor.elem_type == TensorProto.STRING:
        name = "string"
    elif tensor.elem_type:
        name = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    else:
        name = dtype or "unknown"
    shape = tuple(_size(d) for d in tensor.shape.dim) if tensor.HasField("shape") else None
    return TensorSpec(value.name, name, shape, optional)


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        # Zero and -1 are how some exporters spell "unknown".
        return int(dim.dim_value) if dim.dim_value > 0 else None
    return dim.dim_param or None


def stored_dtypes(graph: OnnxGraph) -> dict[str, str]:
    """numpy's names of the types of initialisers; those that numpy lacks are left out."""
    from onnx import TensorProto, helper

    numbers = {name: tensor.data_type for name, tensor in graph.initializers.items()}
    known = {name: kind for name, kind in numbers.items() if kind not in (TensorProto.UNDEFINED, TensorProto.STRING)}
    return {name: np.dtype(helper.tensor_dtype_to_np_dtype(kind)).name for name, kind in known.items()}


def framework_of(model: onnx.ModelProto) -> str:
    """Guess what the model was written in."""
    producer = model.producer_name.lower()
    for mark, framework in _PRODUCERS:
        if mark in producer:
            return framework
    # Optimisers and quantisers put their own name in place of the exporter's; nodes still show its habits.
    if any(item.key.startswith("pkg.torch") for node in model.graph.node for item in node.metadata_props):
        return "pytorch"
    slashed = sum(node.name.startswith("/") for node in model.graph.node)
    return "pytorch" if slashed and slashed >= len(model.graph.node) // 4 else "onnx"


def precision_of(graph: OnnxGraph) -> str:
    """The floating-point type most of the weights have; ``float32`` where there are none."""
    from onnx import TensorProto

    names = {
        TensorProto.FLOAT: "float32",
        TensorProto.FLOAT16: "float16",
        TensorProto.BFLOAT16: "bfloat16",
        TensorProto.DOUBLE: "float64",
    }
    counts: Counter[str] = Counter()
    for tensor in graph.initializers.values():
        if tensor.data_type in names:
            counts[names[tensor.data_type]] += size_of(tensor)
    return counts.most_common(1)[0][0] if counts else "float32"


def versions_of(graph: OnnxGraph) -> dict[str, str]:
    """Versions of what reads and runs the model."""
    import onnx
    import onnxruntime

    return {
        "python": platform.python_version(),
        "onnx": onnx.__version__,
        "onnxruntime": onnxruntime.__version__,
        "opset": str(graph.opset),
    }
