"""Numbers as people read them."""

from __future__ import annotations

import math


def quantity(value: float, digits: int = 2) -> str:
    """Return ``value`` to ``digits`` significant digits: ``0.82``, ``25``, ``3.1e-6``, ``inf``."""
    if not math.isfinite(value) or value == 0:
        return {math.inf: "inf", -math.inf: "-inf"}.get(value, "0" if value == 0 else "nan")
    if not 1e-3 <= abs(value) < 1e4:
        mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
        return f"{float(mantissa):g}e{int(exponent)}"
    return f"{float(f'{value:.{digits}g}'):.15g}"


def deviations(value: float) -> str:
    """Return a difference in standard deviations: ``0.82 sd``; what became NaN or infinite has none."""
    return f"{quantity(value)} sd" if math.isfinite(value) else "becomes NaN" if math.isnan(value) else "not finite"


def percent(fraction: float) -> str:
    """Return a part of a whole. It never rounds to none or to all of what is only nearly so."""
    if math.isnan(fraction):
        return "?"
    if fraction <= 0:
        return "0 %"
    if fraction < 0.01:
        return "under 1 %"
    if 0.99 < fraction < 1:
        return "over 99 %"
    return f"{min(fraction, 1.0):.0%}".replace("%", " %")


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def fraction_of(text: str | None) -> tuple[int, int] | None:
    """Return the two numbers of "3/16", or ``None`` for anything else."""
    changed, separator, total = (text or "").partition("/")
    return (int(changed), int(total)) if separator and changed.isdecimal() and total.isdecimal() else None
