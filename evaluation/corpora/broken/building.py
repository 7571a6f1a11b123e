"""A sound model, broken: the module under a condition that may hide what is wrong, its inputs, its marked lines."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.corpora.broken import sound
from evaluation.corpora.broken.faults import own

PLAIN, FIXED, NAMELESS = "plain", "fixed shapes", "meaningless names"
HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
FILES = ("onnx", FIXED)
"""Conditions under which the model is written to an ONNX file, with free sizes or with those of the example."""
DEPTHS = {"deep": 24, "48 layers": 48}


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    model: str
    faults: tuple[str, ...] = ()
    condition: str = PLAIN

    def alone(self, fault: str) -> Broken:
        """With this fault only."""
        return replace(self, faults=(fault,))


class Renamed(nn.Module):
    """The same model, whose inputs say nothing about themselves."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.inner(x, y)


def build(broken: Broken) -> nn.Module:
    """The model of a case, its weights drawn with one seed, so that a broken one has those of the sound one."""
    torch.manual_seed(7)
    module: nn.Module = sound.MODELS[broken.model](broken.faults, **_sizes(broken))
    factor = {"tiny": 1e-3, "huge": 1e3}.get(broken.condition, 1.0)
    with torch.no_grad():
        module.head.weight.mul_(factor)  # type: ignore[union-attr, operator]
        module.head.bias.mul_(factor)  # type: ignore[union-attr, operator]
    if broken.condition == NAMELESS and len(inspect.signature(module.forward).parameters) == 2:
        module = Renamed(module)
    return module.to(HALF.get(broken.condition, torch.float32)).eval()


def _sizes(broken: Broken) -> dict[str, int]:
    """Sizes under which totals, heads and lengths are the same number."""
    if broken.condition == "width=total":
        headed = "heads" in inspect.signature(sound.MODELS[broken.model]).parameters
        return {"width": 12, "heads": 3} if headed else {"width": 12}
    if broken.condition == "heads=length":
        return {"width": 36, "heads": 9}
    return {"depth": DEPTHS[broken.condition]} if broken.condition in DEPTHS else {}


def inputs(broken: Broken, length: int = 9, rows: int | None = None) -> dict[str, Tensor]:
    """Example inputs without any padding."""
    generator = torch.Generator().manual_seed(1)
    rows = rows or (1 if broken.condition == "one row" else 3)
    names = list(inspect.signature(sound.MODELS[broken.model].forward).parameters)[1:]
    found = {name: _input(name, rows, length, generator) for name in names}
    dtype = HALF.get(broken.condition, torch.float32)
    found = {k: v.to(dtype) if v.is_floating_point() else v for k, v in found.items()}
    if broken.condition == NAMELESS and len(found) == 2:
        return dict(zip(("x", "y"), found.values(), strict=True))
    return found


def _input(name: str, rows: int, length: int, generator: torch.Generator) -> Tensor:
    if name.startswith("decoder_"):
        length = length - 3
    if name.endswith("mask"):
        return torch.ones(rows, length, dtype=torch.long)
    if name == "lengths":
        return torch.full((rows,), length)
    if name in ("features", "series"):
        return torch.randn(rows, length, 10 if name == "features" else 3, generator=generator)
    return torch.randint(1, 80, (rows, length), generator=generator)


def line_of(broken: Broken, fault: str) -> int:
    """The line of ``sound.py`` where a fault is."""
    tag = f"# {own(fault)}"
    for place in _places(sound.MODELS[broken.model]):
        source, first = inspect.getsourcelines(place)
        for offset, text in enumerate(source):
            if text.rstrip().endswith(tag):
                return first + offset
    raise LookupError(f"{broken}: no line is marked {tag}")


def _places(model: type[nn.Module]) -> list[type]:
    """Where a model can be broken: in itself, what it is made from, and the parts that all share."""
    places = [model, *model.__mro__[1:2], sound.Attention, sound.Norm, sound.Pool, sound.Words]
    return [place for place in places if place.__module__ == sound.__name__]
