"""What a reported model is given, and the list of all reports.

A report is a function of ``mended`` that builds the whole model; its docstring holds the address of the report. Lines
that leak are marked with ``# leak``, lines at which the mistake was made earlier with ``# cause``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

BATCH = "batch"


@dataclass(frozen=True, slots=True)
class Given:
    """One input: ``shape`` names the axes that vary and numbers the others; ``pad`` stands at the pads."""

    kind: str
    shape: tuple[str | int, ...]
    vocab: int = 40
    pad: float = 0
    dtype: str = "int64"
    domain: str = ""
    """Whose length, where the input is one."""


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    field: str
    mechanism: str
    build: Callable[[bool], nn.Module]
    inputs: dict[str, Given]
    left: bool = False
    """Padded in front."""
    onnx: bool = True
    """Whether the model exports, with free sizes."""
    harmless: bool = False
    """Reported and yet no leak."""
    shown: bool = False
    """Nothing hides what stands at the pads of features: they are zeros, and zeros mark them."""
    rows: tuple[int, ...] = (0,)
    """The axis of each output that holds the rows; the last one holds for all further outputs."""
    shortest: int = 3
    example_rows: int = 4


REPORTS: dict[str, Report] = {}


def report(
    mechanism: str,
    *,
    left: bool = False,
    onnx: bool = True,
    harmless: bool = False,
    shown: bool = False,
    rows: tuple[int, ...] = (0,),
    shortest: int = 3,
    example_rows: int = 4,
    **inputs: Given,
) -> Callable[[Callable[[bool], nn.Module]], Callable[[bool], nn.Module]]:
    def add(build: Callable[[bool], nn.Module]) -> Callable[[bool], nn.Module]:
        name, field = build.__name__, build.__module__.rsplit(".", 1)[-1]
        REPORTS[name] = Report(
            name, field, mechanism, build, inputs, left, onnx, harmless, shown, rows, shortest, example_rows
        )
        return build

    return add


def ids(*shape: str | int, vocab: int = 40, pad: int = 0) -> Given:
    return Given("ids", shape, vocab=vocab, pad=pad)


def feats(*shape: str | int) -> Given:
    return Given("feats", shape, dtype="float32")


def mask(*shape: str | int, dtype: str = "int64") -> Given:
    """1 where real."""
    return Given("mask", shape, dtype=dtype)


def padmask(*shape: str | int, dtype: str = "bool") -> Given:
    """1 where padded."""
    return Given("mask", shape, pad=1, dtype=dtype)


def lengths(domain: str = "time") -> Given:
    return Given("lengths", (BATCH,), domain=domain)


def fraction(domain: str = "time") -> Given:
    """Lengths as a share of the longest, as speech toolkits count them."""
    return Given("fraction", (BATCH,), dtype="float32", domain=domain)


def steps(*shape: str | int) -> Given:
    """0, 1, 2, ... at the real positions."""
    return Given("steps", shape)
