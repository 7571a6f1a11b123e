"""Recurrent layers that are given another width than they have weights for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def check_widths() -> Iterator[None]:
    """Let recurrent layers raise for input of another width, until the block ends.

    torch 2.13 does not look on all of its ways: packed rows of one length go to a kernel that reads beyond them.
    """
    from torch import nn
    from torch.nn.modules.module import register_module_forward_pre_hook

    def look(module: Any, given: tuple[Any, ...]) -> None:
        if isinstance(module, nn.RNNBase) and given:
            values = getattr(given[0], "data", given[0])
            if values.shape[-1] != module.input_size:
                raise ValueError(f"a recurrent layer of width {module.input_size} was given {values.shape[-1]}")

    handle = register_module_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()
