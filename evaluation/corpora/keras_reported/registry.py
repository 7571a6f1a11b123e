"""What a reported Keras model is given, and the list of all reports.

A report is a function of ``mended`` that builds the whole model; its docstring holds the address of the report.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

BATCH = "batch"
TOTAL = 12
"""The steps of a model of fixed length, pads included."""


@dataclass(frozen=True, slots=True)
class Given:
    """One input: ``shape`` names the axes that vary and numbers the others; ``pad`` stands at the pads."""

    kind: str
    shape: tuple[str | int, ...]
    vocab: int = 40
    pad: float = 0
    dtype: str = "int32"
    domain: str = ""
    """Whose length, where the input is one."""


@dataclass(frozen=True, slots=True)
class Report:
    """``origin`` names the layers or operations at which pads enter, ``cause`` the one at which the mask was lost."""

    name: str
    field: str
    mechanism: str
    build: Callable[[bool], Any]
    inputs: dict[str, Given]
    origin: str = ""
    cause: str = ""
    harmless: bool = False
    """Reported and yet no leak."""
    left: bool = False
    """Padded in front."""
    fixed: bool = False
    """The first named axis has ``TOTAL`` steps, of which each row fills some."""
    saved: bool = True
    """Whether a ``.keras`` file of it loads without code of its own."""


REPORTS: dict[str, Report] = {}


def report(
    mechanism: str,
    *,
    origin: str = "",
    cause: str = "",
    harmless: bool = False,
    left: bool = False,
    fixed: bool = False,
    saved: bool = True,
    **inputs: Given,
) -> Callable[[Callable[[bool], Any]], Callable[[bool], Any]]:
    def add(build: Callable[[bool], Any]) -> Callable[[bool], Any]:
        name, field = build.__name__, build.__module__.rsplit(".", 1)[-1]
        REPORTS[name] = Report(name, field, mechanism, build, inputs, origin, cause, harmless, left, fixed, saved)
        return build

    return add


def ids(*shape: str | int, vocab: int = 40, pad: int = 0) -> Given:
    return Given("ids", shape, vocab=vocab, pad=pad)


def feats(*shape: str | int, pad: float = 0.0) -> Given:
    return Given("feats", shape, pad=pad, dtype="float32")


def mask(*shape: str | int, dtype: str = "bool") -> Given:
    """1 where real."""
    return Given("mask", shape, dtype=dtype)


def lengths(domain: str = "time") -> Given:
    return Given("lengths", (BATCH,), domain=domain)
