"""Open a model file, whatever wrote it. Only here are frameworks imported, and only inside functions."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskcheck.core.model import Model
    from maskcheck.core.settings import Settings

Sniff = Callable[[Path], bool]


def _is_onnx(path: Path) -> bool:
    from maskcheck.loaders.sniff import is_onnx

    return is_onnx(path)


def _is_keras(path: Path) -> bool:
    from maskcheck.loaders.sniff import is_keras

    return is_keras(path)


def _is_saved_model(path: Path) -> bool:
    from maskcheck.loaders.sniff import is_saved_model

    return is_saved_model(path)


def _is_torch(path: Path) -> bool:
    from maskcheck.loaders.pytorch.files import kind_of_file

    return kind_of_file(path) is not None


def _is_huggingface(path: Path) -> bool:
    from maskcheck.loaders.huggingface.folder import is_folder

    return is_folder(path)


LOADERS: tuple[tuple[Sniff, str], ...] = (
    (_is_saved_model, "maskcheck.loaders.keras.savedmodel:load"),
    (_is_keras, "maskcheck.loaders.keras.model:load"),
    (_is_huggingface, "maskcheck.loaders.huggingface.load:load"),
    (_is_torch, "maskcheck.loaders.pytorch.files:load"),
    (_is_onnx, "maskcheck.loaders.onnx.model:load"),
)
"""Tried in order: the first whose sniff recognises the file's content is asked to load it."""


def load(path: Path, settings: Settings) -> Model:
    """Open the model at ``path``: a file, a folder with one ONNX file in it, a SavedModel or a Hugging Face folder.

    Raises:
        LoadError: there is no such file, it is damaged or refused as unsafe, nothing here can load it, or the package
            that runs it is missing. The message says which, and the hint what to do.
    """
    from maskcheck.core.errors import LoadError
    from maskcheck.loaders.sniff import READS, describe, resolve_target, unsupported

    target = resolve_target(Path(path))
    for sniff, loader in LOADERS:
        if sniff(target):
            module, _, function = loader.partition(":")
            model: Model = getattr(import_module(module), function)(target, settings)
            return model
    what = describe(target)
    if what is not None:
        raise unsupported(target, what)
    raise LoadError(
        f"{target}: this is not an ONNX model, and nothing else that is known.",
        hint=READS,
    )
