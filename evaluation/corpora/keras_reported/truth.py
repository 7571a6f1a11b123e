"""The plain test: every row alone and unpadded, against the same row padded and beside others, in float64.

It shares no code with the audit.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from evaluation.corpora.keras_reported.registry import BATCH, TOTAL, Given, Report

LEAK, FLOAT32 = 1e-8, 1e-6
"""Standard deviations, in float64, from which padding leaks, and from which float32 can show it."""
PADS = (1, 2, 5, 8)
ROWS = 6
_SIZES, _OTHER = (9, 7, 2, 5, 3, 6), (6, 4, 5, 7, 3, 2)
_GONE = 9.0
"""Stands for a difference from what is no number."""


def build(report: Report, mended: bool, floatx: str = "float32") -> Any:
    """With parameters as training leaves them, not as they start."""
    import keras

    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.utils.set_random_seed(zlib.crc32(report.name.encode()) % 1000)
    model = report.build(mended)
    answers(model, batch(report, range(2)))
    draw = np.random.default_rng(5)
    for variable in model.variables:
        value = np.asarray(variable)
        if value.dtype.kind == "f":
            variable.assign(_trained(variable.name, value, draw))
    return model


def _trained(name: str, value: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    if name == "moving_variance":
        return value + draw.random(value.shape)
    if name == "embeddings":
        return draw.normal(size=value.shape)
    if value.ndim == 1 or not np.ptp(value):
        return value + draw.normal(size=value.shape) * 0.3
    return value


def domains(report: Report) -> list[str]:
    named = [axis for given in report.inputs.values() for axis in given.shape if isinstance(axis, str)]
    return [name for name in dict.fromkeys(named) if name != BATCH]


def size(report: Report, row: int, domain: str) -> int:
    """How many real positions a row has."""
    sizes = _OTHER if domains(report).index(domain) else _SIZES
    return sizes[row % len(sizes)]


def batch(
    report: Report,
    rows: Sequence[int],
    pads: Mapping[str, int] | None = None,
    noise: float = 0.0,
    front: int | None = None,
) -> list[np.ndarray]:
    """Rows as a loader collates them; ``front`` pads stand before those of a model of fixed length."""
    named = domains(report)
    totals = {d: max(size(report, r, d) for r in rows) + (pads or {}).get(d, 0) for d in named}
    if report.fixed:
        totals[named[0]] = TOTAL
    return [
        _collated(report, given, number, rows, totals, noise, front or 0)
        for number, given in enumerate(report.inputs.values())
    ]


def _collated(
    report: Report,
    given: Given,
    number: int,
    rows: Sequence[int],
    totals: Mapping[str, int],
    noise: float,
    front: int,
) -> np.ndarray:
    if given.domain:
        return np.array([size(report, r, given.domain) for r in rows], given.dtype)
    axes = given.shape[1:]
    shape = [totals[a] if isinstance(a, str) else a for a in axes]
    stacked = []
    for row in rows:
        real = [size(report, row, a) if isinstance(a, str) else a for a in axes]
        whole = np.full(shape, given.pad, given.dtype)
        if given.kind == "feats" and noise:
            whole = whole + np.random.default_rng(row + sum(shape)).normal(size=shape).astype(given.dtype) * noise
        starts = [_start(report, axis, total - own, front) for axis, total, own in zip(axes, shape, real, strict=True)]
        place = tuple(slice(start, start + own) for start, own in zip(starts, real, strict=True))
        whole[place] = _content(given, real, 31 * row + number)
        stacked.append(whole)
    return np.stack(stacked)


def _start(report: Report, axis: str | int, room: int, front: int) -> int:
    if not isinstance(axis, str):
        return 0
    if report.left:
        return room
    return min(front, room) if report.fixed and axis == domains(report)[0] else 0


def _content(given: Given, shape: Sequence[int], seed: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    if given.kind == "ids":
        return draw.integers(1, given.vocab, tuple(shape))
    if given.kind == "feats":
        return draw.normal(size=tuple(shape))
    return np.full(tuple(shape), 1)


def answers(model: Any, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Called as it is: ``predict`` traces a graph, in which TimeDistributed keeps the steps of an earlier call."""
    import keras

    given = [x.astype(keras.config.floatx()) if x.dtype.kind == "f" else x for x in inputs]
    found = model(given if len(given) > 1 else given[0], training=False)
    return [np.asarray(x) for x in (found if isinstance(found, list | tuple) else [found])]


def plain(report: Report, mended: bool) -> dict[str, float]:
    """Differences in standard deviations: by ``pads`` of the row, of each domain and of all, and by ``mates``."""
    model = build(report, mended, "float64")
    rows = range(ROWS)
    alone = {row: answers(model, batch(report, [row])) for row in rows}
    scales = [
        max(float(np.concatenate([alone[r][i].ravel() for r in rows]).std()), 1e-12) for i in range(len(alone[0]))
    ]
    found = {"pads": 0.0, "mates": 0.0}
    for kind, chosen, inputs in _twins(report):
        after = answers(model, inputs)
        for place, row in enumerate(chosen):
            found[kind] = max(found[kind], _apart(report, after, place, alone[row], scales))
    return found


def _twins(report: Report) -> Iterator[tuple[str, Sequence[int], list[np.ndarray]]]:
    named = domains(report)
    free = named[1:] if report.fixed else named
    told = any(given.kind in ("mask", "lengths") for given in report.inputs.values())
    noises = (0.0, 3.0) if told else (0.0,)
    if report.fixed:
        for row, front in product(range(ROWS), (1, 2, TOTAL)):
            yield "pads", [row], batch(report, [row], front=front)
    for row, count, noise, chosen in product(range(ROWS), PADS, noises, [[d] for d in free] + [free] * (len(free) > 1)):
        yield "pads", [row], batch(report, [row], dict.fromkeys(chosen, count), noise)
    for rows, extra, noise in product((range(ROWS), [3, 0], [1, 4]), (0, 3), noises):
        yield "mates", rows, batch(report, rows, dict.fromkeys(free, extra), noise)


def _apart(
    report: Report, after: Sequence[np.ndarray], place: int, before: Sequence[np.ndarray], scales: Sequence[float]
) -> float:
    worst = 0.0
    for own, then, scale in zip(before, after, scales, strict=True):
        y = own[0]
        x = then[place][tuple(slice(-n, None) if report.left else slice(n) for n in y.shape)]
        gap = np.nan_to_num(np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y)), nan=_GONE)
        worst = max(worst, float(gap.max(initial=0.0)) / scale)
    return worst
