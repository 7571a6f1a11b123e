"""A model that is already in memory -> the interface every loader returns."""

from __future__ import annotations

from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.model import Model


def wrap(model: Any, inputs: Any = None, name: str | None = None) -> Model:
    """Wrap a ``torch.nn.Module``, a ``keras.Model`` or a function of tensors; a ``Model`` is returned as it is.

    ``inputs`` are example inputs of a module or function whose signature does not say what it takes, and ``name`` is
    what the report calls it.

    Raises:
        LoadError: it is neither, its framework is missing, or it does not run with these inputs.
    """
    if isinstance(model, Model):
        return model
    # Told apart by name, so that a model of one framework imports none of the others.
    bases = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if "keras.Model" in bases:
        from maskcheck.loaders.keras.model import KerasModel

        return KerasModel(model, name or str(model.name), "keras-model")
    if "torch.Module" in bases or (callable(model) and not isinstance(model, type)):
        from maskcheck.loaders.pytorch.model import TorchModel
        from maskcheck.loaders.pytorch.safety import require_torch

        require_torch()
        return TorchModel(model, inputs, path=name)
    raise LoadError(
        f"{type(model).__qualname__}: this is no model that is known.",
        hint="Give a torch.nn.Module, a keras.Model, a function of tensors or the path of a file.",
    )
