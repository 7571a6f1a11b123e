"""Tell from its content what a model file is. Nothing is imported for that but the standard library."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

from maskcheck.core.errors import LoadError

_LFS = b"version https://git-lfs"
_HEAD = 64

_SAVED_MODEL = "saved_model.pb"
_HDF5 = b"\x89HDF\r\n\x1a\n"

READS = (
    "maskcheck reads ONNX, PyTorch (.pt2, TorchScript, weights with --factory), Keras (.keras, .h5, SavedModel) and "
    "Hugging Face folders."
)
"""Said wherever a file turns out to be something else."""


def resolve_target(path: Path) -> Path:
    """Return what to load: ``path`` itself, or the one ONNX file of a directory that is no SavedModel.

    Raises:
        LoadError: there is no such file, it is empty or a git-lfs pointer, or the directory holds no model or several.
    """
    if is_saved_model(path) or is_weights_folder(path):
        return path
    if path.is_dir():
        path = _inside(path)
    if not path.exists():
        broken = " (it is a symbolic link to nothing)" if path.is_symlink() else ""
        raise LoadError(f"{path}: there is no such file{broken}.", hint="Check the path.")
    if not path.is_file():
        raise LoadError(f"{path}: this is no regular file.", hint="Give the path of a model file.")
    try:
        head = read_head(path)
    except OSError as error:
        raise LoadError(f"{path}: cannot be read: {error.strerror or error}.", hint="Check its permissions.") from error
    if not head:
        raise LoadError(f"{path}: the file is empty.", hint="Fetch or export the model again.")
    if head.startswith(_LFS):
        raise LoadError(f"{path}: this is a git-lfs pointer, not the model itself.", hint="Run: git lfs pull")
    return path


def _inside(folder: Path) -> Path:
    """The one ONNX file of a directory, as Optimum lays them out."""
    found = sorted(folder.glob("*.onnx"))
    nested = folder / "onnx" / "model.onnx"
    if len(found) == 1:
        return found[0]
    if not found and nested.is_file():
        return nested
    if found:
        names = ", ".join(p.name for p in found)
        raise LoadError(f"{folder}: this directory holds several ONNX models: {names}.", hint="Name one of them.")
    others = sorted(p.name + ("/" if p.is_dir() else "") for p in folder.iterdir())
    listed = ", ".join(others[:8]) + (", ..." if len(others) > 8 else "") if others else "nothing"
    raise LoadError(
        f"{folder}: this directory holds no *.onnx and no onnx/model.onnx; found {listed}.",
        hint=f"Give the path of a model. {READS}",
    )


def read_head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(_HEAD)


def unsupported(path: Path, what: str) -> LoadError:
    """The error for a file that is recognised but has no loader."""
    return LoadError(
        f"{path}: this seems to be {what}.",
        hint=f"{READS} Export the model to one of these.",
    )


def is_saved_model(path: Path) -> bool:
    """Whether ``path`` is a folder that TensorFlow saved a model in."""
    return path.is_dir() and (path / _SAVED_MODEL).is_file()


def is_weights_folder(path: Path) -> bool:
    """Whether ``path`` is a folder that transformers or sentence-transformers saved a model in, not as ONNX."""
    from maskcheck.loaders.huggingface.folder import is_folder

    return is_folder(path) and not any(path.glob("*.onnx"))


def is_keras(path: Path) -> bool:
    """Whether the file is a Keras model: a zip archive with its configuration and weights, or an HDF5 file."""
    if not path.is_file():
        return False
    if read_head(path).startswith(_HDF5):
        return True
    try:
        with zipfile.ZipFile(path) as archive:
            return {"config.json", "metadata.json"} <= set(archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False


def is_onnx(path: Path) -> bool:
    """Whether the file is an ONNX model. Raises ``LoadError`` for one that begins like a model and ends too early."""
    from maskcheck.loaders.onnx.wire import WireError, looks_like_model, map_file

    view = map_file(path)
    try:
        return looks_like_model(view)
    except WireError as error:
        if _begins_like_onnx(bytes(view[:_HEAD])):
            raise LoadError(
                f"{path}: this begins like an ONNX model, but is damaged or cut short ({error}).",
                hint="Fetch or export it again.",
            ) from error
        return False


def _begins_like_onnx(head: bytes) -> bool:
    """Serialisers write the version first (field 1, a small number), followed by a field of a model."""
    return (
        len(head) > 2 and head[0] == 0x08 and 0 < head[1] < 0x40 and (head[2] >> 3 in range(2, 27) or head[2] == 0xA2)
    )


def describe(path: Path) -> str | None:
    """What a file that is no ONNX model seems to be; ``None`` where nothing is recognised."""
    head = read_head(path)
    if zipfile.is_zipfile(path):
        return _zip(path)
    if head[4:8] == b"ORTM":
        return "a model in onnxruntime's own ORT format"
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return "a safetensors file"
    if head.startswith(b"GGUF"):
        return "a GGUF model"
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05":
        return "a Python pickle (perhaps an old PyTorch checkpoint)"
    if head.startswith((b"\x1f\x8b", b"PK")):
        return "a compressed archive"
    return _text(path, head)


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged zip archive"
    last = {name.rsplit("/", 1)[-1] for name in names}
    if "archive_format" in last:
        return "a PyTorch exported program (.pt2)"
    if "constants.pkl" in last:
        return "a TorchScript program"
    if "data.pkl" in last:
        return "a PyTorch checkpoint"
    onnx = next((name for name in names if name.endswith(".onnx")), None)
    return f"a zip archive that holds {onnx}: unpack it first" if onnx else "a zip archive"


def _text(path: Path, head: bytes) -> str | None:
    stripped = head.lstrip()
    if stripped.startswith((b"{", b"[")):
        try:
            json.loads(path.read_text("utf-8"))
        except (ValueError, OSError, RecursionError):
            return None
        return "a JSON file"
    if stripped.lower().startswith((b"<!doctype html", b"<html")):
        return "a web page, not a model (a download that asked for a login?)"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return "a text file"
