"""The use case: open a model, probe it, explain what leaks, judge, report. Prints nothing."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from maskcheck import loaders
from maskcheck._version import __version__
from maskcheck.core.contract import Contract
from maskcheck.core.errors import MaskcheckError, NothingToPadError, UsageError
from maskcheck.core.model import Model, ModelInfo
from maskcheck.core.report import (
    ModelReport,
    Outcome,
    Report,
)
from maskcheck.core.settings import Settings
from maskcheck.explain.explain_model import Explanation, explain_model
from maskcheck.explain.leakmap import layers
from maskcheck.loaders.factory import find as find_function
from maskcheck.probe.contract.infer_contract import Inference, infer, infer_inner
from maskcheck.probe.instrumented import LARGE, Instrumented
from maskcheck.probe.layout import Row
from maskcheck.probe.run_twins import TwinResults, run
from maskcheck.probe.samples import Source, read_recorded
from maskcheck.probe.training import Training, training
from maskcheck.verdict.evidence import AuditEvidence
from maskcheck.verdict.findings import find
from maskcheck.verdict.outcome import decide_outcome, describe_assumed

Progress = Callable[[str, float], None]


def audit(paths: Sequence[str], settings: Settings, progress: Progress | None = None) -> Report:
    """Audit every model; one that fails becomes a report of its own and does not stop the others."""
    progress = progress or _ignore_progress
    models = []
    for i, path in enumerate(paths):
        part = _part_of(progress, i, len(paths), path)
        try:
            models.append(audit_model(path, settings, part))
        except UsageError as error:
            models.append(replace(_report_failure(path, None, Outcome.ERROR, error), usage_error=True))
    return _collect(models, settings)


def audit_open(model: Model, settings: Settings, progress: Progress | None = None) -> Report:
    """Audit a model that is open already, and close it.

    Raises:
        UsageError: the settings do not fit the model.
    """
    return _collect([audit_loaded(model, settings, progress)], settings)


def _collect(models: Sequence[ModelReport], settings: Settings) -> Report:
    return Report(tuple(models), __version__, _list_versions(), _describe_settings(settings))


def audit_model(path: str, settings: Settings, progress: Progress | None = None) -> ModelReport:
    """Audit one model file.

    Raises:
        UsageError: the settings do not fit the model (an unknown input named, unreadable recorded inputs).
    """
    return _with_errors_reported(
        path, lambda: loaders.load(Path(path), settings), settings, progress or _ignore_progress
    )


def audit_loaded(model: Model, settings: Settings, progress: Progress | None = None) -> ModelReport:
    """Audit a model that is open already, and close it.

    Raises:
        UsageError: the settings do not fit the model.
    """
    return _with_errors_reported(model.info.path, lambda: model, settings, progress or _ignore_progress)


def _with_errors_reported(path: str, load: Callable[[], Model], settings: Settings, progress: Progress) -> ModelReport:
    started = time.perf_counter()
    model: Model | None = None
    try:
        progress("loading", 0.0)
        model = load()
        with np.errstate(all="ignore"):  # poisoned twins compute NaN and infinity on purpose
            report = _audit_model(path, model, settings, progress)
    except UsageError:
        raise
    except NothingToPadError as error:
        report = _report_failure(path, model, Outcome.SKIPPED, error)
    except MaskcheckError as error:
        report = _report_failure(path, model, Outcome.ERROR, error)
    finally:
        if model is not None:
            model.close()
    return _with_duration(report, time.perf_counter() - started)


def inspect(path: str, settings: Settings) -> tuple[Contract, ModelInfo]:
    """The contract of a model file, without auditing it."""
    return inspect_open(loaders.load(Path(path), settings), settings)


def inspect_open(model: Model, settings: Settings) -> tuple[Contract, ModelInfo]:
    """The contract of a model that is open already; closes it."""
    try:
        return _read_contract(model, settings).contract, model.info
    finally:
        model.close()


def _audit_model(path: str, model: Model, settings: Settings, progress: Progress) -> ModelReport:
    progress("reading the contract", 0.05)
    inferred, probed, restored = _relax_lengths(model, _read_contract(model, settings), settings)
    try:
        return _probe_and_judge(path, probed, inferred, restored, settings, progress)
    finally:
        if probed is not model:
            probed.close()


def _read_contract(model: Model, settings: Settings) -> Inference:
    """The contract of an open model; of a large one through its instrumented copy, which costs no loading."""
    return infer(Instrumented(model) if model.info.size_bytes > LARGE else model, settings.overrides)


def _probe_and_judge(
    path: str,
    model: Model,
    inferred: Inference,
    restored: tuple[str, ...],
    settings: Settings,
    progress: Progress,
) -> ModelReport:
    """Run the twins under a contract, explain what leaks, judge."""
    recorded = read_recorded(settings.inputs, inferred.contract) if settings.inputs else ()
    results, explanation = _run_and_explain(model, inferred, recorded, settings, progress)
    contract = inferred.contract
    inner = infer_inner(model, inferred, settings.overrides)
    if inner is not None:
        new = next(d for d in inner.contract.domains if d not in contract.domains)
        more, told = _run_and_explain(model, inner, (), settings, progress, new.name)
        results, explanation = results.beside(more), explanation.beside(told)
        contract = replace(
            contract, domains=(*contract.domains, new), inputs=(*contract.inputs, *inner.contract.of(new.name))
        )
    trained = _train(model, inferred.contract, results, settings)
    return _judge(path, model, contract, results, explanation, trained, restored, settings)


def _run_and_explain(
    model: Model,
    inferred: Inference,
    recorded: Sequence[Row],
    settings: Settings,
    progress: Progress,
    only: str | None = None,
) -> tuple[TwinResults, Explanation]:
    """Run the twins under a contract, of one domain where that is named, and explain what leaks."""
    source = Source(inferred.contract, settings.seed, recorded)
    steps = _part_of(progress, 0.1, 1, "", 0.5)
    results = run(model, inferred.contract, inferred.lengths, source, settings, steps, only)
    if not settings.explain or results.judge is None:
        return results, Explanation()
    return results, explain_model(model, inferred.contract, results, settings.seed, _part_of(progress, 0.6, 1, "", 0.4))


def _train(model: Model, contract: Contract, results: TwinResults, settings: Settings) -> Training:
    """What padding does to training, where that was asked for."""
    if not settings.training:
        return Training(())
    loss = find_function(settings.loss, "--loss") if isinstance(settings.loss, str) else settings.loss
    return training(model, contract, results, loss, settings.seed)


def _relax_lengths(model: Model, inferred: Inference, settings: Settings) -> tuple[Inference, Model, tuple[str, ...]]:
    """Make fixed lengths variable again where that is sound, so that the number of pads can be tried."""
    domains = inferred.contract.domains
    padded = [d for d in domains if not d.assumed] or domains  # beside what is padded, fields of one size stay
    fixed = {d.name: d.fixed for domain in padded for d in domain.dimensions if d.fixed}
    if not fixed:
        return inferred, model, ()
    axes = {
        spec.name: tuple(a for name in fixed for a in spec.axes(name))
        for spec in inferred.contract.inputs
        if any(spec.axes(name) for name in fixed)
    }
    relaxed = model.relaxed(axes)
    if relaxed is None:
        return inferred, model, ()
    try:
        again = infer(relaxed, settings.overrides)
    except MaskcheckError:
        relaxed.close()
        return inferred, model, ()
    sizes = ", ".join(f"{name} = {size}" for name, size in fixed.items())
    note = (
        f"The file fixes {sizes}; a copy with that axis made variable gives the same answers there "
        "and was used to vary the length."
    )
    return again, relaxed, (note,)


def _judge(
    path: str,
    model: Model,
    contract: Contract,
    results: TwinResults,
    explanation: Explanation,
    trained: Training,
    restored: tuple[str, ...],
    settings: Settings,
) -> ModelReport:
    passport = (*results.passport, *trained.rows)
    evidence = AuditEvidence(
        info=model.info,
        path=path,
        contract=contract,
        passport=passport,
        origins=explanation.items,
        taken=[o.taken for o in results.observations if o.taken is not None],
        training=trained.facts,
    )
    outcome, reason = decide_outcome(contract, passport, settings.require)
    assumed = describe_assumed(contract) if outcome is not Outcome.SKIPPED else ""
    return ModelReport(
        path=path,
        sha256=model.info.sha256,
        format=model.info.format,
        outcome=outcome,
        reason=reason,
        contract=contract,
        passport=passport,
        findings=find(evidence),
        attention=explanation.attention,
        layers=layers(explanation.sites),
        notes=(*restored, *results.notes, *explanation.notes, *([assumed] if assumed else [])),
        curve=results.curve if outcome is Outcome.LEAKY else (),
    )


def _report_failure(path: str, model: Model | None, outcome: Outcome, error: MaskcheckError) -> ModelReport:
    info = model.info if model is not None else None
    return ModelReport(
        path=path,
        sha256=info.sha256 if info else None,
        format=info.format if info else "unknown",
        outcome=outcome,
        reason=str(error),
    )


def _with_duration(report: ModelReport, seconds: float) -> ModelReport:
    return replace(report, duration_s=round(seconds, 3))


def _part_of(progress: Progress, index: float, count: float, label: str, width: float = 1.0) -> Progress:
    """A progress callback that fills one part of another."""

    def report(step: str, fraction: float) -> None:
        progress(f"{label}: {step}" if label else step, (index + fraction * width) / count)

    return report


def _ignore_progress(step: str, fraction: float) -> None:
    return None


def _list_versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "device": "cpu"}
    for name in ("numpy", "onnx", "onnxruntime", "torch", "keras", "tensorflow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _describe_settings(settings: Settings) -> dict[str, object]:
    return {
        "seed": settings.seed,
        "samples": settings.samples,
        "require": list(settings.require),
        "fail_on": settings.fail_on,
        "inputs": settings.inputs,
        "optimization": settings.optimization,
        "provider": settings.provider,
        **({"training": True} if settings.training else {}),
    }
