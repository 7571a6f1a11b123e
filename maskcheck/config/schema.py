"""Which keys a configuration may hold, and what the value of each must be."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from maskcheck.contract_file.schema import Check, WrongValueError, closest
from maskcheck.core.contract import Side
from maskcheck.core.report import TwinKind


def one_of(names: Iterable[str]) -> Check:
    known = tuple(str(name) for name in names)

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in known:
            close = closest(value, known) if isinstance(value, str) else None
            raise WrongValueError(f"one of {', '.join(known)}", f"Did you mean {close!r}?" if close else "")
        return value

    return check


def whole(minimum: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
            raise WrongValueError(f"a whole number of at least {minimum}")
        return value

    return check


def number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise WrongValueError("a number")
    return value


def limit(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not (0 <= value < math.inf):
        raise WrongValueError("a number of at least 0")
    return float(value)


def text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise WrongValueError("text that is not empty")
    return value


def switch(value: Any) -> bool:
    if not isinstance(value, bool):
        raise WrongValueError("true or false")
    return value


def several(check: Check, what: str) -> Callable[[Any], tuple[Any, ...]]:
    def each(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise WrongValueError(f"a list of {what}")
        return tuple(check(item) for item in value)

    return each


OPTIONS: Mapping[str, Check] = {
    "require": several(one_of(TwinKind), "twins"),
    "contract": text,
    "input": several(text, "inputs as for --input"),
    "inputs": text,
    "side": one_of(Side),
    "pad_value": number,
    "samples": whole(1),
    "seed": whole(0),
    "optimization": one_of(("all", "extended", "basic", "disable")),
    "provider": text,
    "explain": switch,
    "training": switch,
}
"""Keys that hold everywhere or for the models of one table. There is none to trust a file: that takes a person."""

THRESHOLDS: Mapping[str, Check] = {"max_difference": limit, "max_influence": limit}
"""Leaks no larger than this are accepted."""

IGNORE: Mapping[str, Check] = {"rule": text, "site": text, "reason": text}

TOP: Mapping[str, Check] = {"fail_on": one_of(("error", "warning", "never")), "baseline": text}
"""Keys that hold for a whole run."""

TABLES = ("models", "ignore")
"""Keys that hold arrays of tables."""
