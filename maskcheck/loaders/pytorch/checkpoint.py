"""Weights on disk: state dicts and safetensors, filled into what a factory builds, and pickled modules."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.settings import Settings
from maskcheck.loaders import factory
from maskcheck.loaders.pytorch.model import TorchModel
from maskcheck.loaders.pytorch.safety import refused_pickle, require_torch

_NESTED = ("state_dict", "model_state_dict", "model", "module")
_PREFIXES = ("module.", "model.", "_orig_mod.", "")


def load_checkpoint(path: Path, settings: Settings) -> TorchModel:
    """Open a file that ``torch.save`` wrote. Raises ``LoadError``."""
    require_torch()
    import torch

    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if not settings.trust:
            raise refused_pickle(path, error) from error
        content = _unpickle(path)
    if isinstance(content, torch.nn.Module):
        return TorchModel(content, path=str(path), format="torch-pickle", **_file(path))
    return _fill_module(path, content, settings, "torch-state-dict")


def load_safetensors(path: Path, settings: Settings) -> TorchModel:
    """Open weights in the safetensors format. Raises ``LoadError``."""
    require_torch()
    try:
        from safetensors.torch import load_file
    except ImportError as error:
        raise LoadError(f"{path}: safetensors files need the package safetensors: {error}.") from error
    try:
        content = load_file(path)
    except Exception as error:
        raise LoadError(f"{path}: the file is damaged: {error}.", hint="Fetch it again.") from error
    return _fill_module(path, content, settings, "safetensors")


def _unpickle(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise LoadError(
            f"{path}: cannot be unpickled: {type(error).__name__}: {error}.",
            hint="Its classes must be importable from here.",
        ) from error


def _fill_module(path: Path, content: Any, settings: Settings, format_: str) -> TorchModel:
    state = _find_weights(content)
    if state is None:
        raise LoadError(
            f"{path}: holds {type(content).__name__} and no weights by name.", hint="Save the module's state_dict()."
        )
    if settings.factory is None:
        raise LoadError(
            f"{path}: these are {len(state)} weights without the code of their model ({next(iter(state))!r} first).",
            hint="Name the function that builds the module: --factory package.module:function.",
        )
    module, examples = _build_by_factory(settings.factory)
    fill(module, state, str(path))
    return TorchModel(module, examples, path=str(path), format=format_, **_file(path))


def _build_by_factory(name: str) -> tuple[Any, Any]:
    """Return the factory's module and its example inputs, ``None`` when it returns the module alone."""
    from torch import nn

    made = factory.build(name)
    module, examples = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    if not isinstance(module, nn.Module):
        raise LoadError(
            f"The factory {name} returned {type(module).__name__}, not a module.",
            hint="Return the nn.Module, or a pair of the module and its example inputs.",
        )
    return module, examples


def _find_weights(content: Any) -> dict[str, Any] | None:
    """The weights by name, looked for under the names under which trainers nest them."""
    import torch

    if not isinstance(content, Mapping):
        return None
    for key in _NESTED:
        inner = content.get(key)
        if isinstance(inner, Mapping) and any(isinstance(v, torch.Tensor) for v in inner.values()):
            return {k: v for k, v in inner.items() if isinstance(v, torch.Tensor)}
    found = {k: v for k, v in content.items() if isinstance(v, torch.Tensor)}
    return found or None


def fill(module: Any, state: Mapping[str, Any], where: str) -> None:
    """Copy weights into ``module``; wrappers' prefixes are taken off.

    Raises:
        LoadError: weights are missing, left over or of another shape.
    """
    wanted = set(module.state_dict())
    prefix = max(_PREFIXES, key=lambda p: len(wanted & {k.removeprefix(p) for k in state}))
    renamed = {k.removeprefix(prefix): v for k, v in state.items()}
    try:
        missing, extra = module.load_state_dict(renamed, strict=False)
    except RuntimeError as error:
        raise LoadError(f"{where}: the weights do not fit the module: {' '.join(str(error).split())[:300]}") from error
    if missing or extra:
        parts = [
            f"{word} {', '.join(names[:4])}" for word, names in (("missing", missing), ("unknown", extra)) if names
        ]
        raise LoadError(
            f"{where}: the weights do not fit the module: {'; '.join(parts)}.",
            hint="Let the factory build the module with the settings it was trained with.",
        )


def _file(path: Path) -> dict[str, Any]:
    return {"sha256": digest(path), "size_bytes": path.stat().st_size}


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
