"""Why a file is not loaded, with the place in it, which is put together while the error climbs out of the part."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class Unfit(Exception):
    """A part of the file that does not fit. ``what`` says why, ``place`` where, innermost last."""

    def __init__(self, what: str, *place: str | int) -> None:
        super().__init__(what)
        self.what = what
        self.place = place

    def __str__(self) -> str:
        return f"{_joined(self.place)}: {self.what}" if self.place else self.what


class Refused(Unfit):
    """The part might run something, or nobody knows that it does not."""


class Damaged(Unfit):
    """The part is not what the format asks for."""


@contextmanager
def inside(*place: str | int) -> Iterator[None]:
    """Put ``place`` before the place of an error that is raised below."""
    try:
        yield
    except Unfit as error:
        error.place = (*place, *error.place)
        raise


def shortened(value: object, longest: int = 80) -> str:
    """A value of the file as it may be shown: on one line, without control characters, not too long."""
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}..."


def _joined(place: tuple[str | int, ...]) -> str:
    first, *further = place
    return str(first) + "".join(f"[{step}]" if isinstance(step, int) else f" > {step}" for step in further)
