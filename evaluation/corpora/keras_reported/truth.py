"""The plain test: every row alone and unpadded, against the same row padded and beside others, in float64."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import product
from typing import Any

import numpy as np

from evaluation.corpora.keras_reported.registry import Report
from evaluation.truth import Truth, within
from evaluation.truth.in_keras import answers, asked
from evaluation.truth.in_numpy import DrawnOnPads
from evaluation.truth.loader import Array, Loader
from evaluation.truth.rows import Rows
from evaluation.truth.twins import Twin, mates, padded

TOTAL = 12
"""The steps of a model of fixed length, pads included."""
ROWS = 6
GROUPS = ([*range(ROWS)], [3, 0], [1, 4])


def build(report: Report, mended: bool, floatx: str = "float32") -> Any:
    """With parameters as training leaves them, not as they start."""
    import keras

    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.utils.set_random_seed(zlib.crc32(report.name.encode()) % 1000)
    model = report.build(mended)
    answers(model, loader(report).batch(range(2)))
    draw = np.random.default_rng(5)
    for variable in model.variables:
        value = np.asarray(variable)
        if value.dtype.kind == "f":
            variable.assign(_trained(variable.name, value, draw))
    return model


def _trained(name: str, value: Array, draw: np.random.Generator) -> Array:
    if name == "moving_variance":
        return value + draw.random(value.shape)
    if name == "embeddings":
        return draw.normal(size=value.shape)
    if value.ndim == 1 or not np.ptp(value):
        return value + draw.normal(size=value.shape) * 0.3
    return value


def loader(report: Report) -> Loader:
    """Rows of two steps are among them."""
    free = Loader(
        inputs=report.inputs,
        draw=DrawnOnPads(),
        sizes=(9, 7, 2, 5, 3, 6),
        others=(6, 4, 5, 7, 3, 2),
        shortest=1,
        left=report.left,
    )
    return free.holding({free.domains[0]: TOTAL}) if report.fixed else free


def plain(report: Report, mended: bool) -> Truth:
    """By ``pads`` of the row, of each domain and of all, and by ``mates``."""
    rows = Rows(loader=loader(report), ask=asked(build(report, mended, "float64")), count=ROWS)
    found = rows.differences(rows.alone(), _twins(report, rows.loader))
    seen = {kind: float(worst.max()) for kind, worst in found.items()}
    return within(max(seen.values()), **seen)


def _twins(report: Report, loader: Loader) -> Iterator[Twin]:
    free = [domain for domain in loader.domains if domain not in loader.held]
    shown = not any(given.kind in ("mask", "lengths") for given in report.inputs.values())
    yield from _moved(loader)
    yield from padded(range(ROWS), free, shown)
    yield from mates(GROUPS, free, shown)


def _moved(loader: Loader) -> Iterator[Twin]:
    """Where the length is fixed, the same steps further back among the same pads."""
    for domain, row, front in product(loader.held, range(ROWS), (1, 2, TOTAL)):
        yield Twin(kind="pads", rows=[row], front={domain: front})
