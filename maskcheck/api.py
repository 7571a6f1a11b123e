"""Audits from Python, of models that are in memory rather than in a file."""

from __future__ import annotations

from typing import Any

from maskcheck.auditing import audit_loaded
from maskcheck.core.report import ModelReport
from maskcheck.core.settings import Settings


def audit_module(module: Any, inputs: Any = None, *, name: str | None = None, **settings: Any) -> ModelReport:
    """Audit a live ``torch.nn.Module``, or any function of tensors.

    It runs under ``eval()`` and ``no_grad`` on copies of the inputs; the modes of its modules are put back afterwards.

    Args:
        module: what to audit.
        inputs: example inputs: a dict of keyword arguments, a tuple of arguments, or one tensor. Batches of at least
            two rows tell most. Without them inputs are guessed from the signature.
        name: what the report calls the model; its class by default.
        settings: fields of ``maskcheck.core.settings.Settings``, such as ``require=("length", "mates", "side")``.

    Raises:
        LoadError: torch is missing, or the module does not run with these inputs.
        UsageError: a setting does not fit the model.
    """
    from maskcheck.loaders.pytorch.model import TorchModel
    from maskcheck.loaders.pytorch.safety import require_torch

    require_torch()
    return audit_loaded(TorchModel(module, inputs, path=name), Settings(**settings))
