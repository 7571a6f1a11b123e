"""Where the configuration lies."""

from __future__ import annotations

import tomllib
from pathlib import Path

NAMES = ("maskcheck.toml", "pyproject.toml")


def find(start: Path) -> Path | None:
    """Return the nearest configuration at or above ``start``, up to the root of the repository.

    A maskcheck.toml goes before the pyproject.toml beside it; a pyproject.toml counts only where it has a
    ``[tool.maskcheck]``.
    """
    for folder in (start, *start.parents):
        for name in NAMES:
            path = folder / name
            if path.is_file() and (name == NAMES[0] or _speaks_of_us(path)):
                return path
        if (folder / ".git").exists():
            return None
    return None


def _speaks_of_us(path: Path) -> bool:
    """Whether a pyproject.toml has our table; one that is no TOML is its owner's problem, not ours."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False
    tool = document.get("tool")
    return isinstance(tool, dict) and "maskcheck" in tool
