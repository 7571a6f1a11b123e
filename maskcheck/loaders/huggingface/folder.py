"""What a directory holds, from its files alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError

_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
_LARGEST = 16 * 2**20
_INTEGERS = ("pad_token_id", "max_position_embeddings", "model_max_length", "sliding_window")
_UNLIMITED = 10**6


def is_folder(path: Path) -> bool:
    """Whether ``path`` is a directory of transformers or sentence-transformers."""
    if not path.is_dir():
        return False
    if (path / "modules.json").is_file():
        return True
    return (path / "config.json").is_file() and any(True for pattern in _WEIGHTS for _ in path.glob(pattern))


def read_json(path: Path) -> Any:
    """The content of a small JSON file; ``None`` where there is none.

    Raises:
        LoadError: it is damaged.
    """
    if not path.is_file():
        return None
    if path.stat().st_size > _LARGEST:
        raise LoadError(f"{path}: far too large for a configuration.")
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise LoadError(f"{path}: damaged: {error}.") from error


def hints(config: dict[str, Any], *further: dict[str, Any] | None) -> dict[str, Any]:
    """Pad id, side and longest length, from a configuration and the tokenizer's or feature extractor's beside it."""
    found: dict[str, Any] = {}
    for source in (config, *further):
        if not isinstance(source, dict):
            continue
        for key in _INTEGERS:
            value = source.get(key)
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _UNLIMITED:
                found.setdefault(key, value)
        if isinstance(source.get("padding_side"), str):
            found.setdefault("padding_side", source["padding_side"])
    return found


def size_of(folder: Path) -> int:
    return sum(p.stat().st_size for pattern in _WEIGHTS for p in folder.rglob(pattern))
