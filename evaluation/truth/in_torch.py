"""Rows drawn by torch, and answers of modules in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from evaluation.given import Given
from evaluation.truth.loader import Array


@dataclass(frozen=True, slots=True)
class Drawn:
    """Noise at the pads of features."""

    def content(self, given: Given, shape: Sequence[int], seed: int) -> Array:
        seeded, dtype = torch.Generator().manual_seed(seed), getattr(torch, given.dtype)
        if given.kind == "ids":
            drawn = torch.randint(1, given.vocab, tuple(shape), generator=seeded)
            return torch.where(drawn == given.pad, given.pad - 1 if given.pad > 1 else 2, drawn).numpy()
        if given.kind == "feats":
            return torch.randn(*shape, generator=seeded).to(dtype).numpy()
        if given.kind == "steps":
            return torch.arange(shape[-1]).expand(*shape).numpy()
        return np.full(tuple(shape), given.real, given.dtype)

    def pads(self, given: Given, shape: Sequence[int], row: int, number: int, noise: float) -> Array:
        if given.kind != "feats":
            return np.full(shape, given.pad, given.dtype)
        seeded = torch.Generator().manual_seed(7000 + 31 * row + number + sum(shape))
        drawn = torch.randn(shape, generator=seeded, dtype=torch.float64)
        return (drawn.to(getattr(torch, given.dtype)) * noise).numpy()


def tensors(inputs: Mapping[str, Array]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in inputs.items()}


def doubled(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()}


def asked(module: Callable[..., Any]) -> Callable[[Mapping[str, Array]], list[Array]]:
    """A module as a function of arrays."""
    return lambda inputs: [x.double().numpy() for x in answers(module(**doubled(tensors(inputs))))]


def answers(found: Any) -> list[Tensor]:
    """The tensors in whatever a model returns."""
    if isinstance(found, Tensor):
        return [found]
    if isinstance(found, Mapping):
        found = found.values()
    if isinstance(found, list | tuple) or not hasattr(found, "__dict__"):
        return [x for item in found if item is not None for x in answers(item)]
    return answers(vars(found))


@contextmanager
def in_float64() -> Iterator[None]:
    """What a model makes itself is in float64, too; no gradients."""
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_default_dtype(kept)
