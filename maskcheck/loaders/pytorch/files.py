"""What PyTorch leaves on disk, told apart by content, and the function that opens each kind."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskcheck.core.settings import Settings
    from maskcheck.loaders.pytorch.model import TorchModel

PT2, SCRIPT, CHECKPOINT, SAFETENSORS, LEGACY = "pt2", "torchscript", "checkpoint", "safetensors", "legacy"
_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"
"""How files begin that ``torch.save`` wrote before it used zip archives."""


def kind_of_file(path: Path) -> str | None:
    """Which of PyTorch's kinds a file is; ``None`` for other files. Imports nothing heavy and unpickles nothing."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK") and zipfile.is_zipfile(path):
        return _kind_of_zip(path)
    if head.startswith(_MAGIC):
        return LEGACY
    if head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < path.stat().st_size:
        return SAFETENSORS
    return None


def _kind_of_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            last = {name.rsplit("/", 1)[-1] for name in archive.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    if "archive_format" in last or "serialized_exported_program.json" in last:
        return PT2
    if "constants.pkl" in last:
        return SCRIPT
    return CHECKPOINT if "data.pkl" in last else None


def load(path: Path, settings: Settings) -> TorchModel:
    """Open a PyTorch file. Raises ``LoadError``."""
    from maskcheck.loaders.pytorch import checkpoint, exported, script

    kind = kind_of_file(path)
    if kind == PT2:
        return exported.load(path, settings)
    if kind == SCRIPT:
        return script.load(path, settings)
    if kind == SAFETENSORS:
        return checkpoint.load_safetensors(path, settings)
    return checkpoint.load_checkpoint(path, settings)
