"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import inspect
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch

import maskcheck
from evaluation import exporting
from evaluation.corpora.reported import truth
from evaluation.corpora.reported.cases import Case, lines
from evaluation.corpora.reported.registry import BATCH, Report
from evaluation.corpora.reported.rules import naming
from maskcheck.core.report import ModelReport, Severity
from maskcheck.core.trace import Site


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    seen = truth.plain(case.report, case.mended)
    worst = max(seen.values())
    leaky = worst > truth.LEAK
    found: dict[str, Any] = {
        "name": case.name,
        "field": case.report.field,
        "family": case.report.mechanism.split("-")[0],
        "condition": case.form,
        "framework": "onnx" if case.form == "onnx" else "torch",
        "leaky": leaky,
        "truth": seen,
        "difference": worst,
        "undecided": truth.LEAK < worst < truth.FLOAT32,
        "faults": [case.report.mechanism] if leaky else [],
        "expected": sorted(line for _, line in lines(case.report, case.form)) if leaky else [],
    }
    started = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory() as folder:
            found |= _read(case, _audited(case, Path(folder) / "model.onnx"))
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:], "lines": {}, "related": []}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _audited(case: Case, path: Path) -> ModelReport:
    if case.form == "onnx":
        export(case.report, case.mended, path)
        return maskcheck.audit(path).model
    module = truth.build(case.report, case.mended)
    side = {"side": "left"} if case.form == "left" else {}
    return maskcheck.audit(module, example(case.report), **side).model


def example(report: Report) -> dict[str, torch.Tensor]:
    """A batch as it comes out of a loader: rows of several lengths, padded to the longest."""
    return truth.batch(report, range(report.example_rows))


def export(report: Report, mended: bool, path: Path) -> None:
    sizes: dict[str, Any] = {name: torch.export.Dim(name) for name in (BATCH, *truth.domains(report))}
    shapes = {
        name: {i: sizes[a] for i, a in enumerate(given.shape) if isinstance(a, str)}
        for name, given in report.inputs.items()
    }
    exporting.export(truth.build(report, mended), example(report), shapes, path)


def _read(case: Case, report: ModelReport) -> dict[str, Any]:
    """Answers that move: every marked line is named and no other; the rule names the mechanism."""
    findings = [f for f in report.findings if f.severity is Severity.ERROR]
    files = {inspect.getsourcefile(case.report.build) or ""}
    marked = {line for _, line in lines(case.report, case.form)}
    named: dict[int, str] = {}
    related: dict[int, str] = {}
    for finding in findings:
        # A place outside the model counts as a wrong line, so that it cannot pass unseen.
        named.setdefault(_line(finding.site, files) or 0, finding.rule)
        related |= {line: finding.rule for site in finding.related if (line := _line(site, files)) is not None}
    causes = {line for f in findings if f.root_cause and (line := _line(f.root_cause.site, files)) is not None}
    known = {**related, **named}
    rules = {known[line] for line in marked if line in known}
    begun = {line for _, line in lines(case.report, case.form, "cause")}
    right = bool(rules & naming(case.report.mechanism)) and (not begun or bool(begun & causes))
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "lines": {str(line): rule for line, rule in sorted(named.items())},
        "related": sorted(related),
        "rules": sorted({f.rule for f in findings}),
        "causes": {case.report.mechanism: "/".join(sorted(rules)) or None},
        "root_causes": sorted(causes),
        "causes_right": int(right),
    }


def _line(site: Site | None, files: set[str]) -> int | None:
    source = site.source if site is not None else None
    return source.line if source is not None and source.file in files else None
