"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from evaluation import places as keras_places
from evaluation.corpora.keras_reported import truth
from evaluation.corpora.keras_reported.cases import Case
from evaluation.corpora.keras_reported.rules import naming


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    import os

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    seen = truth.plain(case.report, case.mended)
    worst = max(seen.values())
    leaky = worst > truth.LEAK
    found: dict[str, Any] = {
        "name": case.name,
        "field": case.report.field,
        "family": case.report.mechanism.split("-")[0],
        "condition": case.form,
        "framework": "keras",
        "leaky": leaky,
        "truth": seen,
        "difference": worst,
        "undecided": truth.LEAK < worst < truth.FLOAT32,
        "faults": [case.report.mechanism] if leaky else [],
        "expected": case.report.origin.split() if leaky else [],
    }
    started = time.perf_counter()
    try:
        found |= _compared(case, _audited(case))
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _audited(case: Case) -> Any:
    import maskcheck

    model = truth.build(case.report, case.mended)
    side: dict[str, Any] = {"side": "left"} if case.report.left else {}
    if case.form == "live":
        return maskcheck.audit(model, _example(case, model), **side).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return maskcheck.audit(path, **side).model


def _example(case: Case, model: Any) -> Any:
    """A batch as it comes out of a loader; a model of layers describes its inputs itself."""
    described = type(model).__name__ in ("Functional", "Sequential")
    return None if described else truth.batch(case.report, range(4))


def _compared(case: Case, report: Any) -> dict[str, Any]:
    wanted = case.report.origin.split()
    found = keras_places.compared(report, wanted)
    rules = {found["lines"][w] for w in wanted if w in found["lines"]}
    right = bool(wanted and rules & naming(case.report.mechanism)) and keras_places.blamed(found, case.report.cause)
    return {**found, "causes": {case.report.mechanism: "/".join(sorted(rules)) or None}, "causes_right": int(right)}
