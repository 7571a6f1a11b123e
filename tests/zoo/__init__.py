"""Small models whose padding behaviour is known: leaky ones, and clean ones that look much the same."""

from __future__ import annotations

import os
from pathlib import Path

from . import (
    attention_cases,
    bert,
    convolution,
    dynamo,
    mixing,
    normalisation,
    operators_cases,
    pooling_cases,
    positions,
    recurrent,
    seq2seq,
    trained,
    unusual,
)
from .case import TWINS, Case, Input, Output

__all__ = ["CASES", "TWINS", "Case", "Input", "Output", "build", "named"]

FAMILIES = (
    attention_cases,
    pooling_cases,
    recurrent,
    convolution,
    normalisation,
    positions,
    mixing,
    seq2seq,
    unusual,
    operators_cases,
    dynamo,
    bert,
    trained,
)

CASES: tuple[Case, ...] = tuple(c for family in FAMILIES for c in family.CASES)

_BY_NAME = {c.name: c for c in CASES}


def named(name: str) -> Case:
    """The case of that name; ``KeyError`` if there is none."""
    return _BY_NAME[name]


def build(name: str, directory: Path) -> Path:
    """The ONNX file of a case, written into ``directory`` unless it is there already.

    Several processes may share the directory: a file appears whole or not at all.
    """
    path = directory / f"{name}.onnx"
    if not path.exists():
        directory.mkdir(parents=True, exist_ok=True)
        scratch = directory / f"{name}.{os.getpid()}.part"
        named(name).build(scratch)
        scratch.replace(path)
    return path
