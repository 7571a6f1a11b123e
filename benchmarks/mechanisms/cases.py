"""Mechanism x architecture x leaky or mended x form, and what the audit has to say of each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.mechanisms import attention, convolution, mixing, normalisation, pooling, positions, recurrent
from benchmarks.mechanisms.hosts import FEATURES, HOSTS
from benchmarks.mechanisms.positions import WORDS
from benchmarks.mechanisms.registry import REGISTRY, Mechanism
from benchmarks.mechanisms.truth import LENGTH

MODULES = (attention, convolution, mixing, normalisation, pooling, positions, recurrent)
FORMS = ("module", "onnx", "left")
"""A live module and its ONNX export with padding behind; the live module with padding in front."""


@dataclass(frozen=True, slots=True)
class Case:
    mechanism: Mechanism
    host: type[nn.Module]
    leaky: bool
    form: str

    @property
    def condition(self) -> str:
        return self.form

    @property
    def hosts(self) -> tuple[type[nn.Module], ...]:
        return HOSTS[self.mechanism.kind]

    @property
    def name(self) -> str:
        state = "sound" if self.mechanism.sound else "leaky" if self.leaky else "mended"
        return f"{self.mechanism.name}/{self.host.__name__}/{state}/{self.form}"


def cases() -> Iterator[Case]:
    for found in REGISTRY:
        for host in HOSTS[found.kind]:
            for leaky in (False,) if found.sound else (True, False):
                yield from (Case(found, host, leaky, form) for form in FORMS if _has(found, host, form))


def _has(found: Mechanism, host: type[nn.Module], form: str) -> bool:
    """Lengths say nothing of padding in front; packed sequences have no place in a graph."""
    if form == "left":
        return found.left and host.__name__ != "Frames"
    return form == "module" or found.exports


def build(case: Case) -> nn.Module:
    torch.manual_seed(11)
    return case.host(case.mechanism.layer(case.leaky)).eval()


def inputs(case: Case, rows: int = 3, length: int = LENGTH) -> dict[str, Tensor]:
    """Example inputs without any padding."""
    generator = torch.Generator().manual_seed(5)
    return {
        name: _input(name, rows, length, generator)
        for name in inspect.signature(case.host.forward).parameters
        if name != "self"
    }


def _input(name: str, rows: int, length: int, generator: torch.Generator) -> Tensor:
    if name == "lengths":
        return torch.full((rows,), length)
    if name.endswith("mask"):
        return torch.ones(rows, length, dtype=torch.long)
    if name == "features":
        return torch.randn(rows, length, FEATURES, generator=generator)
    return torch.randint(1, WORDS, (rows, length), generator=generator)


def lines(case: Case, mark: str = "leak") -> set[tuple[str, int]]:
    """File and line marked in the layer or in what it wraps: what leaks, or with ``mark`` "cause" what brings it on."""
    places: list[type] = [case.mechanism.layer]
    if case.mechanism.layer is attention.Swallowed:
        places = [attention.Inner]
    found = set()
    for place in places:
        source, first = inspect.getsourcelines(place)
        file = str(inspect.getsourcefile(place))
        found |= {(file, first + i) for i, text in enumerate(source) if text.rstrip().endswith(f"# {mark}")}
    return found
