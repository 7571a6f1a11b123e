"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import os
import time
import traceback
import warnings
from typing import Any

from evaluation.corpora.training.cases import Case

LEAK = {"torch": 1e-8, "keras": 1e-4}
"""Part of its size by which a loss, a metric or a gradient moves: in float64, and as Keras evaluates in float32."""


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    arguments = (case.fault.name, case.host, case.leaky)
    if case.fault.framework == "torch":
        from evaluation.corpora.training import torch_steps as steps
    else:
        from evaluation.corpora.training import keras_steps as steps  # type: ignore[no-redef]
    size = steps.difference(*arguments)
    leaky = size > LEAK[case.fault.framework]
    found: dict[str, Any] = {
        "name": case.name,
        "model": case.host,
        "family": case.fault.id.split("-")[0],
        "condition": case.condition,
        "framework": case.fault.framework,
        "leaky": leaky,
        "difference": size,
        "faults": [case.fault.id] if leaky else [],
        "expected": list(case.fault.rules) if leaky else [],
    }
    started = time.perf_counter()
    try:
        found |= _audited(case, steps)
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _audited(case: Case, steps: Any) -> dict[str, Any]:
    import maskcheck

    built = steps.build(case.fault.name, case.host, case.leaky)
    if case.fault.framework == "torch":
        module, loss = built
        report = maskcheck.audit(module, steps.inputs(), training=True, loss=loss, samples=2).model
    else:
        report = maskcheck.audit(built, training=True, samples=2).model
    rules = sorted({f.rule for f in report.findings if f.severity.value == "error"})
    right = bool(rules) and set(rules) <= set(case.fault.rules)
    moved = [r.variant for r in report.passport if r.twin.value == "training" and r.status.value == "leaky"]
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "rules": rules,
        "lines": {},
        "moved": moved,
        "right": bool(moved) and right,
        "causes": {case.fault.id: ", ".join(rules)},
        "causes_right": int(right),
    }
