"""The plain test: rows of one length against the same with pads behind, in float64."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluation.corpora.keras_mechanisms.building import LENGTH, Hosted, build, inputs, padded
from evaluation.truth.in_keras import answers
from evaluation.truth.loader import Array

ROWS = 64
PADS = (1, 2, 5, 8)


def difference(hosted: Hosted, mended: bool) -> float:
    """max|padded - unpadded| in float64 over 64 rows and several numbers of pads, in standard deviations.

    Where the length is fixed: the same row with its pads behind and, as far as that is allowed, one place earlier.
    """
    model, rows = build(hosted, mended, "float64"), inputs(hosted, ROWS)
    if hosted.pair.fixed:
        return _apart(model, rows, [padded(rows[:, :LENGTH], 3, front) for front in (1, 3)])
    cut = [rows[:, :length] for length in (2, LENGTH)]
    return max(_apart(model, short, [padded(short, pads) for pads in PADS]) for short in cut)


def _apart(model: Any, rows: Array, twins: list[Array]) -> float:
    plain = _answer(model, rows)
    return max(float(np.abs(_answer(model, twin) - plain).max()) for twin in twins) / float(plain.std())


def _answer(model: Any, rows: Array) -> Array:
    return answers(model, {"rows": rows})[0]
