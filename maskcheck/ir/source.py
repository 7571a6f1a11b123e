"""Lines of the user's own source code, as exporters and tracers record them."""

from __future__ import annotations

import linecache
import re
import sys
import sysconfig
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import FrameType


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's own source code that an exporter or tracer recorded."""

    file: str
    line: int
    function: str | None = None
    text: str | None = None


_FRAMEWORKS = """
    torch functorch torchgen triton tensorflow tf_keras keras jax jaxlib flax numpy scipy onnx onnxscript onnxruntime
    onnx_ir tf2onnx"""
"""Packages that tensors belong to."""

_HELPERS = """
    einops einx opt_einsum jaxtyping torchtyping typeguard beartype wrapt optree decorator absl tensordict
    accelerate bitsandbytes xformers flash_attn torch_scatter torch_sparse lightning lightning_fabric pytorch_lightning
    deepspeed fairscale"""
"""Packages that call operators on behalf of the line that matters. Libraries of models are none of these."""

_PACKAGES = frozenset(f"{_FRAMEWORKS} {_HELPERS}".split())

_PLUMBING = (
    *("integrations/", "masking_utils.py", "utils/", "pytorch_utils.py", "modeling_utils.py"),
    *("modeling_layers.py", "activations.py"),
)
"""Parts of transformers that serve its models and are none."""

_TORCH_FROM_SOURCE = "(nn/(modules|functional)|_|utils|autograd|jit|onnx|export|overrides)"
"""Parts of torch by which it is known where it lies in no folder of packages."""

_FOREIGN = re.compile(
    rf"^<(?!ipython-input)|(site|dist)-packages/({'|'.join(sorted(_PACKAGES))})[/.]"
    rf"|/transformers/({'|'.join(map(re.escape, _PLUMBING))})"
    rf"|/torch/{_TORCH_FROM_SOURCE}"
    r"|/lib(64)?/(python|pypy)\d[\d.]*/(?!(site|dist)-packages/)"
    r"|/([Pp]ython\d[\d.]*|[Pp]ython/\d[\d.]*/\w+|\w*conda\d*|miniforge\d*|mambaforge|envs/[^/]+)/Lib/(?!site-packages/)"
)
"""Files that are not the user's: frameworks, helpers, the interpreter (the last line is where Windows keeps it)."""

_EXPORTER = re.compile(r"/torch/(onnx|jit)/")

_INTERPRETER = sysconfig.get_path("stdlib").replace("\\", "/") + "/"
_OURS = str(Path(__file__).parents[1]).replace("\\", "/") + "/"


@lru_cache(maxsize=4096)
def is_user_code(file: str) -> bool:
    """Whether a file holds the user's own code or that of a library of models; paths of any system are understood."""
    path = file.replace("\\", "/")
    if _FOREIGN.search(path) or path.startswith(_OURS):
        return False
    return not path.startswith(_INTERPRETER) or "-packages/" in path


def innermost_user_line(frames: Iterable[SourceLine]) -> SourceLine | None:
    """The first of ``frames``, which come innermost first, that lies in the user's code."""
    return next((frame for frame in frames if is_user_code(frame.file)), None)


def with_text(line: SourceLine) -> SourceLine:
    """The same line with its text read from the file on this machine, where it can be."""
    return replace(line, text=line.text or linecache.getline(line.file, line.line).strip() or None)


# ------------------------------------------------------------------ what exporters write

_FRAME = re.compile(
    r'File "(?P<file>[^"\n]+)", line (?P<line>\d+)(?:, in (?P<function>\S+))?(?:\n[ \t]+(?!File ")(?P<text>\S.*))?'
)
_NOTE = re.compile(r"^(?P<file>\S.*?)\((?P<line>\d+)\): (?P<function>\S+)", re.MULTILINE)
_SAVED = "Serialized "
"""What follows in the notes of a compiled program are places in the code that was saved, which nobody wrote."""


def stack_frames(text: str) -> tuple[SourceLine, ...]:
    """Frames of a stack as Python prints it (``File "a.py", line 3, in f``), innermost first: Python prints it last."""
    return tuple(_line(match) for match in _FRAME.finditer(text))[::-1]


def note_frames(text: str) -> Iterator[SourceLine]:
    """Frames as TorchScript notes them (``a.py(3): f``), innermost first, up to the exporter.

    What called the exporter is a script whose line says nothing about an operator.
    """
    for match in _NOTE.finditer(text):
        if _EXPORTER.search(match["file"].replace("\\", "/")):
            return
        yield _line(match)


def script_frames(text: str) -> tuple[SourceLine, ...]:
    """Frames of an operator of a TorchScript program, innermost first: calls that were traced, then lines compiled."""
    written = text.partition(_SAVED)[0]
    compiled = (replace(_line(match), text=None) for match in _FRAME.finditer(written))
    return (*(_line(match) for match in _NOTE.finditer(written)), *compiled)


def _line(match: re.Match[str]) -> SourceLine:
    found = match.groupdict()
    text = (found.get("text") or "").strip()
    return SourceLine(found["file"], int(found["line"]), found["function"], text or None)


# ------------------------------------------------------------------ what runs now


def running_user_line(stop: Callable[[FrameType], bool] = lambda frame: False) -> SourceLine | None:
    """The innermost line of the user's code that is running; ``None`` where a frame for which ``stop`` is nearer."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and not stop(frame):
        if _is_users(frame):
            return _running_line(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


def _is_users(frame: FrameType) -> bool:
    """By the package as well: one that is installed in place lies in no folder of packages."""
    if not is_user_code(frame.f_code.co_filename):  # asked first: what it answers is remembered
        return False
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] not in _PACKAGES


@lru_cache(maxsize=65536)
def _running_line(file: str, line: int, function: str) -> SourceLine:
    return with_text(SourceLine(file, line, function))
