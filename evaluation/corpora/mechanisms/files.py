"""One case: what the plain test says, what the audit says, and whether they agree."""

from __future__ import annotations

import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

import maskcheck
from evaluation import exporting
from evaluation.corpora.mechanisms import truth
from evaluation.corpora.mechanisms.cases import HALF, Case, build, inputs, lines, padded
from evaluation.corpora.mechanisms.registry import EMPTY, PADDING, REPEAT, UNFIT, VALID
from evaluation.corpora.mechanisms.truth import FLOAT32, LEAK
from maskcheck.core.report import Finding, ModelReport, Outcome, Severity, Status, TwinKind
from maskcheck.core.trace import Site

TRUTH_ROWS = 16
"""Rows of the plain test: a maximum leaks for some contents only."""


def judge(case: Case) -> dict[str, Any]:
    """The result as plain data; a crash is a result too."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        return _judged(case, Path(folder) / "model.onnx")


def _judged(case: Case, path: Path) -> dict[str, Any]:
    if case.graph:
        export(case, path)
    seen = _truth(case, path)
    worst = _worst(case, seen)
    limit = truth.HALF if case.form in HALF else LEAK
    leaky = worst > limit
    found: dict[str, Any] = {
        "name": case.name,
        "model": case.host.__name__,
        "family": case.mechanism.id.split("-")[0],
        "condition": case.form,
        "framework": "onnx" if case.graph else "torch",
        "leaky": leaky,
        "truth": seen,
        "difference": worst,
        "undecided": limit < worst < FLOAT32,
        "faults": [case.mechanism.id] if leaky else [],
        "expected": sorted(line for _, line in lines(case)) if leaky else [],
    }
    started = time.perf_counter()
    try:
        found |= READ[case.mechanism.expects](case, _audited(case, path))
    except Exception:
        found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
    return {**found, "seconds": round(time.perf_counter() - started, 2)}


def _truth(case: Case, path: Path) -> dict[str, float]:
    """What the plain test says: in float64, or of what is deployed in half precision."""
    plain = getattr(truth, case.mechanism.expects)
    given = inputs(case, TRUTH_ROWS)
    if case.form == "half":
        model: Any = build(case)
    elif case.form in HALF:
        model = _session(path)
    else:
        model, given = build(case).double(), truth.doubled(given)
    return plain(model, given, padded(case))


def _worst(case: Case, seen: dict[str, float]) -> float:
    if case.mechanism.expects != PADDING:
        return max(seen.values())
    return max(seen["left" if case.form == "left" else "right"], seen["mates"], seen["history"])


def _audited(case: Case, path: Path) -> ModelReport:
    if case.graph:
        return maskcheck.audit(path).model
    module, example = build(case), inputs(case)
    return maskcheck.audit(module, example, **({"side": "left"} if case.form == "left" else {})).model


def _session(path: Path) -> truth.Model:
    """A file as a function of tensors."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def run(**given: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(session.run(None, {name: x.numpy() for name, x in given.items()})[0])

    return run


def export(case: Case, path: Path) -> None:
    """Write a graph whose sizes are free; in a new process where exports before this one left assumptions."""
    _export(case, path)
    if _fixed(case, path):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            pool.submit(_export, case, path).result()


def _fixed(case: Case, path: Path) -> bool:
    """Whether the graph runs for one length only, whatever its inputs say."""
    longer = inputs(case, 4)
    for domain in padded(case).domains:
        longer = truth.lengthened(longer, domain, 4)
    try:
        _session(path)(**longer)
    except Exception:  # onnxruntime has many kinds of errors, and any of them is an answer
        return True
    return False


def _export(case: Case, path: Path) -> None:
    module, example = build(case), inputs(case)
    rows = torch.export.Dim("batch")
    shapes: dict[str, dict[int, Any]] = {name: {0: rows} for name in example}
    for domain, label in zip(padded(case).domains, ("time", "other"), strict=False):
        size = torch.export.Dim(label)
        for name, axis in domain.items():
            shapes[name] |= {axis: size} if axis else {}
    exporting.export(module, example, shapes, path)
    if case.form == "converted":
        _convert(path)


def _convert(path: Path) -> None:
    """Single precision to half, as onnxruntime's converter does it; inputs and outputs stay as they are."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(path), keep_io_types=True), path)


def _compared(case: Case, report: ModelReport) -> dict[str, Any]:
    """Answers that move: every marked line is named and no other; the rule names the mechanism.

    Where nothing can be padded it is right to say so, and to skip the model.
    """
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    left = not padded(case).domains and report.outcome is Outcome.SKIPPED and not errors
    outcome = Outcome.CLEAN if left else report.outcome
    return {"outcome": outcome.value, "reason": report.reason, **_named(case, errors)}


def _noticed(case: Case, report: ModelReport) -> dict[str, Any]:
    """What does not gate: the passport says it, a finding of it names the line if there are any, nothing else leaks."""
    twin = TwinKind(case.mechanism.expects)
    rows = [row for row in report.passport if row.twin is twin]
    bad = [row for row in rows if row.status is Status.LEAKY or (twin is TwinKind.EMPTY and row.reason)]
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    named = _named(case, [f for f in report.findings if twin in f.twins] if bad else [])
    outcome = (Outcome.SKIPPED,) if twin is TwinKind.REPEAT and bad else (Outcome.CLEAN,)
    quiet = report.outcome in outcome and not errors
    if not case.mechanism.rules:
        named |= {"causes": {}, "causes_right": 0}
    placed = not case.mechanism.rules or {int(line) for line in named["lines"]} == {line for _, line in lines(case)}
    return {
        **named,
        "outcome": "leaky" if bad else "clean" if quiet else report.outcome.value,
        "reason": report.reason or "; ".join(f"{r.variant}: {r.status.value}, {r.reason}" for r in rows),
        "right": quiet and placed,
        "audit": report.outcome.value,
    }


def _refused(case: Case, report: ModelReport) -> dict[str, Any]:
    """Answers that are no numbers before any padding: nothing can be said, and that is said."""
    unfit = report.outcome is Outcome.SKIPPED and "NaN" in (report.reason or "")
    outcome = "leaky" if unfit else report.outcome.value
    return {"outcome": outcome, "reason": report.reason, "right": unfit, "lines": {}, "causes": {}, "causes_right": 0}


READ = {PADDING: _compared, REPEAT: _noticed, VALID: _noticed, EMPTY: _noticed, UNFIT: _refused}


def _named(case: Case, findings: Sequence[Finding]) -> dict[str, Any]:
    files = {file for file, _ in lines(case)}
    named: dict[int, str] = {}
    related: dict[int, str] = {}
    for finding in findings:
        # A place outside the layer counts as a wrong line, so that it cannot pass unseen.
        named.setdefault(_line(finding.site, files) or 0, finding.rule)
        related |= {line: finding.rule for site in finding.related if (line := _line(site, files)) is not None}
    rule = next(({**related, **named}.get(line) for _, line in sorted(lines(case))), None)
    causes = {line for f in findings if f.root_cause and (line := _line(f.root_cause.site, files)) is not None}
    marked = {line for _, line in lines(case, "cause")}
    placed = not marked or bool(marked & causes)
    return {
        "lines": {str(line): rule for line, rule in sorted(named.items())},
        "related": sorted(related),
        "rules": sorted({f.rule for f in findings}),
        "causes": {case.mechanism.id: rule},
        "root_causes": sorted(causes),
        "causes_right": int(rule in case.mechanism.rules and placed),
    }


def _line(site: Site | None, files: set[str]) -> int | None:
    source = site.source if site is not None else None
    return source.line if source is not None and source.file in files else None
