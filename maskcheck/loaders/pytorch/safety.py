"""What a PyTorch file would run if it were opened, found out without opening it."""

from __future__ import annotations

from pathlib import Path

from maskcheck.core.errors import LoadError

_TRUST = "If you trust where it came from, say --trust."


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
