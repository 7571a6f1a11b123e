"""The user's own layers, from a module or a Python file that the user names."""

from __future__ import annotations

import sys
from importlib import import_module, util
from pathlib import Path
from types import ModuleType
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.loaders.keras import private_api


def custom_objects(places: tuple[str, ...]) -> dict[str, Any]:
    """Public classes and functions defined in ``places``, by name.

    Each place is ``package.module`` or ``path/to/file.py``. It is imported, so its code runs.

    Raises:
        LoadError: there is no such module or file, or it fails when imported.
    """
    found: dict[str, Any] = {}
    for place in places:
        module = _import_place(place)
        found |= {
            name: value
            for name, value in vars(module).items()
            if not name.startswith("_") and callable(value) and getattr(value, "__module__", None) == module.__name__
        }
    return found


def operations() -> dict[str, Any]:
    """Keras's own operations by name.

    Keras writes them into .h5 files (every mask of a functional model is made of some) and does not know them when it
    reads these files.
    """
    found: dict[str, Any] = {}
    waiting = [import_module("keras").Operation]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if private_api.is_own_operation(kind):
                found[kind.__name__] = kind
    return found


def _import_place(place: str) -> ModuleType:
    try:
        if place.endswith(".py"):
            return _from_file(Path(place))
        if "" not in sys.path:
            sys.path.insert(0, "")
        return import_module(place)
    except LoadError:
        raise
    except Exception as error:
        raise LoadError(
            f"Importing custom objects from {place} failed: {type(error).__name__}: {error}",
            hint="Give package.module or path/to/file.py.",
        ) from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise LoadError(f"There is no file {path} to take custom objects from.", hint="Check --custom-objects.")
    name = f"maskcheck_custom_{path.stem}"
    spec = util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None  # a .py file always has a loader
    module = util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
