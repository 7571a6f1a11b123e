"""The few parts of an archive that are pickles even where they are harmless: read by torch's weights-only unpickler."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from maskcheck.loaders.pytorch.pt2.archive import Archive
from maskcheck.loaders.pytorch.pt2.names import path_of_tensor
from maskcheck.loaders.pytorch.pt2.refusal import Refused, inside, shortened

_LARGEST = 2**31
_DEEPEST = 50


def example_inputs(archive: Archive, name: str) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    """The inputs that the program was exported with: plain values and tensors in plain containers.

    Raises:
        Refused: there is more in them.
    """
    if name not in archive or not archive.size(name):
        return None
    with inside(name):
        found = _plain(_unpickled(archive.read(name, _LARGEST)))
        if not (isinstance(found, tuple) and len(found) == 2 and isinstance(found[0], tuple)):
            raise Refused("it holds no inputs")
        return found


def table(archive: Archive, name: str) -> dict[str, Any]:
    """A dictionary of tensors. Raises ``Refused`` where it holds more."""
    with inside(name):
        found = _plain(_unpickled(archive.read(name, _LARGEST)) if archive.size(name) else {})
        if not isinstance(found, dict):
            raise Refused("it holds no table of tensors")
        return {path_of_tensor(key): _tensor(value) for key, value in found.items()}


def _unpickled(content: bytes) -> Any:
    import torch

    _check_unpacked(content)
    try:
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise Refused(f"it holds more than tensors ({reason[:160]})") from error


def _check_unpacked(content: bytes) -> None:
    """``torch.save`` packs nothing; what is packed unpacks to any size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as inner:
            packed = [info for info in inner.infolist() if info.compress_type != zipfile.ZIP_STORED]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Refused("it is not what torch.save writes") from error
    if packed:
        raise Refused("its content is packed")


def _plain(value: Any, depth: int = 0) -> Any:
    """The value in containers made anew."""
    if depth > _DEEPEST:
        raise Refused("it is nested too deeply")
    if isinstance(value, dict):
        return {_key(key): _plain(item, depth + 1) for key, item in value.items()}
    if type(value) in (tuple, list):
        return type(value)(_plain(item, depth + 1) for item in value)
    return value if value is None or type(value) in (bool, int, float, str) else _tensor(value)


def _key(key: Any) -> Any:
    if type(key) not in (str, int, float, bool):
        raise Refused(f"{shortened(key)} is no plain key")
    return key


def _tensor(value: Any) -> Any:
    import torch

    if type(value) not in (torch.Tensor, torch.nn.Parameter) or value.layout is not torch.strided:
        raise Refused(f"it holds a {shortened(type(value).__name__)[1:-1]}")
    return value
