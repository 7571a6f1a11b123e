"""Facts found beside a model file: what its configuration says about padding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FILES = ("config.json", "tokenizer_config.json")
_INTEGERS = ("pad_token_id", "max_position_embeddings", "model_max_length", "vocab_size", "sliding_window")
_TEXTS = ("padding_side", "model_type", "pad_token")
_UNLIMITED = 10**6
"""Tokenizers write an enormous ``model_max_length`` where there is no limit."""

_LARGEST = 16 * 2**20


def read_hints(model: Path) -> dict[str, Any]:
    """Read the configuration files beside ``model`` or one directory above; unreadable ones count as absent."""
    found: dict[str, Any] = {}
    for name in _FILES:
        for folder in (model.parent, model.parent.parent):
            content = _read(folder / name)
            if content is not None:
                found |= {key: value for key, value in _pick_known(content).items() if key not in found}
                break
    return found


def _read(path: Path) -> dict[str, Any] | None:
    try:
        if not path.is_file() or path.stat().st_size > _LARGEST:
            return None
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def _pick_known(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in _INTEGERS:
        value = content.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value < _UNLIMITED:
            found[key] = value
    for key in _TEXTS:
        value = content.get(key)
        if isinstance(value, str):
            found[key] = value
    return found
