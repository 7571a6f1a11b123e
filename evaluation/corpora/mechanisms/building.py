"""Mechanism x architecture x leaky or mended x form, and what the audit has to say of each."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluation.corpora.mechanisms import attention, modules
from evaluation.corpora.mechanisms.hosts import FEATURES, HOSTS
from evaluation.corpora.mechanisms.positions import WORDS
from evaluation.corpora.mechanisms.registry import REGISTRY, Mechanism
from evaluation.corpora.mechanisms.truth import LENGTH, Padded

assert modules  # importing them fills the registry

HALF = ("half", "half onnx", "converted")
"""The live module in half precision, its export, and the export in single precision that a converter made half."""
FORMS = ("module", "onnx", "left", *HALF)
"""A live module and its ONNX export with padding behind; the live module with padding in front; half precision."""


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
    def graph(self) -> bool:
        """Whether a file is audited."""
        return self.form in ("onnx", "half onnx", "converted")

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
    if form in HALF:
        return form in found.half
    if form == "left":
        return found.left and host.__name__ != "Frames"
    return form == "module" or found.exports


def build(case: Case) -> nn.Module:
    torch.manual_seed(11)
    module = case.host(case.mechanism.layer(case.leaky)).eval()
    return module.half() if case.form in ("half", "half onnx") else module


def inputs(case: Case, rows: int = 3) -> dict[str, Tensor]:
    """Example inputs without any padding."""
    rows = case.mechanism.rows or rows
    generator = torch.Generator().manual_seed(5)
    sizes = getattr(case.host, "sizes", {})
    made = {
        name: _input(name, (rows, *sizes.get(name, (LENGTH, FEATURES) if name == "features" else (LENGTH,))), generator)
        for name in inspect.signature(case.host.forward).parameters
        if name != "self"
    }
    half = case.form in ("half", "half onnx")
    return {name: x.half() if half and x.is_floating_point() else x for name, x in made.items()}


def _input(name: str, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    if name == "lengths":
        return torch.full(shape[:1], LENGTH)
    if name.endswith("mask"):
        return torch.ones(shape, dtype=torch.long)
    if name.endswith("ids"):
        return torch.randint(1, WORDS, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def padded(case: Case) -> Padded:
    """How the inputs of the host are padded: along their first axis, unless it says otherwise."""
    along = {name: min(1, x.ndim - 1) for name, x in inputs(case, 1).items()}
    domains = getattr(case.host, "domains", (along,))
    return Padded(domains, case.mechanism.layer.pad, getattr(case.host, "by_value", False))


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
