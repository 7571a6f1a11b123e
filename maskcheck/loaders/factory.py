"""The user's function that builds a model for a file of weights.

It is named as ``package.module:function`` or ``path/to/file.py:function``.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError, UsageError


def build(name: str) -> Any:
    """Call the factory and return what it made.

    Raises:
        UsageError: the name leads nowhere.
        LoadError: the function failed.
    """
    function = find(name)
    try:
        return function()
    except Exception as error:
        raise LoadError(f"The factory {name} failed: {type(error).__name__}: {error}.") from error


def find(name: str, flag: str = "--factory") -> Any:
    """Import the function called ``name``; ``flag`` is where the user wrote it.

    Raises:
        UsageError: the name leads nowhere.
    """
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise UsageError(
            f"Reading {flag}: {name!r} names no function.",
            hint="Write package.module:function or path/to/file.py:function.",
        )
    try:
        with _from_here():
            module = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except (ImportError, OSError, SyntaxError) as error:
        raise UsageError(f"Reading {flag}: {place} cannot be imported: {error}.") from error
    found = getattr(module, function, None)
    if not callable(found):
        raise UsageError(f"Reading {flag}: {place} has no function {function!r}.")
    return found


def _from_file(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(f"maskcheck_factory_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ImportError(f"there is no file {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@contextmanager
def _from_here() -> Iterator[None]:
    """Modules beside the user are found too, as ``python -m`` would."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)
