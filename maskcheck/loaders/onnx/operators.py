"""Why onnxruntime refused a model, in words a user can act on."""

from __future__ import annotations

from pathlib import Path

from maskcheck.core.errors import LoadError, MaskcheckError
from maskcheck.loaders.onnx.graph import DEFAULT_DOMAINS, OnnxGraph
from maskcheck.loaders.onnx.runtime import reason


def explain_refusal(path: Path, graph: OnnxGraph, error: Exception) -> MaskcheckError:
    """Turn what onnxruntime raised while opening ``path`` into an error that names the operators it lacks."""
    if isinstance(error, MaskcheckError):
        return error
    lacking = missing_operators(graph)
    if lacking:
        listed = ", ".join(f"operator {op} of domain {domain or 'ai.onnx'}" for domain, op in lacking)
        return LoadError(
            f"{path}: the model uses {listed}, which onnxruntime's CPU provider lacks.",
            hint="Export it with standard operators; libraries of custom operators are native code and are not loaded.",
        )
    return LoadError(
        f"{path}: onnxruntime cannot open the model: {reason(error).rstrip('.')}.", hint="Export the model again."
    )


def missing_operators(graph: OnnxGraph) -> list[tuple[str, str]]:
    """Operators that are neither functions of the model nor known to onnxruntime's CPU provider, as (domain, name)."""
    from onnx import defs
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    cpu = {(_domain(k.domain), k.op_name) for k in state.get_all_opkernel_def() if k.provider == "CPUExecutionProvider"}
    # Operators without a kernel may still be defined by a body of others, which the runtime expands.
    schemas = defs.get_all_schemas_with_history()
    expanded = {(_domain(s.domain), s.name) for s in schemas if s.has_function or s.has_context_dependent_function}
    expanded.add(("", "Constant"))
    used = {(_domain(n.domain), n.op): n for n in graph.nodes if not n.is_function}
    return sorted(key for key in used if key not in cpu and key not in expanded)


def _domain(name: str) -> str:
    return "" if name in DEFAULT_DOMAINS else name
