"""Open a directory of transformers or sentence-transformers: from the disk alone, never running code it brings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.settings import Settings
from maskcheck.loaders.huggingface import examples, named_classes
from maskcheck.loaders.huggingface.folder import hints, read_json, size_of
from maskcheck.loaders.pytorch.checkpoint import digest
from maskcheck.loaders.pytorch.model import TorchModel
from maskcheck.loaders.pytorch.safety import require_torch

_OFFLINE = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_DATASETS_OFFLINE")


def load(path: Path, settings: Settings) -> TorchModel:
    """Open the directory at ``path``. Raises ``LoadError``."""
    require_torch()
    with _offline():
        return _sentences(path) if (path / "modules.json").is_file() else _transformer(path)


def _transformer(path: Path) -> TorchModel:
    _require("transformers")
    config = read_json(path / "config.json")
    if not isinstance(config, dict):
        raise LoadError(f"{path}: config.json holds no settings.")
    model = _from_pretrained(path, config)
    switches = examples.switches(model)
    first: LoadError | None = None
    for tried in examples.candidates(model):
        try:
            return TorchModel(model, tried, extra=switches, **_described(path, config, "huggingface"))
        except LoadError as error:
            first = first or error
    why = first.message if first else "its inputs are of no known kind"
    raise LoadError(f"{path}: no inputs could be found with which {type(model).__name__} runs: {why}")


def _from_pretrained(path: Path, config: dict[str, Any]) -> Any:
    """The model class that the configuration names, or the one transformers has for its type."""
    import transformers

    named = config.get("architectures") or []
    kind = getattr(transformers, str(named[0]), None) if named else None
    if kind is None or not hasattr(kind, "from_pretrained"):
        kind = transformers.AutoModel
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        return kind.from_pretrained(str(path), local_files_only=True, trust_remote_code=False).eval()
    except Exception as error:
        raise LoadError(
            f"{path}: transformers cannot load it: {' '.join(str(error).split())[:300]}",
            hint="Code that a directory brings along is never run."
            if "auto_map" in config
            else "Check that the directory is complete and transformers knows its model type.",
        ) from error


def _sentences(path: Path) -> TorchModel:
    _require("sentence_transformers", "sentence-transformers")
    named_classes.check_folder(path)
    from sentence_transformers import SentenceTransformer, __version__

    named_classes.check_version(__version__)
    try:
        model = SentenceTransformer(str(path), device="cpu", local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise LoadError(
            f"{path}: sentence-transformers cannot load it: {' '.join(str(error).split())[:300]}"
        ) from error
    config = _inner_config(path, read_json(path / "modules.json"))
    tokens = examples.tokens()
    return TorchModel(_embedder(model.eval()), tokens, **_described(path, config, "sentence-transformers"))


def _inner_config(path: Path, listed: Any) -> dict[str, Any]:
    """The configuration of the transformer among the modules, and the longest text the directory asks for."""
    folder = path / str(listed[0].get("path", ""))
    config = read_json(folder / "config.json") or {}
    limit = read_json(folder / "sentence_bert_config.json") or {}
    if isinstance(limit.get("max_seq_length"), int):
        config = {**config, "model_max_length": limit["max_seq_length"]}
    return config


def _embedder(model: Any) -> Any:
    """The pipeline as a module of tensors: ids and mask in, token and sentence embeddings out."""
    from torch import nn

    class Embedder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for name, child in model.named_children():
                self.add_module(name, child)

        def forward(self, input_ids: Any, attention_mask: Any) -> dict[str, Any]:
            features: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
            for child in self.children():
                features = child(features)
            return {"sentence_embedding": features["sentence_embedding"]}

    return Embedder().eval()


def _described(path: Path, config: dict[str, Any], format_: str) -> dict[str, Any]:
    weights = next(iter(sorted(path.rglob("*.safetensors"))), None)
    beside = (read_json(path / "tokenizer_config.json"), read_json(path / "preprocessor_config.json"))
    return {
        "path": str(path),
        "format": format_,
        "sha256": digest(weights) if weights else None,
        "hints": hints(config, *beside),
        "size_bytes": size_of(path),
    }


def _require(package: str, name: str | None = None) -> None:
    try:
        __import__(package)
    except ImportError as error:
        raise LoadError(
            f"This directory needs the package {name or package}, which cannot be imported: {error}.",
            hint=f'Install it: pip install "maskcheck[huggingface]" {name or package}',
        ) from error


@contextmanager
def _offline() -> Iterator[None]:
    """Nothing is fetched while a directory is opened."""
    before = {name: os.environ.get(name) for name in _OFFLINE}
    os.environ.update(dict.fromkeys(_OFFLINE, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
