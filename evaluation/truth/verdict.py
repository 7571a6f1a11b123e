"""What a plain test says of a model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LEAK = 1e-8
"""Standard deviations in float64."""
FLOAT32 = 1e-6
"""A leak below this drowns in the rounding of float32 and is left undecided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    leaky: bool
    difference: float
    """The largest, mostly in standard deviations of the answers."""
    undecided: bool = False
    """Nothing is asked of the audit."""
    seen: Mapping[str, float] = field(default_factory=dict)
    """The largest difference by what was done to a row."""


def within(difference: float, leak: float = LEAK, visible: float = FLOAT32, **seen: float) -> Truth:
    """A leak is more than ``leak``, and undecided below what is ``visible``."""
    return Truth(leaky=difference > leak, difference=difference, undecided=leak < difference < visible, seen=seen)
