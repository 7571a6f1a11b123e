"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

from benchmarks.keras_reported import truth
from benchmarks.keras_reported.cases import Case
from benchmarks.keras_reported.rules import naming


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
    errors = [f for f in report.findings if f.severity.value == "error"]
    wanted = case.report.origin.split()
    named: dict[str, str] = {}
    for finding in errors:
        named.setdefault(_matched(finding.site, wanted), finding.rule)
    related = sorted({_matched(site, wanted) for f in errors for site in f.related})
    causes = {f.root_cause.site.name for f in errors if f.root_cause and f.root_cause.site}
    rules = {named[w] for w in wanted if w in named}
    blamed = not case.report.cause or any(_called(name, case.report.cause) for name in causes)
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "lines": named,
        "related": related,
        "right": bool(named) and set(named) <= set(wanted),
        "root_causes": sorted(causes),
        "causes": {case.report.mechanism: "/".join(sorted(rules)) or None},
        "causes_right": int(bool(rules & naming(case.report.mechanism)) and blamed) if wanted else 0,
    }


def _matched(site: Any, wanted: list[str]) -> str:
    """The wanted name that a site goes by, else its own."""
    names = [site.name, site.module or ""] if site is not None else [""]
    return next((w for w in wanted for name in names if _called(name, w)), names[0])


def _called(name: str, wanted: str) -> bool:
    """``softmax``, ``softmax_2``, ``it/cell`` and ``outer/it`` go by ``softmax`` and ``it``."""
    return any(part == wanted or (part.rsplit("_", 1)[0] == wanted and part[-1].isdigit()) for part in name.split("/"))
