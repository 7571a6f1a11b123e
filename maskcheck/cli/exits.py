"""Exit codes, and which of them a report deserves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskcheck.core.report import ModelReport, Report

OK = 0
LEAK = 1
USAGE = 2
NOT_AUDITED = 3
INTERRUPTED = 130


def exit_code(report: Report, fail_on: str) -> int:
    """Return the exit code: a leak outweighs a usage error, which outweighs a model that could not be audited.

    ``fail_on`` is "error" (a gating leak), "warning" (a warning as well) or "never" (leaks do not count). Leaks that
    were accepted do not count either.
    """
    if any(_fails(model, fail_on) for model in report.models):
        return LEAK
    if any(model.usage_error for model in report.models):
        return USAGE
    return OK if report.models and all(_audited(model) for model in report.models) else NOT_AUDITED


def _fails(model: ModelReport, fail_on: str) -> bool:
    if fail_on == "never":
        return False
    warned = fail_on == "warning" and any(finding.severity in ("warning", "error") for finding in model.findings)
    return (model.outcome == "leaky" and not model.excused) or warned


def _audited(model: ModelReport) -> bool:
    """Whether anything was probed at all: a model whose every twin is untested is not clean."""
    return model.outcome in ("clean", "leaky") and any(row.status != "untested" for row in model.passport)
