"""What a PyTorch file would run if it were opened, found out without opening it."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError

_TRUST = "If you trust where it came from, say --trust."
_BIG = 256 * 2**20


def require_torch() -> None:
    """Raise ``LoadError`` where torch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise LoadError(
            f"PyTorch models need the package torch, which cannot be imported: {error}.",
            hint='Install it: pip install "maskcheck[torch]"',
        ) from error


def unsafe_globals(path: Path) -> list[str]:
    """Names that unpickling ``path`` would look up and that are not known to be harmless."""
    import torch

    try:
        return sorted(torch.serialization.get_unsafe_globals_in_checkpoint(str(path)))
    except Exception:  # damaged or of a kind that is not understood: nothing is known of it
        return []


def refused_pickle(path: Path, error: Exception) -> LoadError:
    """The refusal of a pickle that holds more than tensors, naming what it would call."""
    found = unsafe_globals(path)
    if found:
        what = f"opening it would import and call {', '.join(found[:6])}{', ...' if found[6:] else ''}"
    else:
        what = f"it is no plain collection of tensors ({' '.join(str(error).split())[:160]})"
    return LoadError(
        f"{path}: refused: {what}.",
        hint=f"Save its state_dict() instead and name the function that builds the module with --factory. {_TRUST}",
    )


def check_archive(path: Path) -> None:
    """Look through a ``torch.export`` archive for anything that would be unpickled while it loads.

    ``torch.export.load`` reads sample inputs, and weights so marked, with the full unpickler; nothing of the kind may
    stand in the file.

    Raises:
        LoadError: something would run, or the archive is damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                _check_entry(path, archive, name)
    except (zipfile.BadZipFile, OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: the archive is damaged: {error}.", hint="Export the model again.") from error


def _check_entry(path: Path, archive: zipfile.ZipFile, name: str) -> None:
    if name.endswith("_config.json"):
        listed = json.loads(archive.read(name))
        pickled = [key for key, value in _entries(listed) if value.get("use_pickle")]
        if pickled:
            raise _refused(path, f"{name} has {pickled[0]!r} read by the unpickler")
    elif "/sample_inputs/" in name and not name.endswith("/"):
        _check_pickle(path, name, archive.read(name))
    elif "/constants/" in name and "custom_obj" in name:
        raise _refused(path, f"{name} is an object with code of its own")
    elif name.endswith((".so", ".pkl", ".py", ".cubin")) and "/sample_inputs/" not in name:
        raise _refused(path, f"it holds {name}, which is code or a pickle")


def _entries(listed: Any) -> list[tuple[str, dict[str, Any]]]:
    entries = listed.get("config", {}) if isinstance(listed, dict) else {}
    return [(k, v) for k, v in entries.items() if isinstance(v, dict)]


def _check_pickle(path: Path, name: str, content: bytes) -> None:
    import torch

    if len(content) > _BIG:
        raise _refused(path, f"{name} is too large to be checked")
    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        reason = " ".join(str(error).split())
        raise _refused(path, f"{name} holds more than tensors ({reason[:160]})") from error


def _refused(path: Path, what: str) -> LoadError:
    return LoadError(f"{path}: refused: {what}, and loading it would run that.", hint=_TRUST)
