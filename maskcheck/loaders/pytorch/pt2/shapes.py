"""Shapes of JSON values: a shape takes a value and returns the part of it that is known, or refuses it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from maskcheck.loaders.pytorch.pt2.refusal import Damaged, Refused, inside, shortened

Shape = Callable[[Any], Any]

_LARGEST = 2**63


def record(needed: Mapping[str, Shape], further: Mapping[str, Shape] | None = None) -> Shape:
    """An object with these fields; ``further`` ones may be missing. Any other field has to be empty, and is dropped."""
    fields = {**needed, **(further or {})}

    def checked(value: Any) -> dict[str, Any]:
        given = _object(value)
        if missing := [name for name in needed if name not in given]:
            raise Damaged(f"{missing[0]!r} is missing")
        for name in given.keys() - fields.keys():
            if given[name]:
                raise Refused(f"the field {shortened(name)} is not known")
        return {name: _inner(fields[name], given[name], name) for name in fields if name in given}

    return checked


def union(kinds: Mapping[str, Shape]) -> Shape:
    """An object with one field, whose name says what it is."""

    def checked(value: Any) -> dict[str, Any]:
        given = _object(value)
        if len(given) != 1:
            raise Damaged(f"{shortened(value)} has not one field")
        ((kind, content),) = given.items()
        if kind not in kinds:
            raise Refused(f"{shortened(kind)} is not among what may stand here")
        return {kind: _inner(kinds[kind], content, kind)}

    return checked


def list_of(shape: Shape) -> Shape:
    def checked(value: Any) -> list[Any]:
        if not isinstance(value, list):
            raise Damaged(f"{shortened(value)} is no list")
        return [_inner(shape, item, i) for i, item in enumerate(value)]

    return checked


def table_of(name: Shape, shape: Shape) -> Shape:
    """An object whose keys are names and whose values are alike."""

    def checked(value: Any) -> dict[str, Any]:
        return {name(key): _inner(shape, item, shortened(key)[1:-1]) for key, item in _object(value).items()}

    return checked


def optional(shape: Shape) -> Shape:
    return lambda value: None if value is None else shape(value)


def one_of(known: Collection[Any]) -> Shape:
    """One of a few values of one type."""

    def checked(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | str) or value not in known:
            raise Refused(f"{shortened(value)} is not among what may stand here")
        return value

    return checked


def whole(value: Any) -> int:
    """An integer of 64 bits. Raises ``Damaged``."""
    if isinstance(value, bool) or not isinstance(value, int) or not -_LARGEST <= value < _LARGEST:
        raise Damaged(f"{shortened(value)} is no integer")
    return value


def switch(value: Any) -> bool:
    """Raises ``Damaged``."""
    if not isinstance(value, bool):
        raise Damaged(f"{shortened(value)} is neither true nor false")
    return value


def real(value: Any) -> float:
    """A number; those that JSON cannot write are words. Raises ``Damaged``."""
    if value in ("Infinity", "-Infinity", "NaN") or (isinstance(value, int | float) and not isinstance(value, bool)):
        return float(value)
    raise Damaged(f"{shortened(value)} is no number")


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Damaged(f"{shortened(value)} is no object")
    return value


def _inner(shape: Shape, value: Any, place: str | int) -> Any:
    with inside(place):
        return shape(value)
