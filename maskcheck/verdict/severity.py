"""How severe a leak is: whether it decides the verdict, warns, or informs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from maskcheck.core.report import Finding, PassportRow, Severity, Status, TwinKind

ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)
"""The most severe first."""


def rate(rows: Sequence[PassportRow]) -> Severity:
    """The severity of a leak that ``rows`` show: an error where one of them gates.

    Padding on the side that the model was not made for informs, and so do real steps that are taken for padding.
    """
    if any(row.gating for row in rows):
        return Severity.ERROR
    if all(row.twin is TwinKind.SIDE for row in rows):
        return Severity.INFO
    return Severity.WARNING


def gating_leaks(passport: Sequence[PassportRow]) -> list[PassportRow]:
    """Rows by which the answers leak, and which gate; what padding does to training is not among them."""
    return [r for r in passport if r.gating and r.status is Status.LEAKY and r.twin is not TwinKind.TRAINING]


def promote(findings: Sequence[Finding], domains: Collection[str | None]) -> list[Finding]:
    """Make errors of the placed warnings in ``domains``, which leak in a twin that gates and shows no place of its own.

    So it is with half precision, in which a twin's difference may lie below the noise that hides its way: the places
    where the content of pads gets in are the places of the leak. Empty where no finding has such a place.
    """
    placed = [f.severity is Severity.WARNING and f.site is not None and f.domain in domains for f in findings]
    if not any(placed):
        return []
    return [
        replace(finding, severity=Severity.ERROR) if yes else finding
        for finding, yes in zip(findings, placed, strict=True)
    ]
