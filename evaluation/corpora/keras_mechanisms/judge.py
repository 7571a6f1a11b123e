"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from evaluation import places as keras_places
from evaluation.corpora.keras_mechanisms.cases import LENGTH, Case, build, inputs, padded

LEAK, FLOAT32 = 1e-8, 1e-6
"""Standard deviations, in float64, from which padding leaks, and from which float32 can show it."""


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    size = difference(case)
    leaky = size > LEAK
    found: dict[str, Any] = {
        "name": case.name,
        "model": case.host,
        "family": case.pair.id.split("-")[0],
        "condition": case.condition,
        "framework": "keras",
        "leaky": leaky,
        "difference": size,
        "undecided": LEAK < size < FLOAT32,
        "faults": [case.pair.id] if leaky else [],
        "expected": [case.pair.origin or "pool"] if leaky else [],
    }
    started = time.perf_counter()
    try:
        found |= _compared(case, _audited(case))
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def difference(case: Case) -> float:
    """max|padded - unpadded| in float64 over 64 rows and several numbers of pads, in standard deviations.

    Where the length is fixed: the same row with its pads behind and, as far as that is allowed, one place earlier.
    """
    model, rows = build(case, "float64"), inputs(case, 64)
    rows = rows.astype("float64") if rows.dtype.kind == "f" else rows
    if case.pair.fixed:
        return _difference(case, model, rows)
    return max(_difference(case, model, rows[:, :length]) for length in (2, LENGTH))


def _difference(case: Case, model: Any, rows: np.ndarray) -> float:
    plain = _answers(model, rows)
    if case.pair.fixed:
        real = rows[:, :LENGTH]
        twins = [padded(real, 3, front) for front in (1, 3)]
    else:
        twins = [padded(rows, pads) for pads in (1, 2, 5, 8)]
    return max(float(np.abs(_answers(model, t) - plain).max()) for t in twins) / float(plain.std())


def _answers(model: Any, rows: np.ndarray) -> np.ndarray:
    """Called as it is: ``predict`` traces a graph, in which TimeDistributed keeps the steps of an earlier call."""
    return np.asarray(model(rows, training=False))


def _audited(case: Case) -> Any:
    import maskcheck

    model = build(case)
    if case.condition == "live":
        return maskcheck.audit(model).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return maskcheck.audit(path).model


def _compared(case: Case, report: Any) -> dict[str, Any]:
    wanted = (case.pair.origin or "pool").split()
    found = keras_places.compared(report, wanted)
    rule = next((found["lines"][w] for w in wanted if w in found["lines"]), None)
    right = rule in case.pair.rules and keras_places.blamed(found, case.pair.cause)
    return {**found, "causes": {case.pair.id: rule}, "causes_right": int(right)}
