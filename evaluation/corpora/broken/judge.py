"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from pathlib import Path
from typing import Any

import torch

import maskcheck
from evaluation import exporting
from evaluation.corpora.broken import sound, truth
from evaluation.corpora.broken.cases import FILES, FIXED, HALF, RULES, Case, build, inputs, line_of
from maskcheck.core.report import ModelReport, Severity
from maskcheck.core.trace import Site


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    found: dict[str, Any] = {"name": case.name, "model": case.model, "condition": case.condition}
    found["framework"], found["faults"] = case.framework, list(case.faults)
    plain = truth.worth if case.condition == FIXED else truth.difference
    size = plain(build(case).float(), _batches(case))
    found["difference"] = size
    found["leaky"] = size > (truth.VISIBLE if case.condition in HALF else truth.LEAK)
    if case.condition == FIXED and not found["leaky"]:
        # One length only: whether it would leak at others is a question that its file need not answer.
        found["undecided"] = truth.difference(build(case).float(), _batches(case)) > truth.LEAK
    if case.condition in HALF and truth.LEAK < size <= truth.VISIBLE:
        found["undecided"] = True
    harmful = [f for f in case.faults if plain(build(_alone(case, f)).float(), _batches(case)) > truth.LEAK]
    found["expected"] = sorted({line_of(case, fault) for fault in harmful})
    started = time.perf_counter()
    try:
        found |= _compared(case, _audited(case), harmful)
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _batches(case: Case) -> list[dict[str, torch.Tensor]]:
    """Short and long rows, many of them: a maximum over zeros leaks for some contents only."""
    return [inputs(case, length, rows) for length, rows in ((4, 64), (9, 64), (14, 8))]


def _alone(case: Case, fault: str) -> Case:
    return Case(case.model, (fault,), case.condition)


def _audited(case: Case) -> ModelReport:
    module, example = build(case), inputs(case)
    if case.condition not in FILES:
        return maskcheck.audit(module, example).model
    with tempfile.TemporaryDirectory() as folder:
        return maskcheck.audit(_exported(module, example, Path(folder), case.condition == FIXED)).model


def _exported(module: Any, example: dict[str, Any], folder: Path, fixed: bool) -> Path:
    path = folder / "model.onnx"
    if fixed:
        exporting.export(module, example, None, path)
        return path
    batch, lengths = torch.export.Dim("batch"), {}
    shapes = {}
    for name, x in example.items():
        axes: dict[int, Any] = {0: batch}
        if x.ndim > 1:
            axes[1] = lengths.setdefault(x.shape[1], torch.export.Dim(f"time{len(lengths)}"))
        shapes[name] = axes
    exporting.export(module, example, shapes, path)
    return path


def _compared(case: Case, report: ModelReport, harmful: list[str]) -> dict[str, Any]:
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    lines: dict[int, str] = {}
    related: dict[int, str] = {}
    for finding in errors:
        if (line := _line(finding.site)) is not None:
            lines.setdefault(line, finding.rule)
        related |= {line: finding.rule for site in finding.related if (line := _line(site)) is not None}
    causes = {fault: {**related, **lines}.get(line_of(case, fault)) for fault in harmful}
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "lines": {str(line): rule for line, rule in sorted(lines.items())},
        "related": sorted(related),
        "rules": sorted({f.rule for f in errors}),
        "causes": causes,
        "causes_right": sum(rule in RULES[fault.removeprefix("cross_")] for fault, rule in causes.items()),
    }


def _line(site: Site | None) -> int | None:
    """The line of the broken file that a site names."""
    source = site.source if site is not None else None
    return source.line if source is not None and source.file.endswith(Path(sound.__file__).name) else None
