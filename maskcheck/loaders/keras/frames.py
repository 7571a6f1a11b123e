"""The user's own source line behind a call."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from types import FrameType

from maskcheck.ir.source import SourceLine

_FRAMEWORKS = ("keras", "tensorflow", "torch", "jax", "optree", "wrapt")
_OWN = str(Path(__file__).parents[2])


def user_line() -> SourceLine | None:
    """The innermost line on the stack that belongs neither to a framework nor to maskcheck."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not _foreign(frame.f_globals.get("__name__", ""), file):
            text = linecache.getline(file, frame.f_lineno).strip() or None
            return SourceLine(file, frame.f_lineno, frame.f_code.co_name, text)
        frame = frame.f_back
    return None


def _foreign(module: str, file: str) -> bool:
    return module.split(".")[0] in _FRAMEWORKS or file.startswith((_OWN, "<"))
