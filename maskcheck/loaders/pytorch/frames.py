"""Which line of the user's own code an operator was called from."""

from __future__ import annotations

import linecache
import sys
from functools import lru_cache
from pathlib import Path
from types import FrameType

from maskcheck.ir.source import SourceLine


@lru_cache(maxsize=1)
def _foreign() -> tuple[str, ...]:
    """Folders whose code is not the user's: torch itself and this program."""
    import torch

    return tuple(f"{folder}/" for folder in (Path(str(torch.__file__)).parent, _THIS_PROGRAM))


_THIS_PROGRAM = Path(__file__).parents[2]
"""The folder of the package ``maskcheck``, of which this module must not import the top."""


_PLUMBING = (
    *("/contextlib.py", "/functools.py", "/transformers/integrations/", "/transformers/masking_utils.py"),
    *("/transformers/utils/", "/transformers/pytorch_utils.py", "/transformers/modeling_utils.py"),
    *("/transformers/modeling_layers.py", "/transformers/activations.py"),
)
"""Code that calls operators on behalf of the line that matters."""


@lru_cache(maxsize=4096)
def is_own(file: str) -> bool:
    """Whether a file holds a model's code, rather than torch's, this program's or a library's plumbing."""
    return not (file.startswith(("<", *_foreign())) or any(part in file for part in _PLUMBING))


def source_line(boundary: str) -> SourceLine | None:
    """The innermost line of the user's code; ``None`` when the function ``boundary`` of this package is nearer."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        code = frame.f_code
        if code.co_name == boundary and code.co_filename.startswith(_foreign()[-1]):
            return None
        if is_own(code.co_filename):
            return _line(code.co_filename, frame.f_lineno, code.co_name)
        frame = frame.f_back
    return None


@lru_cache(maxsize=65536)
def _line(file: str, line: int, function: str) -> SourceLine:
    return SourceLine(file, line, function, linecache.getline(file, line).strip() or None)
