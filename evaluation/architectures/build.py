"""An architecture -> a saved directory with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.architectures.catalogue import SMALL, Architecture


def configuration(architecture: Architecture) -> Any:
    """The small configuration, special tokens inside the small vocabulary."""
    from transformers import CONFIG_MAPPING

    kind = CONFIG_MAPPING[architecture.model_type]
    try:
        default = kind().to_dict()
    except Exception:
        default = {}
    return kind(**_fields(default, architecture.settings))


def _fields(default: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The fields to set: small sizes where the default has such a field, its own ones, and those of nested ones."""
    fields = {name: value for name, value in SMALL.items() if name in default}
    vocabulary = SMALL["vocab_size"]
    for name, value in default.items():
        if name.endswith("_token_id") and isinstance(value, int) and value >= vocabulary:
            fields[name] = {"pad": 0, "bos": 1, "eos": 2}.get(name.removesuffix("_token_id"), vocabulary - 1)
        if name.endswith("_config") and isinstance(value, Mapping) and name not in own:
            fields[name] = _fields(value, {})
    for name, value in own.items():
        nested = isinstance(value, Mapping)
        fields[name] = _fields(default.get(name) or {}, value) if nested else value
    return fields


def model(architecture: Architecture, seed: int = 0) -> Any:
    """The model in float32, in eval mode."""
    import torch
    import transformers

    torch.manual_seed(seed)
    config = configuration(architecture)
    maker = getattr(transformers, architecture.model_class)
    made = maker.from_config(config) if architecture.model_class.startswith("Auto") else maker(config)
    _enliven(made)
    return made.eval()


def _enliven(made: Any) -> None:
    """Give vectors that start at zero or one some variety: biases of zero and norms of one hide what they do."""
    import torch

    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 1 and parameter.is_floating_point():
                parameter.add_(torch.randn_like(parameter) * 0.05)


def save(architecture: Architecture, folder: Path, seed: int = 0) -> Any:
    """Write the directory and return the model that is in it."""
    made = model(architecture, seed)
    made.save_pretrained(folder)
    return made
