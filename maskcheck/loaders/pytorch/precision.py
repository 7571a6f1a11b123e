"""Running a module in a wider precision without a second copy of all its weights: each layer's while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from maskcheck.loaders.pytorch.weights import size_in_bytes

_PART = 1 / 32
"""Modules of no more than this share of all weights are converted with everything in them."""


@contextmanager
def widen(module: Any, dtype: Any) -> Iterator[None]:
    """Let ``module`` compute in ``dtype``: layers convert their weights when called and take them back when done.

    Weights that are read without their layer being called (tied ones, through ``functional``) stay as they are, and
    the model then fails on the mixture.
    """
    import torch

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # it reads the weights of layers that it does not call
    try:
        with ExitStack() as undo:
            for part, whole in _parts(module, size_in_bytes(module) * _PART):
                held: list[tuple[Any, Any]] = []
                undo.callback(_restore, held)
                before = part.register_forward_pre_hook(_before(part, whole, dtype, held))
                after = part.register_forward_hook(_after(held), always_call=True)
                undo.callback(before.remove)
                undo.callback(after.remove)
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


def _parts(module: Any, limit: float) -> Iterator[tuple[Any, bool]]:
    """Modules to convert, and whether with all they contain."""
    from torch import nn

    whole = (
        isinstance(module, nn.MultiheadAttention) or size_in_bytes(module) <= limit
    )  # the former never calls its own parts
    yield module, whole
    if not whole:
        for child in module.children():
            yield from _parts(child, limit)


def _before(part: Any, whole: bool, dtype: Any, held: list[tuple[Any, Any]]) -> Any:
    def convert(*_: Any) -> None:
        for tensor in (*part.parameters(recurse=whole), *part.buffers(recurse=whole)):
            if tensor.is_floating_point() and tensor.dtype != dtype:
                held.append((tensor, tensor.data))
                tensor.data = tensor.data.to(dtype)

    return convert


def _after(held: list[tuple[Any, Any]]) -> Any:
    return lambda *_: _restore(held)


def _restore(held: list[tuple[Any, Any]]) -> None:
    while held:
        tensor, narrow = held.pop()
        tensor.data = narrow
