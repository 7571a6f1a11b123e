"""The instrumented copy: the model without its weights, with chosen tensors as outputs and others replaced."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from maskcheck.core.errors import LoadError
from maskcheck.loaders.onnx.files import WeightFiles, relocate, resolve
from maskcheck.loaders.onnx.graph import subgraphs_of
from maskcheck.loaders.onnx.wire import WireError, map_file, skeleton

if TYPE_CHECKING:
    import onnx

PATCHED = "__patched"
"""Suffix of the input that stands in for a patched tensor."""

_DTYPES = {"string": "STRING", "float32": "FLOAT", "float64": "DOUBLE"}


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A model whose large weights are references to files below ``files.folder``."""

    model: onnx.ModelProto
    files: WeightFiles


def read_skeleton(path: Path) -> Skeleton:
    """Read the model at ``path`` without its weights. Raises ``LoadError`` where it is damaged or unsafe."""
    import onnx
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]

    try:
        content = skeleton(map_file(path))
        model = onnx.ModelProto()
        model.ParseFromString(content)
    except (WireError, DecodeError) as error:
        raise LoadError(
            f"{path}: the file ends too early or is damaged ({error}).", hint="Fetch or export the model again."
        ) from error
    files = resolve(path, model)
    relocate(model, files)
    return Skeleton(model, files)


def instrument(base: onnx.ModelProto, marks: Collection[str], patches: Mapping[str, str]) -> bytes:
    """Return ``base`` with every tensor of ``marks`` as an output and every tensor of ``patches`` replaced.

    ``patches`` maps tensor names to dtypes. What reads a patched tensor, inside subgraphs as well, reads the new
    input ``<name>__patched``; the node that made it still runs, and its own value can still be marked.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(base)
    renamed = {name: name + PATCHED for name in patches}
    _rename_reads(model.graph, renamed)
    for name, dtype in patches.items():
        value = model.graph.input.add(name=renamed[name])
        value.type.tensor_type.elem_type = element_type(dtype)
    present = {v.name for v in model.graph.output}
    for name in marks:
        if name not in present:
            model.graph.output.add(name=name)
    return bytes(model.SerializeToString())


def element_type(dtype: str) -> int:
    """ONNX's number for a numpy dtype name."""
    import onnx

    return int(onnx.TensorProto.DataType.Value(_DTYPES.get(dtype, dtype.upper())))


def _rename_reads(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    if not renamed:
        return
    for node in graph.node:
        for i, name in enumerate(node.input):
            if name in renamed:
                node.input[i] = renamed[name]
        for inner in subgraphs_of(node):
            own = {name for n in inner.node for name in n.output} | {v.name for v in inner.input}
            visible = {old: new for old, new in renamed.items() if old not in own}
            _rename_outputs(inner, visible)
            _rename_reads(inner, visible)


def _rename_outputs(graph: onnx.GraphProto, renamed: Mapping[str, str]) -> None:
    """A subgraph may hand on a tensor from outside as its own output."""
    for value in graph.output:
        if value.name in renamed:
            value.name = renamed[value.name]
