"""Severity: what gates is an error, the other side informs, everything else warns."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskcheck.core.report import PassportRow, Severity, Status, TwinKind
from maskcheck.verdict.findings import find
from maskcheck.verdict.severity import gating_leaks, promote, rate
from tests.unit.verdict.build import measured, origin, row

LEAKY = Status.LEAKY


@pytest.mark.parametrize(
    ("rows", "severity"),
    [
        ([row(TwinKind.LENGTH, LEAKY)], Severity.ERROR),
        ([row(TwinKind.SIDE, LEAKY, gating=False), row(TwinKind.LENGTH, LEAKY)], Severity.ERROR),
        ([row(TwinKind.SIDE, LEAKY, gating=False)], Severity.INFO),
        ([row(TwinKind.SIDE, LEAKY, gating=True)], Severity.ERROR),
        ([row(TwinKind.CONTENT, LEAKY, gating=False)], Severity.WARNING),
        ([row(TwinKind.CONTENT, LEAKY, gating=False), row(TwinKind.SIDE, LEAKY, gating=False)], Severity.WARNING),
    ],
)
def test_severity_by_rows(rows: list[PassportRow], severity: Severity) -> None:
    assert rate(rows) is severity


def test_training_is_no_leak_of_the_answers() -> None:
    rows = [row(TwinKind.TRAINING, LEAKY), row(TwinKind.MATES, LEAKY), row(TwinKind.CONTENT, LEAKY, gating=False)]
    assert [r.twin for r in gating_leaks(rows)] == [TwinKind.MATES]


def test_placed_warnings_of_a_leaking_domain_become_errors_and_no_others() -> None:
    content = [row(TwinKind.CONTENT, LEAKY, gating=False, moved=0.5)]
    (placed,) = find(measured(content, origins=(origin(twins={TwinKind.CONTENT: 0.5}),)))
    assert placed.severity is Severity.WARNING
    elsewhere, nowhere = replace(placed, domain="image"), replace(placed, site=None)
    found = promote([placed, elsewhere, nowhere], {"text"})
    assert [f.severity for f in found] == [Severity.ERROR, Severity.WARNING, Severity.WARNING]


def test_nothing_placed_promotes_nothing() -> None:
    assert promote([], {"text"}) == []
