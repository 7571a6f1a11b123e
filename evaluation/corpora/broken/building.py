"""Which model is broken how, under which condition, and which rules would explain it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.corpora.broken import sound

RULES: Mapping[str, tuple[str, ...]] = {
    "no_mask": ("MC201", "MC205", "MC214", "MC940"),
    "on_queries": ("MC204",),
    "weak_fill": ("MC206",),
    "multiplied": ("MC206", "MC207"),
    "after_softmax": ("MC209",),
    "inverted": ("MC202",),
    "norm_over_time": ("MC501", "MC502", "MC504", "MC505", "MC110"),
    "plain_mean": ("MC101",),
    "padded_length": ("MC102",),
    "plain_max": ("MC103",),
    "zero_filled_max": ("MC104",),
    "last_column": ("MC105",),
    "last_position": ("MC105",),
    "plain_sum": ("MC114",),
    "scaled_positions": ("MC603",),
    "unmasked_convolution": ("MC401", "MC403"),
    "not_packed": ("MC301",),
    "final_state": ("MC302",),
    "backwards": ("MC923", "MC307"),
    "unmasked_gate": ("MC111",),
    "routed_over_time": ("MC109", "MC203"),
    "scaled_over_pads": ("MC501", "MC502", "MC504", "MC505", "MC110"),
}
"""Rules that name the mechanism of a fault."""

ATTENTION = ("no_mask", "on_queries", "weak_fill", "multiplied", "after_softmax", "inverted")
POOLING = ("plain_mean", "padded_length", "plain_max", "zero_filled_max", "last_column", "plain_sum")

FAULTS: Mapping[str, tuple[str, ...]] = {
    "encoder": (*ATTENTION, *POOLING, "norm_over_time", "scaled_positions"),
    "tagger": (*ATTENTION, "norm_over_time", "scaled_positions"),
    "decoder": ("last_position", "no_mask", "norm_over_time", "scaled_positions"),
    "encoder-decoder": (
        "no_mask",
        "weak_fill",
        "cross_no_mask",
        "cross_weak_fill",
        "cross_multiplied",
        "norm_over_time",
    ),
    "conformer": ("unmasked_convolution", "no_mask", "after_softmax", "plain_mean", "last_column", "norm_over_time"),
    "text-cnn": ("unmasked_convolution", "plain_max"),
    "recurrent-tagger": ("not_packed",),
    "recurrent-classifier": ("final_state",),
    "state-space": ("backwards", *POOLING),
    "experts": ("unmasked_gate", "routed_over_time", *POOLING),
    "series": ("scaled_over_pads", "no_mask", "multiplied", "plain_mean", "padded_length", "plain_max"),
}

CONDITIONS = (
    *("width=total", "heads=length", "tiny", "huge", "bfloat16", "float16", "one row", "meaningless names"),
    *("deep", "48 layers", "onnx", "fixed shapes"),
)
HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}
FIXED = "fixed shapes"
FILES = ("onnx", FIXED)
"""Conditions under which the model is written to an ONNX file, with free sizes or with those of the example."""
DEPTHS = {"deep": 24, "48 layers": 48}


@dataclass(frozen=True, slots=True)
class Case:
    model: str
    faults: tuple[str, ...]
    condition: str = "plain"

    @property
    def name(self) -> str:
        return f"{self.model}/{'+'.join(self.faults) or 'sound'}/{self.condition}"

    @property
    def framework(self) -> str:
        return "onnx" if self.condition in FILES else "torch"


def cases() -> Iterator[Case]:
    """Every model sound and with each fault; pairs of faults; a sound one and two faults under every condition."""
    for model, faults in FAULTS.items():
        yield Case(model, ())
        yield from (Case(model, (fault,)) for fault in faults)
    for model, faults in FAULTS.items():
        kept = [f for f in faults if f not in ("inverted",)]
        pairs = [pair for pair in combinations(kept, 2) if _may_meet(*pair)]
        yield from (Case(model, pair) for pair in pairs[:: max(1, len(pairs) // 6)][:7])
    for condition in CONDITIONS:
        for model, faults in FAULTS.items():
            if not _fits(model, condition):
                continue
            chosen = faults if condition in ("onnx", *HALF) else (faults[0], faults[-1])
            yield Case(model, (), condition)
            yield from (Case(model, (fault,), condition) for fault in dict.fromkeys(chosen))


def _may_meet(first: str, second: str) -> bool:
    """One attention, one pooling: of two faults in one place only the first would be taken."""
    groups = (ATTENTION, POOLING, tuple(f"cross_{name}" for name in ATTENTION))
    return not any(first in group and second in group for group in groups)


def _fits(model: str, condition: str) -> bool:
    attentive = model in ("encoder", "tagger", "decoder", "encoder-decoder", "conformer", "series")
    if condition in ("heads=length",):
        return attentive
    if condition in DEPTHS:
        return model in ("encoder", "tagger", "decoder")
    if condition in FILES:
        return model not in ("recurrent-tagger",)  # packed sequences have no place in a graph
    return True


class Renamed(nn.Module):
    """The same model, whose inputs say nothing about themselves."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.inner(x, y)


def build(case: Case) -> nn.Module:
    """The model of a case, its weights drawn with one seed, so that a broken one has those of the sound one."""
    torch.manual_seed(7)
    size: dict[str, int] = {}
    if case.condition == "width=total":
        size = {"width": 12}
        if "heads" in inspect.signature(sound.MODELS[case.model]).parameters:
            size["heads"] = 3
    elif case.condition == "heads=length":
        size = {"width": 36, "heads": 9}
    elif case.condition in DEPTHS:
        size = {"depth": DEPTHS[case.condition]}
    module: nn.Module = sound.MODELS[case.model](case.faults, **size)
    factor = {"tiny": 1e-3, "huge": 1e3}.get(case.condition, 1.0)
    with torch.no_grad():
        module.head.weight.mul_(factor)  # type: ignore[union-attr, operator]
        module.head.bias.mul_(factor)  # type: ignore[union-attr, operator]
    if case.condition == "meaningless names" and len(inspect.signature(module.forward).parameters) == 2:
        module = Renamed(module)
    if case.condition in HALF:
        module = module.to(HALF[case.condition])
    return module.eval()


def inputs(case: Case, length: int = 9, rows: int | None = None) -> dict[str, Tensor]:
    """Example inputs without any padding."""
    generator = torch.Generator().manual_seed(1)
    rows = rows or (1 if case.condition == "one row" else 3)
    names = list(inspect.signature(sound.MODELS[case.model].forward).parameters)[1:]
    found = {name: _input(name, rows, length, generator) for name in names}
    if case.condition in HALF:
        half = HALF[case.condition]
        found = {k: v.to(half) if v.is_floating_point() else v for k, v in found.items()}
    if case.condition == "meaningless names" and len(found) == 2:
        found = dict(zip(("x", "y"), found.values(), strict=True))
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


def line_of(case: Case, fault: str) -> int:
    """The line of ``sound.py`` where a fault is."""
    tag = f"# {fault.removeprefix('cross_')}"
    own = [sound.MODELS[case.model], *sound.MODELS[case.model].__mro__[1:2]]
    shared = [sound.Attention, sound.Norm, sound.Pool, sound.Words]
    for place in [*own, *shared]:
        if place.__module__ != sound.__name__:
            continue
        source, first = inspect.getsourcelines(place)
        for offset, text in enumerate(source):
            if text.rstrip().endswith(tag):
                return first + offset
    raise LookupError(f"{case.name}: no line is marked {tag}")
