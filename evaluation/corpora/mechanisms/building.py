"""A mechanism in an architecture: the module, what it is given, how that is padded, and its marked lines."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn

from evaluation.case import Case
from evaluation.corpora.mechanisms import attention
from evaluation.corpora.mechanisms.hosts import FEATURES, HOSTS
from evaluation.corpora.mechanisms.positions import WORDS
from evaluation.corpora.mechanisms.registry import Mechanism
from evaluation.corpora.mechanisms.truth import LENGTH, Padded

WHOLLY_HALF = ("half", "half onnx")
"""Forms that are made in half precision, in which inputs are in half precision as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A mechanism in one of its architectures."""

    mechanism: Mechanism
    host: type[nn.Module]

    @property
    def hosts(self) -> tuple[type[nn.Module], ...]:
        return HOSTS[self.mechanism.kind]


def build(case: Case[Placed]) -> nn.Module:
    torch.manual_seed(11)
    module = case.subject.host(case.subject.mechanism.layer(not case.mended)).eval()
    return module.half() if case.condition in WHOLLY_HALF else module


def inputs(case: Case[Placed], rows: int = 3) -> dict[str, Tensor]:
    """Example inputs without any padding."""
    rows, host = case.subject.mechanism.rows or rows, case.subject.host
    generator = torch.Generator().manual_seed(5)
    sizes = getattr(host, "sizes", {})
    made = {
        name: _input(name, (rows, *sizes.get(name, (LENGTH, FEATURES) if name == "features" else (LENGTH,))), generator)
        for name in inspect.signature(host.forward).parameters
        if name != "self"
    }
    half = case.condition in WHOLLY_HALF
    return {name: x.half() if half and x.is_floating_point() else x for name, x in made.items()}


def _input(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name == "lengths":
        return torch.full(shape[:1], LENGTH)
    if name.endswith("mask"):
        return torch.ones(shape, dtype=torch.long)
    if name.endswith("ids"):
        return torch.randint(1, WORDS, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def padded(case: Case[Placed]) -> Padded:
    """How the inputs of the host are padded: along their first axis, unless it says otherwise."""
    along = {name: min(1, x.ndim - 1) for name, x in inputs(case, 1).items()}
    layer, host = case.subject.mechanism.layer, case.subject.host
    return Padded(domains=getattr(host, "domains", (along,)), pad=layer.pad, by_value=getattr(host, "by_value", False))


def lines(case: Case[Placed], mark: str = "leak") -> frozenset[int]:
    """The lines marked in the layer or in what it wraps: what leaks, or with ``mark`` "cause" what brings it on."""
    source, first = _source(_marked(case))
    return frozenset(first + i for i, text in enumerate(source) if text.rstrip().endswith(f"# {mark}"))


def file(case: Case[Placed]) -> str:
    return str(inspect.getsourcefile(_marked(case)))


@cache
def _source(layer: type) -> tuple[list[str], int]:
    """Kept: a file is parsed whenever the lines of a class are looked up."""
    return inspect.getsourcelines(layer)


def _marked(case: Case[Placed]) -> type:
    layer = case.subject.mechanism.layer
    return attention.Inner if layer is attention.Swallowed else layer
