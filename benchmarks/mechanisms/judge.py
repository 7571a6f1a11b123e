"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch

import maskcheck
from benchmarks import exporting
from benchmarks.mechanisms.cases import Case, build, inputs, lines
from benchmarks.mechanisms.truth import FLOAT32, LEAK, LENGTH, truth
from maskcheck.core.report import ModelReport, Severity
from maskcheck.core.trace import Site

TRUTH_ROWS = 16
"""Rows of the plain test: a maximum leaks for some contents only."""


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    seen = truth(build(case), inputs(case, TRUTH_ROWS))
    worst = max(seen["left"] if case.form == "left" else seen["right"], seen["mates"])
    leaky = worst > LEAK
    found: dict[str, Any] = {
        "name": case.name,
        "model": case.host.__name__,
        "family": case.mechanism.id.split("-")[0],
        "condition": case.form,
        "framework": "onnx" if case.form == "onnx" else "torch",
        "leaky": leaky,
        "truth": seen,
        "difference": worst,
        "undecided": LEAK < worst < FLOAT32,
        "faults": [case.mechanism.id] if leaky else [],
        "expected": sorted(line for _, line in lines(case)) if leaky else [],
    }
    started = time.perf_counter()
    try:
        found |= _compared(case, _audited(case))
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _audited(case: Case) -> ModelReport:
    if case.form != "onnx":
        module, example = build(case), inputs(case)
        return maskcheck.audit(module, example, **({"side": "left"} if case.form == "left" else {})).model
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(case, path)
        return maskcheck.audit(path).model


def export(case: Case, path: Path) -> None:
    """Write a graph whose sizes are free; in a new process where exports before this one left assumptions."""
    _export(case, path)
    if _fixed(path):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_export, case, path).result()


def _fixed(path: Path) -> bool:
    """Whether the graph runs for one length only, whatever its inputs say."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    feeds = {}
    for given in session.get_inputs():
        shape = [3, LENGTH + 4, *given.shape[2:]][: len(given.shape)]
        feeds[given.name] = np.ones(shape, np.float32 if given.type == "tensor(float)" else np.int64)
    try:
        session.run(None, feeds)
    except Exception:  # onnxruntime has many kinds of errors, and any of them is an answer
        return True
    return False


def _export(case: Case, path: Path) -> None:
    module, example = build(case), inputs(case)
    rows, steps = torch.export.Dim("batch"), torch.export.Dim("time")
    shapes = {name: {0: rows, 1: steps} if x.ndim > 1 else {0: rows} for name, x in example.items()}
    exporting.export(module, example, shapes, path)


def _compared(case: Case, report: ModelReport) -> dict[str, Any]:
    files = {file for file, _ in lines(case)}
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    named: dict[int, str] = {}
    related: dict[int, str] = {}
    for finding in errors:
        # A place outside the layer counts as a wrong line, so that it cannot pass unseen.
        named.setdefault(_line(finding.site, files) or 0, finding.rule)
        related |= {line: finding.rule for site in finding.related if (line := _line(site, files)) is not None}
    rule = next(iter({**related, **named}.get(line) for _, line in lines(case)), None)
    causes = {line for f in errors if f.root_cause and (line := _line(f.root_cause.site, files)) is not None}
    marked = {line for _, line in lines(case, "cause")}
    placed = not marked or bool(marked & causes)
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "lines": {str(line): rule for line, rule in sorted(named.items())},
        "related": sorted(related),
        "rules": sorted({f.rule for f in errors}),
        "causes": {case.mechanism.id: rule},
        "root_causes": sorted(causes),
        "causes_right": int(rule in case.mechanism.rules and placed),
    }


def _line(site: Site | None, files: set[str]) -> int | None:
    source = site.source if site is not None else None
    return source.line if source is not None and source.file in files else None
