"""Importing Keras and what it runs on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module, util
from pathlib import Path
from tempfile import TemporaryFile
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
        with _hold_back_greetings():
            return import_module("keras")
    except Exception as error:
        raise LoadError(f"{path}: Keras cannot be imported: {error}", hint=_INSTALL) from error


_GREETINGS = (b"absl::InitializeLog", b"oneDNN custom operations", b"cpu_feature_guard", b"rebuild TensorFlow")


@contextmanager
def _hold_back_greetings() -> Iterator[None]:
    """Hold back what TensorFlow's libraries write to the error stream when they are loaded; all else is passed on.

    They write before any log level is heard, and past Python. Someone who reads a verdict should not first read that
    results may differ slightly.
    """
    if "tensorflow" in sys.modules:
        yield
        return
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no error stream to hold back
        yield
        return
    with TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            held.seek(0)
            for line in held:
                if not any(words in line for words in _GREETINGS):
                    os.write(2, line)


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
