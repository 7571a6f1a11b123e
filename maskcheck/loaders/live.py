"""A model that is already in memory -> the interface every loader returns."""

from __future__ import annotations

from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.core.model import Model


def wrap(model: Any, inputs: Any = None) -> Model:
    """Wrap a ``torch.nn.Module`` or a ``keras.Model``; what implements ``Model`` already is returned as it is.

    ``inputs`` are example inputs of a module whose signature does not say what it takes.

    Raises:
        LoadError: it is neither.
    """
    if isinstance(model, Model):
        return model
    # Told apart by name, so that a model of one framework imports none of the others.
    bases = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(model).__mro__}
    if "torch.Module" in bases:
        from maskcheck.loaders.pytorch.model import TorchModel

        return TorchModel(model, inputs)
    if "keras.Model" in bases:
        from maskcheck.loaders.keras.model import KerasModel

        return KerasModel(model)
    raise LoadError(
        f"{type(model).__qualname__}: this is no model that is known.",
        hint="Give a torch.nn.Module, a keras.Model or the path of a file.",
    )
