"""Geometry of the drawings on the page: where things lie, in the units of a view box. Colours are the page's affair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from maskcheck.core.report import AttentionMap, AttentionSample, OutputDifference
from maskcheck.report.quantities import quantity

LOWEST, HIGHEST = -9.0, 2.0
"""Powers of ten at the ends of the scale of differences; real ones lie between rounding and a few hundred."""
MOST_CELLS = 64
SHADES = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """One difference on a logarithmic scale from 0 to 100, between rounding and leak."""

    value: float
    noise: float
    tolerance: float


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    label: str


@dataclass(frozen=True, slots=True)
class Curve:
    """The leak against the number of pads, in a box of ``width`` by ``height`` whose axes meet at ``left``,
    ``bottom``.
    """

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    line: str
    area: str
    points: tuple[tuple[float, float, str], ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """One square of a heatmap: column and row, and a shade from 0 (nothing) to ``SHADES``."""

    column: int
    row: int
    shade: int


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Attention of one head: queries down, keys across, pad columns and rows by number."""

    columns: int
    rows: int
    cells: tuple[Cell, ...]
    pads: tuple[int, ...]
    pad_queries: tuple[int, ...]
    head: int


@dataclass(frozen=True, slots=True)
class HeadBar:
    """One head: which part of 100 its valid queries spend on pads."""

    head: int
    mass: float
    known: bool


def scale(output: OutputDifference) -> Scale:
    return Scale(_on_scale(output.difference), _on_scale(output.noise_floor), _on_scale(output.tolerance))


def head_bars(weights: AttentionMap, most: int = 32) -> tuple[HeadBar, ...]:
    """Return a bar for each head; of more than ``most`` heads, those that look at pads most."""
    bars = [HeadBar(i, _percent(mass), math.isfinite(mass)) for i, mass in enumerate(weights.pad_mass)]
    worst = sorted(bars, key=lambda bar: -bar.mass)[:most] if len(bars) > most else bars
    return tuple(sorted(worst, key=lambda bar: bar.head))


def heatmap(sample: AttentionSample) -> Heatmap:
    """Return the cells that are not empty; at most ``MOST_CELLS`` rows and columns are drawn."""
    rows = [row[:MOST_CELLS] for row in sample.weights[:MOST_CELLS]]
    columns = max((len(row) for row in rows), default=0)
    cells = tuple(
        Cell(column, line, shade)
        for line, row in enumerate(rows)
        for column, w in enumerate(row)
        if (shade := _shade(w))
    )
    pads = tuple(k for k in sample.pads if 0 <= k < columns)
    pad_queries = tuple(q for q in sample.pad_queries if 0 <= q < len(rows))
    return Heatmap(columns, len(rows), cells, pads, pad_queries, sample.head)


def strip(positions: Sequence[float], tolerance: float = 1e-6) -> tuple[int, ...]:
    """Return a shade for each position of a layer, on a logarithmic scale from ``tolerance`` to 1; 0 is clean."""
    return fitted(tuple(_log_shade(value, tolerance) for value in positions), MOST_CELLS)


def fitted(shades: Sequence[int], most: int) -> tuple[int, ...]:
    """Return at most ``most`` shades in place of many: of neighbours that share a cell the darkest is seen."""
    count = min(len(shades), most)
    edges = [i * len(shades) // count for i in range(count + 1)] if count else [0]
    return tuple(max(shades[start:end]) for start, end in pairwise(edges))


def overlaid(strips: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """Return the darkest shade at every place, of strips that may be of different lengths."""
    known = [strip for strip in strips if strip]
    longest = max(map(len, known), default=0)
    return tuple(max(strip[i * len(strip) // longest] for strip in known) for i in range(longest))


def curve(points: Sequence[tuple[int, float]]) -> Curve | None:
    """Return the drawing of the finite points, or ``None`` where fewer than two are left."""
    known = sorted((pads, value) for pads, value in points if math.isfinite(value) and value >= 0)
    if len(known) < 2:
        return None
    width, height, left, right, top, bottom = 340, 190, 44.0, 328.0, 14.0, 150.0
    most_pads = max(known[-1][0], 1)
    highest = _round_up(max(value for _, value in known))
    placed = [
        (left + (right - left) * pads / most_pads, bottom - (bottom - top) * value / highest, pads, value)
        for pads, value in known
    ]
    path = " L".join(f"{x:.1f} {y:.1f}" for x, y, _, _ in placed)
    area = f"M{placed[0][0]:.1f} {bottom} L{path} L{placed[-1][0]:.1f} {bottom} Z"
    return Curve(
        width,
        height,
        left,
        right,
        top,
        bottom,
        f"M{path}",
        area,
        tuple((round(x, 1), round(y, 1), f"{pads} pads: {quantity(value)} sd") for x, y, pads, value in placed),
        tuple(Tick(round(left + (right - left) * n / most_pads, 1), str(n)) for n in _counts(most_pads)),
        tuple(Tick(round(bottom - (bottom - top) * part / 2, 1), quantity(highest * part / 2)) for part in (0, 1, 2)),
    )


def _on_scale(value: float) -> float:
    if math.isnan(value) or value == math.inf:
        return 100.0
    power = math.log10(value) if value > 0 else LOWEST
    return round(100 * min(max((power - LOWEST) / (HIGHEST - LOWEST), 0.0), 1.0), 1)


def _percent(mass: float) -> float:
    return round(100 * min(max(mass, 0.0), 1.0), 1) if math.isfinite(mass) else 0.0


def _shade(weight: float) -> int:
    """Return the shade of an attention weight; anything visible at all gets the lightest."""
    if not math.isfinite(weight):
        return SHADES
    return min(SHADES, math.ceil(SHADES * math.sqrt(min(weight, 1.0)))) if weight > 1e-6 else 0


def _log_shade(value: float, tolerance: float) -> int:
    if not math.isfinite(value):
        return SHADES
    if value <= tolerance:
        return 0
    part = math.log(value / tolerance) / -math.log(tolerance)
    return min(max(math.ceil(SHADES * part), 1), SHADES)


def _round_up(value: float) -> float:
    """Return the next of 1, 2, 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value * 0.999)


def _counts(most: int) -> tuple[int, ...]:
    """Return up to five round numbers from 0 to ``most``."""
    step = next(s for s in (10**e * m for e in range(12) for m in (1, 2, 5)) if most / s <= 5)
    return tuple(range(0, most + 1, step))
