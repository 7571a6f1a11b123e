"""Which keys a contract may hold, and what the value of each must be."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from maskcheck.core.contract import OutputKind, Role, Side
from maskcheck.core.errors import UsageError

UNPADDED = ("", "-")
"""Labels in ``dims`` of an axis that padding leaves alone; read as ``None``."""

Check = Callable[[Any], Any]
"""Returns the value, converted; raises ``WrongValueError``."""


class WrongValueError(ValueError):
    """Says what a value should have been, as the end of the sentence "the key must be"."""

    def __init__(self, expected: str, hint: str = "") -> None:
        super().__init__(expected)
        self.hint = hint


def checked(
    schema: Mapping[str, Check],
    entry: Mapping[str, Any],
    source: str,
    where: str = "",
    extra: Iterable[str] = (),
) -> dict[str, Any]:
    """Return ``entry`` with each value checked and converted by the entry of ``schema`` that has its key.

    ``source`` and ``where`` say in errors which file or flag, and which table of it, is being read; ``extra`` are
    further keys to suggest for an unknown one.

    Raises:
        UsageError: a key is unknown or a value wrong.
    """
    result: dict[str, Any] = {}
    for key, value in entry.items():
        if key not in schema:
            place = f" in [{where}]" if where else ""
            raise UsageError(f"Reading {source}: unknown key {key!r}{place}.", hint=nearest(key, (*schema, *extra)))
        try:
            result[key] = schema[key](value)
        except WrongValueError as error:
            path = f"{where}.{key}" if where else key
            raise UsageError(f"Reading {source}: {path} must be {error}, not {value!r}.", hint=error.hint) from error
    return result


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the name that was probably meant, if one is close enough to say so."""
    return next(iter(difflib.get_close_matches(wrong.lower(), list(known), n=1, cutoff=0.6)), None)


def nearest(wrong: str, known: Iterable[str]) -> str:
    """Return a sentence with the closest of ``known``, or with all of them where none is close."""
    names = sorted(known)
    close = closest(wrong, names)
    return f"Did you mean {close!r}?" if close else f"Known here: {', '.join(names)}."


def _one_of(names: Iterable[str], convert: Callable[[str], Any]) -> Check:
    known = tuple(str(name) for name in names)

    def check(value: Any) -> Any:
        if not isinstance(value, str) or value not in known:
            close = closest(value, known) if isinstance(value, str) else None
            raise WrongValueError(f"one of {', '.join(known)}", f"Did you mean {close!r}?" if close else "")
        return convert(value)

    return check


def _integer(minimum: int | None = None) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or (minimum is not None and value < minimum):
            raise WrongValueError("a whole number" + ("" if minimum is None else f" of at least {minimum}"))
        return value

    return check


def _number(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise WrongValueError("a number")
    return value


def _constant(value: Any) -> float | int | bool:
    return value if isinstance(value, bool) else _number(value)


def _polarity(value: Any) -> int:
    if not isinstance(value, (bool, int)) or value not in (0, 1):
        raise WrongValueError("0 or 1")
    return int(value)


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise WrongValueError("a name")
    return value


def _dims(value: Any) -> tuple[str | None, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(label, str) for label in value):
        raise WrongValueError('a list with a label for each axis: "batch", a dimension, or "-" where nothing is padded')
    return tuple(None if label in UNPADDED else label for label in value)


def _sizes(value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)) or not all(type(size) is int and size >= 0 for size in value):
        raise WrongValueError("a list with the size of each axis, 0 where the audit chooses it")
    return tuple(value)


TOP: Mapping[str, Check] = {"fixed_batch": _integer(1), "side": _one_of(Side, Side), "pad_value": _number}
"""Keys outside any table."""

TABLES: Mapping[str, Mapping[str, Check]] = {
    "domains": {"side": _one_of(Side, Side)},
    "dimensions": {"fixed": _integer(1), "minimum": _integer(1), "maximum": _integer(1)},
    "inputs": {
        "role": _one_of(Role, Role),
        "dims": _dims,
        "domain": _text,
        "pad_value": _number,
        "valid_when": _polarity,
        "vocabulary": _integer(1),
        "fill": _constant,
        "shape": _sizes,
    },
    "outputs": {"kind": _one_of(OutputKind, OutputKind), "dims": _dims},
}
"""Keys of each entry of each table."""
