"""Model files as they lie on disk: their configuration, and a form in which Keras reads them."""

from __future__ import annotations

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError

_WEIGHTS = ".weights.h5"
_GONE = "time_major"
"""A setting of recurrent layers in Keras 2 that Keras 3 refuses to read, even where it says nothing (false)."""


def read_config(path: Path) -> Any:
    """The configuration tree of a .keras or .h5 file, ``None`` where the file holds weights without a model.

    Raises:
        LoadError: the file is damaged.
    """
    try:
        text = _read_zip(path) if zipfile.is_zipfile(path) else _read_hdf5(path)
        return json.loads(text) if text is not None else None
    except (OSError, KeyError, ValueError, NotImplementedError, zipfile.BadZipFile) as error:
        raise LoadError(f"{path}: the Keras model is damaged ({error}).", hint="Save or fetch it again.") from error


def _read_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read("config.json").decode("utf-8")


def _read_hdf5(path: Path) -> str | None:
    with import_module("h5py").File(path, "r") as file:
        config = file.attrs.get("model_config")
    return config.decode("utf-8") if isinstance(config, bytes) else config


@contextmanager
def make_readable(path: Path, config: Any) -> Iterator[Path]:
    """The model file under a name by which Keras knows its format, without settings of Keras 2 that mean nothing.

    The file itself is left alone; a temporary copy is made where its configuration has to change.
    """
    suffix = ".keras" if zipfile.is_zipfile(path) else ".h5"
    plain = _leave_out_gone(config)
    if path.suffix == suffix and plain == config:
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"model{suffix}"
        if plain == config:
            file.symlink_to(path.resolve())
        else:
            shutil.copyfile(path, file)
            with import_module("h5py").File(file, "r+") as opened:
                opened.attrs["model_config"] = json.dumps(plain)
        yield file


@contextmanager
def make_weights_readable(path: Path) -> Iterator[Path]:
    """The file of weights under a name by which Keras knows it."""
    if path.name.endswith(_WEIGHTS):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"model{_WEIGHTS}"
        file.symlink_to(path.resolve())
        yield file


def _leave_out_gone(node: Any) -> Any:
    if isinstance(node, list):
        return [_leave_out_gone(item) for item in node]
    if isinstance(node, dict):
        return {k: _leave_out_gone(v) for k, v in node.items() if k != _GONE or v}
    return node
