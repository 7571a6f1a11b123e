"""Findings: what was measured, grouped by cause, with severity, share and mend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from maskcheck import rules
from maskcheck.core.contract import Conflict, Role
from maskcheck.core.evidence import OriginReport
from maskcheck.core.report import (
    Finding,
    OutputDifference,
    PassportRow,
    RootCause,
    Severity,
    Status,
    TakenForPadding,
    TwinKind,
)
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.static_fact import FactKind
from maskcheck.verdict.evidence import AuditEvidence
from maskcheck.verdict.fingerprints import fingerprint
from maskcheck.verdict.severity import ORDER, gating_leaks, promote, rate

UNCLASSIFIED, INVERTED = "MC999", "MC202"
_TAKEN = {Role.TOKENS: "MC702", Role.FEATURES: "MC706"}

Cause = tuple[rules.Diagnosis, list[OriginReport]]


def find(evidence: AuditEvidence) -> tuple[Finding, ...]:
    """All findings of one model, the most severe and the largest first."""
    found = _of_origins(evidence)
    if not any(f.rule == INVERTED for f in found):
        found += [_contradicted(evidence, conflict) for conflict in evidence.contract.conflicts]
    found += [_taken(evidence, taken) for taken in evidence.taken]
    if not any(f.severity is Severity.ERROR for f in found):
        found = promote(found, {row.domain for row in gating_leaks(evidence.passport)}) or [
            *found,
            *_unplaced(evidence),
        ]
    found += _of_training(evidence)
    return tuple(sorted(found, key=lambda f: (ORDER.index(f.severity), -(f.share or 0.0))))


def _of_origins(evidence: AuditEvidence) -> list[Finding]:
    found = [_placed(evidence, diagnosis, items) for diagnosis, items in _by_cause(evidence.origins)]
    found = [f for f in found if not (f.severity is Severity.INFO and f.rule == UNCLASSIFIED)]
    known = {f.domain for f in found if f.severity is Severity.ERROR and f.rule != UNCLASSIFIED}
    # What only moves values lets nothing in: a difference that is first seen there came from a place known already.
    return [f for f in found if not (f.rule == UNCLASSIFIED and f.domain in known and _only_moves(f.site))]


def _by_cause(origins: Sequence[OriginReport]) -> list[Cause]:
    """Origins by cause: the same rule in the same domain is one finding with several sites."""
    causes: dict[tuple[str, str | None], Cause] = {}
    for item in origins:
        diagnosis = rules.diagnose(item.evidence)
        key = (diagnosis.rule.code, item.evidence.domain)
        causes.setdefault(key, (diagnosis, []))[1].append(item)
    return list(causes.values())


def _only_moves(site: Site | None) -> bool:
    return site is not None and site.kind is Kind.LAYOUT


def _placed(evidence: AuditEvidence, diagnosis: rules.Diagnosis, items: Sequence[OriginReport]) -> Finding:
    """One finding from all origins of one cause: the first in the model is its site, the others are related."""
    first = items[0].evidence
    site = diagnosis.site or first.site
    twins = tuple(t for t in TwinKind if any(t in item.evidence.at_site for item in items))
    outputs = tuple(dict.fromkeys(name for item in items for name in item.outputs))
    rows = [r for r in evidence.passport if _shows(r, twins, first.domain)]
    moved = [o for row in rows for o in row.outputs if o.name in outputs]
    code = diagnosis.rule.code
    found = Finding(
        rule=code,
        name=diagnosis.rule.name,
        severity=rate(rows),
        site=site,
        root_cause=diagnosis.root_cause,
        twins=twins,
        domain=first.domain,
        outputs=outputs,
        difference=0.0,
        noise_floor=0.0,
        influence=None,
        share=share_of(items, evidence.origins),
        message=diagnosis.message,
        fix=diagnosis.fix,
        fingerprint=fingerprint(code, evidence.path, site),
        related=_related(items, site),
        interval=items[0].interval,
    )
    return _measured(found, moved)


def _shows(row: PassportRow, twins: Sequence[TwinKind], domain: str | None) -> bool:
    """Whether a row is a leak in one of ``twins``, of this domain or of none."""
    return row.twin in twins and row.status is Status.LEAKY and row.domain in (domain, None)


def _related(items: Sequence[OriginReport], site: Site) -> tuple[Site, ...]:
    own = items[0].evidence.site
    beside = (own,) if own.name != site.name else ()
    further = (s for item in items[1:] for s in (item.evidence.site, *item.related))
    return (*beside, *items[0].related, *further)


def _measured(found: Finding, moved: Sequence[OutputDifference]) -> Finding:
    """The finding with the size of the output that moved furthest."""
    worst = max(moved, key=lambda o: o.difference, default=None)
    if worst is None:
        return found
    return replace(found, difference=worst.difference, noise_floor=worst.noise_floor, influence=worst.influence)


def share_of(items: Sequence[OriginReport], origins: Sequence[OriginReport]) -> float | None:
    """The share of one cause, 0 to 1: what patching all its sites at once removes, or at most the sum of what each
    does. ``None`` where no origin's share was confirmed. ``origins`` are those of all causes.
    """
    twin = items[0].evidence.twin
    shares = [item.share for item in items if item.share is not None and item.evidence.twin is twin]
    if not shares:
        return None
    alone = sum(item.share is not None and item.evidence.twin is twin for item in origins) == len(shares)
    joint = items[0].joint if items[0].joint is not None else 1.0
    return joint if alone else min(sum(shares), joint, 1.0)


def _contradicted(evidence: AuditEvidence, conflict: Conflict) -> Finding:
    """A mask that works the other way round than its name says; the model's leak was placed elsewhere or nowhere."""
    found = _unmeasured(evidence, INVERTED, TwinKind.MASK, None, conflict.message)
    return replace(found, root_cause=RootCause(None, f"the input {conflict.input!r}"))


def _taken(evidence: AuditEvidence, taken: TakenForPadding) -> Finding:
    """Real steps that the model takes for padding: a warning where they are known to occur."""
    code = _TAKEN[taken.role]
    found = _unmeasured(evidence, code, TwinKind.VALID, taken.row.domain, _sentence(taken.row.reason or ""))
    unless_gating = Severity.WARNING if taken.happens else Severity.INFO
    severity = Severity.ERROR if taken.row.gating else unless_gating
    mark = fingerprint(code, evidence.path, taken.site)
    return replace(found, severity=severity, site=taken.site, fingerprint=mark)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _of_training(evidence: AuditEvidence) -> Iterator[Finding]:
    if evidence.training is None:
        return
    dropped = [fact.detail for fact in evidence.info.static if fact.kind is FactKind.MASK_DROPPED]
    for diagnosis in rules.diagnose_training(evidence.training, dropped[-1] if dropped else None):
        code, domain = diagnosis.rule.code, evidence.training.domain
        found = _unmeasured(evidence, code, TwinKind.TRAINING, domain, diagnosis.message)
        yield replace(found, severity=Severity.ERROR, root_cause=diagnosis.root_cause, fix=diagnosis.fix)


def _unplaced(evidence: AuditEvidence) -> Iterator[Finding]:
    """A leak that no layer could be named for is still a leak: one finding for the worst of the gating rows."""
    rows = gating_leaks(evidence.passport)
    if not rows:
        return
    row = max(rows, key=lambda r: r.difference)
    message = f"The {row.twin.value} twin leaks ({row.label}), but no layer could be named for it."
    found = _unmeasured(evidence, UNCLASSIFIED, row.twin, row.domain, message)
    found = replace(
        found,
        severity=Severity.ERROR,
        twins=tuple(dict.fromkeys(r.twin for r in rows)),
        outputs=tuple(o.name for o in row.outputs if o.moved),
        fix=rules.rule(UNCLASSIFIED).mend("onnx"),
    )
    yield _measured(found, row.outputs)


def _unmeasured(evidence: AuditEvidence, code: str, twin: TwinKind, domain: str | None, message: str) -> Finding:
    """A warning about the whole model, by a twin that is no difference between answers."""
    rule = rules.rule(code)
    return Finding(
        rule=rule.code,
        name=rule.name,
        severity=Severity.WARNING,
        site=None,
        root_cause=None,
        twins=(twin,),
        domain=domain,
        outputs=(),
        difference=0.0,
        noise_floor=0.0,
        influence=None,
        share=None,
        message=message,
        fix=rule.mend(evidence.info.framework),
        fingerprint=fingerprint(rule.code, evidence.path, None),
    )
