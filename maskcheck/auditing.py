"""The use case: open a model, probe it, explain what leaks, judge, report. Prints nothing."""

from __future__ import annotations

import hashlib
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import numpy as np

from maskcheck import loaders, rules
from maskcheck._version import __version__
from maskcheck.core.contract import Conflict, Contract, Role
from maskcheck.core.errors import MaskcheckError, NothingToPadError, UsageError
from maskcheck.core.model import Model, ModelInfo
from maskcheck.core.report import (
    Finding,
    ModelReport,
    Outcome,
    PassportRow,
    Report,
    RootCause,
    Severity,
    Status,
    TwinKind,
)
from maskcheck.core.settings import Settings
from maskcheck.explain.explain_model import Explanation, OriginReport, explain_model
from maskcheck.explain.leakmap import layers
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.loaders.factory import find as find_function
from maskcheck.probe.contract.infer_contract import Inference, infer, infer_inner
from maskcheck.probe.instrumented import LARGE, Instrumented
from maskcheck.probe.layout import Row
from maskcheck.probe.run_twins import TwinResults, run
from maskcheck.probe.samples import Source, read_recorded
from maskcheck.probe.training import Training, training
from maskcheck.rules.static import MASK_DROPPED

Progress = Callable[[str, float], None]
_UNCLASSIFIED, _INVERTED = "MC999", "MC202"
_TAKEN = {Role.TOKENS: "MC702", Role.FEATURES: "MC706"}


def audit(paths: Sequence[str], settings: Settings, progress: Progress | None = None) -> Report:
    """Audit every model; one that fails becomes a report of its own and does not stop the others."""
    progress = progress or _silent
    models = []
    for i, path in enumerate(paths):
        part = _part(progress, i, len(paths), path)
        try:
            models.append(audit_model(path, settings, part))
        except UsageError as error:
            models.append(replace(_failed(path, None, Outcome.ERROR, error), usage_error=True))
    return _report(models, settings)


def audit_open(model: Model, settings: Settings, progress: Progress | None = None) -> Report:
    """Audit a model that is open already, and close it.

    Raises:
        UsageError: the settings do not fit the model.
    """
    return _report([audit_loaded(model, settings, progress)], settings)


def _report(models: Sequence[ModelReport], settings: Settings) -> Report:
    return Report(tuple(models), __version__, _environment(), _described(settings))


def audit_model(path: str, settings: Settings, progress: Progress | None = None) -> ModelReport:
    """Audit one model file.

    Raises:
        UsageError: the settings do not fit the model (an unknown input named, unreadable recorded inputs).
    """
    return _guarded(path, lambda: loaders.load(Path(path), settings), settings, progress or _silent)


def audit_loaded(model: Model, settings: Settings, progress: Progress | None = None) -> ModelReport:
    """Audit a model that is open already, and close it.

    Raises:
        UsageError: the settings do not fit the model.
    """
    return _guarded(model.info.path, lambda: model, settings, progress or _silent)


def _guarded(path: str, load: Callable[[], Model], settings: Settings, progress: Progress) -> ModelReport:
    started = time.perf_counter()
    model: Model | None = None
    try:
        progress("loading", 0.0)
        model = load()
        with np.errstate(all="ignore"):  # poisoned twins compute NaN and infinity on purpose
            report = _audit_open(path, model, settings, progress)
    except UsageError:
        raise
    except NothingToPadError as error:
        report = _failed(path, model, Outcome.SKIPPED, error)
    except MaskcheckError as error:
        report = _failed(path, model, Outcome.ERROR, error)
    finally:
        if model is not None:
            model.close()
    return _timed(report, time.perf_counter() - started)


def inspect(path: str, settings: Settings) -> tuple[Contract, ModelInfo]:
    """The contract of a model file, without auditing it."""
    return inspect_open(loaders.load(Path(path), settings), settings)


def inspect_open(model: Model, settings: Settings) -> tuple[Contract, ModelInfo]:
    """The contract of a model that is open already; closes it."""
    try:
        return _read(model, settings).contract, model.info
    finally:
        model.close()


def _audit_open(path: str, model: Model, settings: Settings, progress: Progress) -> ModelReport:
    progress("reading the contract", 0.05)
    inferred, probed, restored = _relaxed(model, _read(model, settings), settings)
    try:
        return _probe(path, probed, inferred, restored, settings, progress)
    finally:
        if probed is not model:
            probed.close()


def _read(model: Model, settings: Settings) -> Inference:
    """The contract of an open model; of a large one through its instrumented copy, which costs no loading."""
    return infer(Instrumented(model) if model.info.size_bytes > LARGE else model, settings.overrides)


def _probe(
    path: str,
    model: Model,
    inferred: Inference,
    restored: tuple[str, ...],
    settings: Settings,
    progress: Progress,
) -> ModelReport:
    """Run the results under a contract, explain what leaks, judge."""
    recorded = read_recorded(settings.inputs, inferred.contract) if settings.inputs else ()
    results, explanation = _tried(model, inferred, recorded, settings, progress)
    contract = inferred.contract
    inner = infer_inner(model, inferred, settings.overrides)
    if inner is not None:
        new = next(d for d in inner.contract.domains if d not in contract.domains)
        more, told = _tried(model, inner, (), settings, progress, new.name)
        results, explanation = results.beside(more), explanation.beside(told)
        contract = replace(
            contract, domains=(*contract.domains, new), inputs=(*contract.inputs, *inner.contract.of(new.name))
        )
    training_result = _trained(model, inferred.contract, results, settings)
    return _judged(path, model, contract, results, explanation, training_result, restored, settings)


def _tried(
    model: Model,
    inferred: Inference,
    recorded: Sequence[Row],
    settings: Settings,
    progress: Progress,
    only: str | None = None,
) -> tuple[TwinResults, Explanation]:
    """Run the twins under a contract, of one domain where that is named, and explain what leaks."""
    source = Source(inferred.contract, settings.seed, recorded)
    steps = _part(progress, 0.1, 1, "", 0.5)
    results = run(model, inferred.contract, inferred.lengths, source, settings, steps, only)
    if not settings.explain or results.judge is None:
        return results, Explanation()
    return results, explain_model(model, inferred.contract, results, settings.seed, _part(progress, 0.6, 1, "", 0.4))


def _trained(model: Model, contract: Contract, results: TwinResults, settings: Settings) -> Training:
    """What padding does to training, where that was asked for."""
    if not settings.training:
        return Training(())
    loss = find_function(settings.loss, "--loss") if isinstance(settings.loss, str) else settings.loss
    return training(model, contract, results, loss, settings.seed)


def _relaxed(model: Model, inferred: Inference, settings: Settings) -> tuple[Inference, Model, tuple[str, ...]]:
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


def _judged(
    path: str,
    model: Model,
    contract: Contract,
    results: TwinResults,
    explanation: Explanation,
    training_result: Training,
    restored: tuple[str, ...],
    settings: Settings,
) -> ModelReport:
    passport = (*results.passport, *explanation.passport, *training_result.rows)
    gating = [row for row in passport if row.gating]
    findings = (
        *_findings(path, model, contract, results, explanation),
        *_training_findings(path, model, training_result),
    )
    outcome, reason = _outcome(contract, gating, settings)
    unsaid = _unsaid(contract) if outcome is not Outcome.SKIPPED else ""
    return ModelReport(
        path,
        model.info.sha256,
        model.info.format,
        outcome,
        reason,
        contract,
        passport,
        findings,
        explanation.attention,
        layers(explanation.sites),
        (*restored, *results.notes, *explanation.notes, *([unsaid] if unsaid else [])),
        curve=results.curve if outcome is Outcome.LEAKY else (),
    )


def _outcome(contract: Contract, gating: Sequence[PassportRow], settings: Settings) -> tuple[Outcome, str | None]:
    """Leaky when a gating row leaks, clean when every required twin was tried, skipped when what matters could not
    be.
    """
    if any(row.status is Status.LEAKY for row in gating):
        return Outcome.LEAKY, None
    if contract.domains and all(d.assumed for d in contract.domains):
        return Outcome.SKIPPED, _unsaid(contract)
    tried = {row.twin for row in gating if row.status is Status.CLEAN}
    if TwinKind.LENGTH.value in settings.require and TwinKind.LENGTH not in tried:
        why = dict.fromkeys(row.reason or "?" for row in gating if row.status is Status.UNTESTED)
        return Outcome.SKIPPED, f"the number of pads could not be tried: {'; '.join(why)}."
    return (Outcome.CLEAN, None) if tried else (Outcome.SKIPPED, "nothing that gates could be tried.")


def _unsaid(contract: Contract) -> str:
    """Why some inputs decide nothing; empty where all may."""
    assumed = [d for d in contract.domains if d.assumed]
    names = ", ".join(i.name for d in assumed for i in contract.of(d.name))
    fixed = all(x.fixed for d in assumed for x in d.dimensions)
    why = "its length is fixed, and no mask or lengths go with it" if fixed else "no mask or lengths go with it"
    state = "If you pad it, say so: --input NAME=features,dims=batch:seq:-."
    return names and f"nothing says that {names} is ever padded: {why}. {state}"


def _findings(
    path: str, model: Model, contract: Contract, results: TwinResults, explanation: Explanation
) -> tuple[Finding, ...]:
    found = [_finding(path, diagnosis, items, explanation, results) for diagnosis, items in _causes(explanation)]
    found = [f for f in found if not (f.severity is Severity.INFO and f.rule == _UNCLASSIFIED)]
    known = {f.domain for f in found if f.severity is Severity.ERROR and f.rule != _UNCLASSIFIED}
    # What only moves values lets nothing in: a difference that is first seen there came from a place known already.
    found = [f for f in found if not (f.rule == _UNCLASSIFIED and f.domain in known and _only_moves(f.site))]
    if not any(f.rule == _INVERTED for f in found):
        found += [_contradicted(path, conflict, model) for conflict in contract.conflicts]
    found += _taken_for_padding(path, model, results)
    if not any(f.severity is Severity.ERROR for f in found):
        found = _promoted(found, results) or [*found, *_unplaced(path, results)]
    order = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
    return tuple(sorted(found, key=lambda f: (order[f.severity], -(f.share or 0.0))))


def _only_moves(site: Site | None) -> bool:
    return site is not None and site.kind is Kind.LAYOUT


def _contradicted(path: str, conflict: Conflict, model: Model) -> Finding:
    """A mask that works the other way round than its name says; the model's leak was placed elsewhere or nowhere."""
    cause = RootCause(None, f"the input {conflict.input!r}")
    found = _unmeasured(path, model, _INVERTED, TwinKind.MASK, None, conflict.message)
    return replace(found, root_cause=cause)


def _taken_for_padding(path: str, model: Model, results: TwinResults) -> Iterator[Finding]:
    """Real steps that the model takes for padding: a warning where they are known to occur."""
    for seen in results.observations:
        if seen.taken is None:
            continue
        code = _TAKEN[seen.taken.role]
        found = _unmeasured(path, model, code, TwinKind.VALID, seen.row.domain, _sentence(seen.row.reason or ""))
        severity = Severity.ERROR if seen.row.gating else Severity.WARNING if seen.taken.happens else Severity.INFO
        site = seen.taken.site
        yield replace(found, severity=severity, site=site, fingerprint=_fingerprint(code, path, site))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _training_findings(path: str, model: Model, training_result: Training) -> Iterator[Finding]:
    if training_result.facts is None:
        return
    dropped = [fact.detail for fact in model.info.static if fact.kind == MASK_DROPPED]
    for diagnosis in rules.diagnose_training(training_result.facts, dropped[-1] if dropped else None):
        code, domain = diagnosis.rule.code, training_result.facts.domain
        found = _unmeasured(path, model, code, TwinKind.TRAINING, domain, diagnosis.message)
        yield replace(found, severity=Severity.ERROR, root_cause=diagnosis.root_cause, fix=diagnosis.fix)


def _unmeasured(path: str, model: Model, code: str, twin: TwinKind, domain: str | None, message: str) -> Finding:
    """A warning about the whole model, by a twin that is no difference between answers."""
    rule = rules.rule(code)
    return Finding(
        rule.code,
        rule.name,
        Severity.WARNING,
        None,
        None,
        (twin,),
        domain,
        (),
        0.0,
        0.0,
        None,
        None,
        message,
        rule.mend(model.info.framework),
        _fingerprint(code, path, None),
    )


def _causes(explanation: Explanation) -> list[tuple[rules.Diagnosis, list[OriginReport]]]:
    """Origins by cause: the same rule in the same domain is one finding with several sites."""
    causes: dict[tuple[str, str | None], tuple[rules.Diagnosis, list[OriginReport]]] = {}
    for item in explanation.items:
        diagnosis = rules.diagnose(item.evidence)
        key = (diagnosis.rule.code, item.evidence.domain)
        causes.setdefault(key, (diagnosis, []))[1].append(item)
    return list(causes.values())


def _finding(
    path: str, diagnosis: rules.Diagnosis, items: Sequence[OriginReport], explanation: Explanation, results: TwinResults
) -> Finding:
    """One finding from all origins of one cause: the first in the model is its site, the others are related."""
    first = items[0]
    evidence = first.evidence
    site = diagnosis.site or evidence.site
    beside = (evidence.site,) if site.name != evidence.site.name else ()
    twins = tuple(t for t in TwinKind if any(t in item.evidence.at_site for item in items))
    outputs = tuple(dict.fromkeys(name for item in items for name in item.outputs))
    rows = [
        r
        for r in (*results.passport, *explanation.passport)
        if r.twin in twins and r.status is Status.LEAKY and r.domain in (evidence.domain, None)
    ]
    worst = max((o for r in rows for o in r.outputs if o.name in outputs), key=lambda o: o.difference, default=None)
    return Finding(
        diagnosis.rule.code,
        diagnosis.rule.name,
        _severity(rows),
        site,
        diagnosis.root_cause,
        twins,
        evidence.domain,
        outputs,
        worst.difference if worst else 0.0,
        worst.noise_floor if worst else 0.0,
        worst.influence if worst else None,
        _joint_share(items, explanation),
        diagnosis.message,
        diagnosis.fix,
        _fingerprint(diagnosis.rule.code, path, site),
        (*beside, *first.related, *(s for item in items[1:] for s in (item.evidence.site, *item.related))),
        first.interval,
    )


def _joint_share(items: Sequence[OriginReport], explanation: Explanation) -> float | None:
    """The share of one cause: what patching all its sites at once removes, or at most the sum of what each does."""
    twin = items[0].evidence.twin
    shares = [item.share for item in items if item.share is not None and item.evidence.twin is twin]
    if not shares:
        return None
    alone = sum(item.share is not None and item.evidence.twin is twin for item in explanation.items) == len(shares)
    joint = items[0].joint if items[0].joint is not None else 1.0
    return joint if alone else min(sum(shares), joint, 1.0)


def _severity(rows: Sequence[PassportRow]) -> Severity:
    """Errors gate; other contents of the pads are warnings; the side nobody asked for is information."""
    if any(r.gating for r in rows):
        return Severity.ERROR
    if all(r.twin is TwinKind.SIDE for r in rows):
        return Severity.INFO
    return Severity.WARNING


def _promoted(found: Sequence[Finding], results: TwinResults) -> list[Finding]:
    """Where a leak that gates could be traced in no twin of its own: the places where what the pads hold gets in.

    So it is with half precision, in which a twin's difference may lie below the noise that hides its way. Empty where
    there is no such place.
    """
    domains = {row.domain for row in results.passport if row.gating and row.status is Status.LEAKY}
    told = [f.severity is Severity.WARNING and f.site is not None and f.domain in domains for f in found]
    if not any(told):
        return []
    return [replace(f, severity=Severity.ERROR) if yes else f for f, yes in zip(found, told, strict=True)]


def _unplaced(path: str, results: TwinResults) -> list[Finding]:
    """A leak that no layer could be named for is still a leak: one finding for the worst of the gating rows."""
    rows = [row for row in results.passport if row.gating and row.status is Status.LEAKY]
    if not rows:
        return []
    row = max(rows, key=lambda r: r.difference)
    rule = rules.rule(_UNCLASSIFIED)
    worst = max(row.outputs, key=lambda o: o.difference, default=None)
    finding = Finding(
        rule.code,
        rule.name,
        Severity.ERROR,
        None,
        None,
        tuple(dict.fromkeys(r.twin for r in rows)),
        row.domain,
        tuple(o.name for o in row.outputs if not o.difference <= o.tolerance),
        worst.difference if worst else 0.0,
        worst.noise_floor if worst else 0.0,
        worst.influence if worst else None,
        None,
        f"The {row.twin.value} twin leaks ({row.variant}), but no layer could be named for it.",
        rule.fix.get("onnx", ""),
        _fingerprint(rule.code, path, None),
    )
    return [finding]


def _fingerprint(code: str, path: str, site: Site | None) -> str:
    text = "|".join((code, Path(path).as_posix(), site.name if site else ""))
    return hashlib.sha256(text.encode()).hexdigest()


def _failed(path: str, model: Model | None, outcome: Outcome, error: MaskcheckError) -> ModelReport:
    info = model.info if model is not None else None
    return ModelReport(path, info.sha256 if info else None, info.format if info else "unknown", outcome, str(error))


def _timed(report: ModelReport, seconds: float) -> ModelReport:
    return replace(report, duration_s=round(seconds, 3))


def _part(progress: Progress, index: float, count: float, label: str, width: float = 1.0) -> Progress:
    """A progress callback that fills one part of another."""

    def report(step: str, fraction: float) -> None:
        progress(f"{label}: {step}" if label else step, (index + fraction * width) / count)

    return report


def _silent(step: str, fraction: float) -> None:
    return None


def _environment() -> dict[str, str]:
    found = {"python": platform.python_version(), "device": "cpu"}
    for name in ("numpy", "onnx", "onnxruntime", "torch", "keras", "tensorflow"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _described(settings: Settings) -> dict[str, object]:
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
