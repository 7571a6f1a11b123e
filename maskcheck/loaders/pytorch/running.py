"""How every run of a model is made, whatever the program around it allows and whatever the model raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from maskcheck.core.errors import RunError, TraceError
from maskcheck.loaders.pytorch.ieee_float32 import whole_float32

_LONGEST = 300
"""Characters of a reason that are shown."""


@contextmanager
def run_safely() -> Iterator[None]:
    """Compute in whole float32, and turn whatever a model raises into a ``RunError`` with its reason."""
    try:
        with whole_float32():
            yield
    except (MemoryError, RunError, TraceError):
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise RunError(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...") from error
