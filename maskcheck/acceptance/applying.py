"""Findings -> those that gate and those that were let pass."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from maskcheck.acceptance.baseline import UNREVIEWED, Baseline
from maskcheck.acceptance.policy import Policy
from maskcheck.core.report import Accepted, Finding, ModelReport, Outcome, Severity


def apply(model: ModelReport, policy: Policy, baseline: Baseline | None = None) -> ModelReport:
    """Return the report with every accepted finding set apart, and what is accepted in vain named.

    Information never gates and stays among the findings unless it is ignored by name.
    """
    kept: list[Finding] = []
    accepted: list[Accepted] = []
    for finding in model.findings:
        pardon = _pardon(model, finding, policy, baseline)
        if pardon is None:
            kept.append(finding)
        else:
            accepted.append(pardon)
    return replace(
        model,
        findings=tuple(_marked(model, f, baseline) for f in kept),
        accepted=(*model.accepted, *accepted),
        suppressed=model.suppressed + len(accepted),
        stale=(*model.stale, *_stale(model, policy, baseline)),
    )


def _pardon(model: ModelReport, finding: Finding, policy: Policy, baseline: Baseline | None) -> Accepted | None:
    passed_over = policy.selection.reason(finding.rule)
    if passed_over is not None:
        return Accepted(finding, passed_over, "the command line")
    ignored = next((i for i in policy.ignores if i.matches(finding)), None)
    if ignored is not None:
        return Accepted(finding, ignored.reason, policy.source)
    if finding.severity is Severity.INFO:
        return None
    reason = policy.reason(finding)
    if reason is not None:
        return Accepted(finding, reason, policy.source)
    entry = baseline.entry(model, finding) if baseline is not None else None
    if baseline is not None and entry is not None and entry.covers(finding):
        return Accepted(finding, entry.reason or UNREVIEWED, baseline.source)
    return None


def _marked(model: ModelReport, finding: Finding, baseline: Baseline | None) -> Finding:
    """Say of a known finding that gates all the same why it does."""
    entry = baseline.entry(model, finding) if baseline is not None else None
    if entry is None or entry.covers(finding):
        return finding
    return replace(finding, message=f"{finding.message} It grew: the baseline knows it as {entry.difference:.2g} sd.")


def _stale(model: ModelReport, policy: Policy, baseline: Baseline | None) -> Iterator[str]:
    """Only of models whose findings are known: a model that failed makes nothing stale."""
    if model.outcome not in (Outcome.CLEAN, Outcome.LEAKY):
        return
    for ignore in policy.ignores:
        if not any(ignore.matches(finding) for finding in model.findings):
            at = "" if ignore.site == "*" else f" at {ignore.site}"
            yield f"{ignore.rule}{at} is ignored in {policy.source}, and nothing like it is found."
    if baseline is None:
        return
    found = {entry.key for f in model.findings if (entry := baseline.entry(model, f)) is not None}
    for entry in baseline.of(model):
        if entry.key not in found:
            yield f"{entry.rule} at {entry.site} is in {baseline.source} and is not found any more."
