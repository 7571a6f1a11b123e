"""Models as data: a builder, what its model is given, and what is true of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from evaluation.given import Given

Build = Callable[..., Any]
"""A function of ``mended`` that makes the whole model; its docstring says where the model comes from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    name: str
    field: str
    """The module it stands in."""
    mechanism: str
    build: Build
    inputs: Mapping[str, Given]
    harmless: bool = False
    """Looks like a leak, and is none in either state."""


D = TypeVar("D", bound=Described)
Describe = Callable[..., Callable[[Build], Build]]


def listing(models: dict[str, D], kind: type[D]) -> Describe:
    """A decorator that puts the builder below it into ``models``.

    It is told the mechanism, the inputs (whatever is a ``Given``) and the other fields of ``kind``.
    """

    def describe(mechanism: str, **told: Any) -> Callable[[Build], Build]:
        inputs = {key: value for key, value in told.items() if isinstance(value, Given)}
        fields = {key: value for key, value in told.items() if key not in inputs}

        def add(build: Build) -> Build:
            name, field = build.__name__, build.__module__.rsplit(".", 1)[-1]
            models[name] = kind(name=name, field=field, mechanism=mechanism, build=build, inputs=inputs, **fields)
            return build

        return add

    return describe
