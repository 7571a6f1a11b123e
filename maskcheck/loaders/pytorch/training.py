"""One training step of a module: the user's loss, or the one a module computes itself from ``labels``."""

from __future__ import annotations

import inspect
import itertools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import Array
from maskcheck.core.training import Step, Targets
from maskcheck.loaders.pytorch.arrays import to_numpy
from maskcheck.loaders.pytorch.outputs import flatten

IGNORED = -100
"""The label at pads that PyTorch's losses skip by default (``ignore_index``), and that collators fill in."""

_NO_LOSS = (
    "it has no loss: name a function of outputs and labels with --loss package.module:function "
    "or path/to/file.py:function"
)
_LABELS = "labels"
_seeds = itertools.count()
"""Every step draws differently, so that noise that could not be switched off shows when a step is repeated."""


def targets(target: Any, call: Any, tensors: Mapping[str, Any], loss: Any, seed: int) -> Targets:
    """Labels that the loss takes: class ids for each step or each row, then numbers as the outputs are.

    Raises:
        RunError: there is no loss, or it takes none of them.
    """
    import torch

    if loss is None and not _computes_loss(target):
        raise RunError(_NO_LOSS)
    with torch.no_grad():
        first = next(iter(flatten(call(tensors)).values()))
    failure: Exception | None = None
    for found in _candidates(first, loss, np.random.default_rng(seed)):
        try:
            with torch.no_grad():
                value = _loss(target, call, tensors, found.values, loss)[0]
            if value.numel() == 1:
                return found
        except Exception as error:
            failure = failure or error
    why = " ".join(str(failure).split())[:200] if failure else "it returns more than one number"
    raise RunError(f"no labels were found that the loss takes: {why}")


def step(
    target: Any, call: Any, tensors: Mapping[str, Any], labels: Mapping[str, Array], loss: Any, *, training: bool
) -> Step:
    """Loss, gradients and outputs of one batch; parameters, buffers, gradients, modes and random state stay."""
    import torch

    parameters = dict(target.named_parameters()) if hasattr(target, "named_parameters") else {}
    learning = {name: p for name, p in parameters.items() if p.requires_grad}
    with _training_mode(target, training), torch.random.fork_rng(devices=[]), torch.enable_grad():
        torch.manual_seed(next(_seeds))
        value, outputs = _loss(target, call, tensors, labels, loss)
        grads = torch.autograd.grad(value, list(learning.values()), allow_unused=True) if value.requires_grad else ()
        known = {n: np.array(to_numpy(t.detach()), copy=True) for n, t in flatten(outputs).items()}
    gradients = {
        name: np.array(to_numpy(g.to_dense() if g.is_sparse else g), copy=True)
        for name, g in zip(learning, grads, strict=False)
        if g is not None
    }
    return Step(float(value.detach()), {}, gradients, known)


def _computes_loss(target: Any) -> bool:
    return _LABELS in inspect.signature(target.forward).parameters if hasattr(target, "forward") else False


def _loss(
    target: Any, call: Any, tensors: Mapping[str, Any], labels: Mapping[str, Array], loss: Any
) -> tuple[Any, Any]:
    """The loss and the outputs it was computed from."""
    import torch

    known = {name: torch.from_numpy(np.array(value, copy=True)) for name, value in labels.items()}
    truth = next(iter(known.values()))
    if loss is None:
        outputs = call(tensors, **{_LABELS: truth})
        found = outputs["loss"] if isinstance(outputs, Mapping) else getattr(outputs, "loss", None)
        if found is None:
            raise RunError(_NO_LOSS)
        return found, {k: v for k, v in flatten(outputs).items() if k != "loss"}
    outputs = call(tensors)
    return loss(_classes_second(outputs, truth, loss), *_arguments(loss, truth, tensors)), outputs


def _arguments(loss: Any, truth: Any, tensors: Mapping[str, Any]) -> list[Any]:
    """What the loss takes behind the outputs: inputs by their names, the labels under any other."""
    names = list(inspect.signature(getattr(loss, "forward", loss)).parameters.values())[1:]
    wanted = [p for p in names if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [tensors.get(p.name, truth) for p in wanted]


def _classes_second(outputs: Any, truth: Any, loss: Any) -> Any:
    """PyTorch's own losses want (batch, classes, time); everybody else's (batch, time, classes) stays as it is."""
    import torch

    own = isinstance(loss, (torch.nn.CrossEntropyLoss, torch.nn.NLLLoss)) or loss in (
        torch.nn.functional.cross_entropy,
        torch.nn.functional.nll_loss,
    )
    tensor = isinstance(outputs, torch.Tensor)
    return outputs.movedim(-1, 1) if own and tensor and outputs.ndim > 2 and truth.ndim == outputs.ndim - 1 else outputs


def _candidates(first: Any, loss: Any, rng: Any) -> Iterator[Targets]:
    shape = tuple(first.shape)
    ignored = int(getattr(loss, "ignore_index", IGNORED))
    classes = max(int(shape[-1]) if len(shape) > 1 else 2, 2)
    for size in dict.fromkeys((shape[:-1], shape[:1], shape)):
        values = rng.integers(0, min(classes, 2) if size == shape else classes, size).astype(np.int64)
        yield Targets({_LABELS: values}, ignored, len(size) > 1)
    for size in dict.fromkeys((shape, shape[:-1])):
        numbers = rng.integers(0, 2, size).astype(str(first.dtype).removeprefix("torch."))
        yield Targets({_LABELS: numbers}, 0, len(size) > 1)


@contextmanager
def _training_mode(target: Any, training: bool) -> Iterator[None]:
    """Training mode without dropout; afterwards modes, rates and buffers are as before."""
    if not hasattr(target, "modules"):
        yield
        return
    modules = list(target.modules())
    modes = [m.training for m in modules]
    buffers = [(b, b.clone()) for b in target.buffers()]
    rates = [(m, n, getattr(m, n)) for m in modules for n in ("p", "dropout") if _is_rate(m, n)]
    try:
        for module in modules:
            module.training = training
        for module, name, _ in rates:
            setattr(module, name, 0.0)
        yield
    finally:
        for module, mode in zip(modules, modes, strict=True):
            module.training = mode
        for module, name, value in rates:
            setattr(module, name, value)
        for buffer, value in buffers:
            buffer.data.copy_(value)


def _is_rate(module: Any, name: str) -> bool:
    value = module.__dict__.get(name)
    return isinstance(value, float) and 0.0 < value <= 1.0 and ("Dropout" in type(module).__name__ or name == "dropout")
