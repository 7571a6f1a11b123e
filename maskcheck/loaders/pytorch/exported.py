"""``torch.export`` archives (.pt2), walked node by node, each with the source line it was exported from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.model import TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.ir.source import innermost_user_line, stack_frames
from maskcheck.loaders.pytorch.arrays import dtype_name
from maskcheck.loaders.pytorch.checkpoint import digest
from maskcheck.loaders.pytorch.journal import Place
from maskcheck.loaders.pytorch.model import TorchModel
from maskcheck.loaders.pytorch.private_api import flatten_tree
from maskcheck.loaders.pytorch.pt2.program import checked as program_of
from maskcheck.loaders.pytorch.pt2.refusal import Refused
from maskcheck.loaders.pytorch.recorder import Recorder
from maskcheck.loaders.pytorch.safety import require_torch
from maskcheck.loaders.pytorch.signature import Binding

_ROWS, _LENGTH = 3, 12
_TRUST = "If you trust where it came from, say --trust: it is then loaded as it is."

Check = Callable[[Sequence[Any]], None]
"""Raises where the inputs, in a row, are not those that the program was exported for."""


def load(path: Path, settings: Settings) -> TorchModel:
    """Open an exported program: put together from checked parts, or by torch itself where the file is trusted.

    Raises:
        LoadError: it is damaged, or something in it might run.
    """
    require_torch()
    try:
        program, module, check = _load_trusted(path) if settings.trust else _load_checked(path)
    except Refused as error:
        raise LoadError(f"{path}: refused: {error}.", hint=_TRUST) from error
    except Exception as error:
        reason = " ".join(str(error).split())[:300]
        raise LoadError(f"{path}: torch cannot load the exported program: {reason}", hint="Export it again.") from error
    return ExportedModel(path, program, module, check)


def _load_trusted(path: Path) -> tuple[Any, Any, Check]:
    import torch

    program = torch.export.load(str(path))
    return program, program.module(), lambda leaves: None


def _load_checked(path: Path) -> tuple[Any, Any, Check]:
    """Torch writes no code from the conditions on sizes: it would quote texts and names of the file in it."""
    checked = program_of(path)
    return checked.program, checked.program.module(check_guards=False), checked.check


class ExportedModel(TorchModel):
    """An exported program: run as torch runs it, traced by interpreting its graph."""

    def __init__(self, path: Path, program: Any, module: Any, check: Check) -> None:
        self._check = check
        nodes = [n for n in module.graph.nodes if n.op == "placeholder"]
        values = {n.name: n.meta["val"] for n in program.graph.nodes if n.op == "placeholder" and "val" in n.meta}
        binding = _binding(module, program, [n.target for n in nodes], values, check)
        super().__init__(
            module,
            binding,
            path=str(path),
            format="pt2",
            sha256=digest(path),
            size_bytes=path.stat().st_size,
            specs=_specs(binding.inputs, values),
        )

    def _caller(self, recorder: Recorder) -> Callable[[Mapping[str, Any]], Any]:
        from torch.fx import Interpreter

        class Walk(Interpreter):
            def run_node(self, n: Any) -> Any:
                recorder.go_to(place_of(n))
                return super().run_node(n)

        binding = self._calls.binding

        def call(tensors: Mapping[str, Any]) -> Any:
            leaves = [
                value if name is None else tensors[name]
                for name, value in zip(binding.names, binding.fixed, strict=True)
            ]
            self._check(leaves)
            return Walk(self.target).run(*leaves)

        return call


def _binding(module: Any, program: Any, names: list[str], values: Mapping[str, Any], check: Check) -> Binding:
    """Inputs named as in the graph, with the examples saved beside it or made up from the declared shapes."""
    import torch

    if program.example_inputs is not None:
        leaves, spec = flatten_tree(program.example_inputs)
    else:
        leaves, spec = [_make_up(values.get(name)) for name in names], program.call_spec.in_spec
    named = [name if isinstance(leaf, torch.Tensor) else None for name, leaf in zip(names, leaves, strict=True)]
    inputs = {name: leaf for name, leaf in zip(named, leaves, strict=True) if name is not None}
    return Binding(target=_call_program(module, check), inputs=inputs, fixed=leaves, names=named, spec=spec)


def _call_program(module: Any, check: Check) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        check(flatten_tree((args, kwargs))[0])
        return module(*args, **kwargs)

    return call


def _make_up(value: Any) -> Any:
    """An example of a declared shape: three rows, twelve along whatever else is variable."""
    import torch

    if not isinstance(value, torch.Tensor):
        return value
    sizes = [s if isinstance(s, int) else (_ROWS if i == 0 else _LENGTH) for i, s in enumerate(value.shape)]
    return torch.ones(sizes, dtype=value.dtype)


def _specs(inputs: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[TensorSpec, ...]:
    """Declared shapes with their symbols. Those of first axes are the batch, where the examples' sizes agree too."""
    import torch

    shapes: dict[str, list[int | str | None]] = {}
    rows = next((t.shape[0] for t in inputs.values() if t.ndim), None)
    batch: set[int | str | None] = set()
    for name, example in inputs.items():
        value = values.get(name)
        declared = value.shape if isinstance(value, torch.Tensor) else example.shape
        shapes[name] = [s if isinstance(s, int) else str(s) for s in declared]
        if example.ndim and example.shape[0] == rows and isinstance(shapes[name][0], str):
            batch.add(shapes[name][0])
    return tuple(
        TensorSpec(name, dtype_name(t), tuple("batch" if s in batch else s for s in shapes[name]))
        for name, t in inputs.items()
    )


def place_of(node: Any) -> Place:
    """Module, class and source line that the exporter noted for a graph node."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path, kind = stack[-1] if stack else ("", None)
    name = getattr(kind, "__name__", None) or (str(kind).rpartition(".")[2] if kind else None)
    line = innermost_user_line(stack_frames(node.meta.get("stack_trace") or ""))
    return Place(module=_strip_path(path), module_class=name, source=line)


def _strip_path(path: str) -> str:
    """``L['self'].encoder`` and ``encoder@1`` as ``encoder``."""
    return re.sub(r"^L\['self'\]\.?", "", path).partition("@")[0]
