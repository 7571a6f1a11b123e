"""onnxruntime sessions: their options, their errors in one sentence, and the types they declare."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError, UsageError
from maskcheck.core.model import Array
from maskcheck.core.settings import Settings

if TYPE_CHECKING:
    import onnxruntime

_LEVELS = {
    "all": "ORT_ENABLE_ALL",
    "extended": "ORT_ENABLE_EXTENDED",
    "basic": "ORT_ENABLE_BASIC",
    "disable": "ORT_DISABLE_ALL",
}
_FATAL_ONLY = 4
_ELEMENT = re.compile(r"^tensor\((\w+)\)$")
_NAMES = {"float": "float32", "double": "float64"}
FETCHABLE = frozenset(
    {
        *("float32", "float64", "float16", "bool", "int8", "int16", "int32", "int64"),
        *("uint8", "uint16", "uint32", "uint64"),
    }
)
"""Types that come back as ordinary numpy arrays."""

_NOISE = re.compile(
    r"^\[ONNXRuntimeError\] : \d+ : \w+ : |^Exception during initialization: |\S*/onnxruntime/\S+?:\d+ "
)
_LONGEST = 300


def require_onnxruntime() -> None:
    """Raise ``LoadError`` where onnx or onnxruntime is not installed."""
    for package in ("onnx", "onnxruntime"):
        try:
            __import__(package)
        except ImportError as error:
            raise LoadError(
                f"ONNX models need the package {package}, which cannot be imported: {error}.",
                hint="Install it: pip install onnx onnxruntime",
            ) from error


def dtype_name(type_text: str) -> str | None:
    """Translate onnxruntime's ``tensor(float)`` into numpy's ``float32``; ``None`` for what is no tensor."""
    match = _ELEMENT.match(type_text)
    return _NAMES.get(match[1], match[1]) if match else None


def deployed_options(settings: Settings) -> onnxruntime.SessionOptions:
    """Options of the session that gives the verdict. Raises ``UsageError`` for an unknown level."""
    import onnxruntime as ort

    if settings.optimization not in _LEVELS:
        raise UsageError(
            f"Unknown optimization level {settings.optimization!r}.", hint=f"Choose one of {', '.join(_LEVELS)}."
        )
    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = getattr(ort.GraphOptimizationLevel, _LEVELS[settings.optimization])
    return options


def traced_options(folder: Path, *, prepacking: bool = False) -> onnxruntime.SessionOptions:
    """Options of an instrumented session, whose weights are mapped from files below ``folder``.

    Nothing is fused or folded, so that every tensor of the file exists; weights are not repacked, as that copies them.
    """
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(folder))
    options.enable_cpu_mem_arena = False  # it grows in powers of two, which a few short runs never pay back
    if not prepacking:
        options.add_session_config_entry("session.disable_prepacking", "1")
    return options


def provider_list(settings: Settings) -> list[str]:
    """The providers to ask for. Raises ``LoadError`` where the chosen one is not available, naming those that are."""
    import onnxruntime as ort

    available = ort.get_available_providers()
    if settings.provider not in available:
        raise LoadError(
            f"onnxruntime has no provider {settings.provider!r} here.", hint=f"Available: {', '.join(available)}."
        )
    cpu = "CPUExecutionProvider"
    return [settings.provider] if settings.provider == cpu else [settings.provider, cpu]


def open_session(
    model: str | bytes, options: onnxruntime.SessionOptions, providers: list[str]
) -> onnxruntime.InferenceSession:
    """Make a session. Exceptions are onnxruntime's own, see ``reason``."""
    import onnxruntime as ort

    return ort.InferenceSession(model, options, providers=providers)


def run_session(session: onnxruntime.InferenceSession, names: list[str], feeds: dict[str, Array]) -> list[Any]:
    """Run, turning whatever onnxruntime raises into a ``RunError`` with its reason."""
    options = _run_options()
    try:
        return list(session.run(names, feeds, options))
    except MemoryError:
        raise
    except Exception as error:
        raise RunError(reason(error)) from error


def _run_options() -> Any:
    import onnxruntime as ort

    options = ort.RunOptions()
    options.log_severity_level = _FATAL_ONLY
    return options


def reason(error: BaseException) -> str:
    """What onnxruntime says went wrong, in one line of reasonable length."""
    text = " ".join(str(error).split())
    shortened = _NOISE.sub("", text).strip() or type(error).__name__
    return shortened if len(shortened) <= _LONGEST else shortened[: _LONGEST - 3] + "..."


@dataclass(frozen=True, slots=True)
class TensorType:
    """Type and rank of a tensor as the runtime inferred them; ``rank`` 0 also stands for an unknown one."""

    dtype: str | None
    rank: int

    @property
    def fetchable(self) -> bool:
        return self.dtype in FETCHABLE


def output_types(session: onnxruntime.InferenceSession) -> dict[str, TensorType]:
    """Types of all outputs of ``session``."""
    return {o.name: TensorType(dtype_name(o.type), len(o.shape)) for o in session.get_outputs()}


def as_declared(value: Array, dtype: str) -> Array:
    """Convert a feed to the dtype the model declares, contiguous in memory."""
    target = np.dtype(dtype) if dtype in FETCHABLE else value.dtype
    return np.ascontiguousarray(value, target) if np.ndim(value) else np.asarray(value, target)
