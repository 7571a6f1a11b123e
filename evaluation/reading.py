"""What a report says, held against the marks of a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.marks import Fault, Marks, Place
from maskcheck.core.report import Finding, ModelReport, Severity

Rules = Mapping[Place, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The verdict of an audit, and what of its places and causes is right."""

    outcome: str
    reason: str | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    """The rule at each place that a finding names."""
    related: tuple[Place, ...] = ()
    root_causes: tuple[Place, ...] = ()
    rules: tuple[str, ...] = ()
    placed: bool = False
    """Whether the right places are named and no other."""
    causes: Mapping[str, str | None] = field(default_factory=dict)
    """The rules at the places of each fault."""
    causes_right: int = 0


def read(case: Any, marks: Marks, report: ModelReport) -> Said:
    """What the errors of a report say."""
    return told(marks, errors(report), report.outcome.value, report.reason)


def errors(report: ModelReport) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity is Severity.ERROR]


def told(marks: Marks, findings: Sequence[Finding], outcome: str, reason: str | None) -> Said:
    """What these findings say."""
    named, related = _named(marks, findings), _related(marks, findings)
    known = named if marks.one_is_enough else {**related, **named}
    begun = _begun(marks, findings)
    rules = {fault.name: _rules(fault, known) for fault in marks.faults}
    return Said(
        outcome=outcome,
        reason=reason,
        named={str(place): rule for place, rule in _ordered(named).items()},
        related=tuple(_ordered(related)),
        root_causes=tuple(_ordered(dict.fromkeys(begun))),
        rules=tuple(sorted({f.rule for f in findings})),
        placed=_placed(marks, named, known),
        causes={name: "/".join(sorted(found)) or None for name, found in rules.items()},
        causes_right=sum(_explained(fault, rules[fault.name], begun) for fault in marks.faults),
    )


def _named(marks: Marks, findings: Sequence[Finding]) -> dict[Place, str]:
    found = [(marks.sites.named(f.site), f.rule) for f in findings]
    # The first of two findings at one place counts: a dict keeps the last that it is given.
    ordered = found if marks.last_counts else found[::-1]
    return {place: rule for place, rule in ordered if place is not None}


def _related(marks: Marks, findings: Sequence[Finding]) -> dict[Place, str]:
    found = [(marks.sites.related(site), f.rule) for f in findings for site in f.related]
    return {place: rule for place, rule in found if place is not None}


def _begun(marks: Marks, findings: Sequence[Finding]) -> set[Place]:
    sites = [f.root_cause.site for f in findings if f.root_cause is not None and f.root_cause.site is not None]
    return {place for site in sites if (place := marks.sites.begun(site)) is not None}


def _ordered(rules: Rules) -> dict[Place, str]:
    return dict(sorted(rules.items(), key=lambda item: (str(type(item[0])), item[0])))


def _placed(marks: Marks, named: Rules, known: Rules) -> bool:
    enough = bool(named) if marks.one_is_enough else marks.places <= set(known)
    return enough and set(named) <= marks.places | marks.behind


def _rules(fault: Fault, known: Rules) -> set[str]:
    found = [known[place] for place in fault.at if place in known]
    return set(found[:1] if fault.first_named else found)


def _explained(fault: Fault, rules: set[str], begun: set[Place]) -> bool:
    return bool(rules & fault.rules) and (not fault.begun or bool(fault.begun & begun))
