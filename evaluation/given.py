"""What a model is given, as data."""

from __future__ import annotations

from dataclasses import dataclass

BATCH = "batch"
Axis = str | int


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One input: ``shape`` names the axes that belong to rows or vary, and has numbers for the others.

    ``kind`` is one of ``ids``, ``feats``, ``mask``, ``lengths``, ``fraction`` (lengths as a share of the longest),
    ``total`` (the padded length itself), ``steps`` (0, 1, 2, ... at the real positions) and ``types`` (zeros). ``pad``
    stands at the pads, ``real`` at the real positions of a mask. ``offset`` is added to lengths.
    """

    kind: str
    shape: tuple[Axis, ...]
    dtype: str = "int64"
    vocab: int = 40
    pad: float = 0
    real: float = 1
    domain: str = ""
    """Whose length, where the input is one."""
    offset: int = 0


def ids(*shape: Axis, vocab: int = 40, pad: int = 0, dtype: str = "int64") -> Given:
    return Given(kind="ids", shape=shape, vocab=vocab, pad=pad, dtype=dtype)


def feats(*shape: Axis, pad: float = 0.0) -> Given:
    return Given(kind="feats", shape=shape, pad=pad, dtype="float32")


def mask(*shape: Axis, dtype: str = "int64") -> Given:
    """1 where real."""
    return Given(kind="mask", shape=shape, dtype=dtype)


def padmask(*shape: Axis, dtype: str = "bool") -> Given:
    """1 where padded."""
    return Given(kind="mask", shape=shape, real=0, pad=1, dtype=dtype)


def additive(*shape: Axis, fill: float = -1e9) -> Given:
    """0 where real, ``fill`` where padded."""
    return Given(kind="mask", shape=shape, real=0, pad=fill, dtype="float32")


def lengths(domain: str = "time", dtype: str = "int64", offset: int = 0) -> Given:
    return Given(kind="lengths", shape=(BATCH,), domain=domain, dtype=dtype, offset=offset)


def fraction(domain: str = "time") -> Given:
    """Lengths as a share of the longest, as speech toolkits count them."""
    return Given(kind="fraction", shape=(BATCH,), domain=domain, dtype="float32")


def total(domain: str = "time", dtype: str = "int32") -> Given:
    """The padded length, as a number."""
    return Given(kind="total", shape=(), domain=domain, dtype=dtype)


def steps(*shape: Axis) -> Given:
    """0, 1, 2, ... at the real positions."""
    return Given(kind="steps", shape=shape)


def types(*shape: Axis, dtype: str = "int64") -> Given:
    """Segment numbers, all 0."""
    return Given(kind="types", shape=shape, dtype=dtype)
