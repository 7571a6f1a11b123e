"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import onnx

import maskcheck
from evaluation.corpora.exports import truth
from evaluation.corpora.exports.cases import Case
from evaluation.corpora.exports.rules import RULES
from maskcheck.core.report import ModelReport, Severity


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        path = truth.written(case.export, case.mended, folder)
        seen = truth.plain(case.export, path, case.side)
        told = truth.verdict(case.export, seen)
        leaky = told == "leak"
        found: dict[str, Any] = {
            "name": case.name,
            "model": case.export.host,
            "family": case.export.mechanism,
            "condition": case.side,
            "framework": "onnx",
            "leaky": leaky,
            "truth": seen,
            "difference": max(value for twin, value in seen.items() if twin != "control"),
            "undecided": told == "undecided",
            "faults": [case.export.mechanism] if leaky else [],
            "expected": sorted(case.export.places(onnx.load(str(path)))) if leaky else [],
        }
        started = time.perf_counter()
        try:
            found |= _read(case, path, maskcheck.audit(path, **_told(case)).model)
        except Exception:
            found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:], "lines": [], "related": []}
        return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _told(case: Case) -> dict[str, Any]:
    """What a user has to say who pads in front; behind nothing is said."""
    return {"side": "left"} if case.side == "left" else {}


def _read(case: Case, path: Path, report: ModelReport) -> dict[str, Any]:
    """Answers that move: every place is named and none elsewhere; a rule of the mechanism names it."""
    model = onnx.load(str(path))
    places = case.export.places(model)
    behind = case.export.also(model) if case.export.also else set()
    findings = [f for f in report.findings if f.severity is Severity.ERROR]
    named = {f.site.name: f.rule for f in findings if f.site is not None}
    related = {site.name: f.rule for f in findings for site in f.related}
    known = {**related, **named}
    rules = {known[place] for place in places if place in known}
    begun = case.export.cause(model) if case.export.cause else set()
    causes = {f.root_cause.site.name for f in findings if f.root_cause is not None and f.root_cause.site is not None}
    right = bool(rules & set(RULES[case.export.mechanism])) and (not begun or bool(begun & causes))
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "lines": sorted(named),
        "related": sorted(related),
        "rules": sorted({f.rule for f in findings}),
        "right": report.outcome.value == "leaky" and places <= set(known) and set(named) <= places | behind,
        "causes": {case.export.mechanism: "/".join(sorted(rules)) or None},
        "root_causes": sorted(causes),
        "causes_right": int(right),
    }
