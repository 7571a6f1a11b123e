"""What is done to rows: they are padded, and put beside others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product

PADS = (1, 2, 5, 8)
NOISE = 3.0
"""How large what stands at pads is, where a mask or lengths hide it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """These rows in one batch, padded so; ``kind`` is what a difference is counted under."""

    kind: str
    rows: Sequence[int]
    pads: Mapping[str, int] = field(default_factory=dict)
    noise: float = 0.0
    front: Mapping[str, int] = field(default_factory=dict)


def noises(shown: bool) -> tuple[float, ...]:
    """``shown``: nothing but the pad value says where pads are, so that it has to stand there."""
    return (0.0,) if shown else (0.0, NOISE)


def padded(rows: Sequence[int], domains: Sequence[str], shown: bool) -> Iterator[Twin]:
    """Each row alone, with pads in each domain and in all."""
    chosen = [[d] for d in domains] + [[*domains]] * (len(domains) > 1)
    for row, count, noise, longer in product(rows, PADS, noises(shown), chosen):
        yield Twin(kind="pads", rows=[row], pads=dict.fromkeys(longer, count), noise=noise)


def mates(groups: Sequence[Sequence[int]], domains: Sequence[str], shown: bool) -> Iterator[Twin]:
    """Rows beside each other, as long as the longest and longer."""
    for rows, extra, noise in product(groups, (0, 3), noises(shown)):
        yield Twin(kind="mates", rows=rows, pads=dict.fromkeys(domains, extra), noise=noise)
