"""Where a node came from in the user's own program, as far as the exporter wrote it down."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from maskcheck.ir.source import SourceLine, innermost_user_line, note_frames, stack_frames

if TYPE_CHECKING:
    import onnx

_SCOPES = "pkg.torch.onnx.name_scopes"
_CLASSES = "pkg.torch.onnx.class_hierarchy"
_STACK = "pkg.torch.onnx.stack_trace"
_NAMESPACE = "namespace"
_NO_MODULE = "_empty_nn_module_stack"
"""How PyTorch's exporter begins the name of the module of an operator that it added itself."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """The module a node belongs to, that module's class, and the line of source that made it."""

    module: str | None = None
    module_class: str | None = None
    source: SourceLine | None = None


def provenance(node: onnx.NodeProto) -> Provenance:
    """Read what the exporter noted about ``node``. Notes that cannot be read are ignored."""
    notes = {item.key: item.value for item in node.metadata_props}
    module, module_class = _scopes(notes)
    if module is None and module_class is None:
        module = module_of_name(node.name) or _module_of_output(node)
    source = source_line(notes.get(_STACK, "")) or innermost_user_line(note_frames(node.doc_string))
    return Provenance(module, module_class, source)


def _scopes(notes: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Module path and class; the last entry of each list is the operator itself."""
    names, classes = _strings(notes.get(_SCOPES)), _strings(notes.get(_CLASSES))
    if len(names) < 2:
        names, classes = _namespace(notes.get(_NAMESPACE, ""))
    module = names[-2] if len(names) > 1 else None
    module_class = classes[-2] if len(classes) > 1 else None
    if module and module.startswith(_NO_MODULE):
        return None, None
    return module or None, module_class or None


def _strings(text: str | None) -> list[str]:
    try:
        value = ast.literal_eval(text or "[]")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return []
    return [str(item) for item in value] if isinstance(value, list) else []


def _namespace(text: str) -> tuple[list[str], list[str]]:
    """Split ``": pkg.M/layers.0: pkg.Block/softmax: aten.softmax.int"``."""
    pairs = [part.split(": ", 1) for part in text.split("/")] if ": " in text else []
    whole = [pair for pair in pairs if len(pair) == 2]
    return [name for name, _ in whole], [kind for _, kind in whole]


def source_line(stack: str) -> SourceLine | None:
    """The innermost line of the user's code in a stack as Python prints it."""
    return innermost_user_line(stack_frames(stack))


def _module_of_output(node: onnx.NodeProto) -> str | None:
    """Optimisers rename the nodes they fuse and keep the names of tensors."""
    output = node.output[0] if node.output else ""
    return module_of_name(output) if output.startswith("/") else None


def module_of_name(name: str) -> str | None:
    """The module path that exporters spell into node names.

    PyTorch's TorchScript exporter writes ``/encoder/layer.0/Softmax``, tf2onnx ``model/dense/MatMul``.
    """
    parts = [part for part in name.split("/") if part]
    if len(parts) < 2:
        return None
    return ".".join(parts[:-1]) if name.startswith("/") else "/".join(parts[:-1])
