"""Importing Keras and what it runs on."""

from __future__ import annotations

import os
import sys
from importlib import import_module, util
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError

_INSTALL = "Install it: pip install 'maskcheck[keras]'"
_BACKENDS = ("tensorflow", "torch", "jax")


def require_keras(path: Path) -> Any:
    """Import and return ``keras`` to open ``path``, on TensorFlow unless the environment names another backend.

    Raises:
        LoadError: Keras or its backend is missing or cannot be imported.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if util.find_spec("keras") is None:
        raise LoadError(f"{path}: this is a model for Keras, which is not installed.", hint=_INSTALL)
    if "keras" not in sys.modules:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        wanted = os.environ["KERAS_BACKEND"]
        if wanted in _BACKENDS and util.find_spec(wanted) is None:
            raise LoadError(f"{path}: Keras is to run on {wanted}, which is not installed.", hint=_INSTALL)
    try:
        return import_module("keras")
    except Exception as error:
        raise LoadError(f"{path}: Keras cannot be imported: {error}", hint=_INSTALL) from error


def on_tensorflow() -> bool:
    """Whether Keras, already imported, runs on TensorFlow."""
    return bool(import_module("keras").backend.backend() == "tensorflow")


def executes() -> bool:
    """Whether code runs on values now, rather than being traced into a graph."""
    return not on_tensorflow() or bool(import_module("tensorflow").executing_eagerly())


def versions() -> dict[str, str]:
    """Versions of what runs the model."""
    import platform

    keras = import_module("keras")
    backend = keras.backend.backend()
    module = sys.modules.get(backend)
    found = {"python": platform.python_version(), "keras": keras.__version__}
    return found | ({backend: str(module.__version__)} if module is not None else {})
