"""What differs between two audits, and which differences count."""

from __future__ import annotations

import dataclasses
import math

import pytest

from maskcheck.core.comparison import Change, compare
from maskcheck.core.contract import Contract
from maskcheck.core.report import (
    Accepted,
    Finding,
    ModelReport,
    Outcome,
    OutputDifference,
    PassportRow,
    Severity,
    Status,
    TwinKind,
    Variant,
)
from tests.unit.report import sample


def row(
    status: Status, difference: float = 0.0, twin: TwinKind = TwinKind.LENGTH, gating: bool = True, domain: str = "seq"
) -> PassportRow:
    outputs = (
        ()
        if status is Status.UNTESTED
        else (OutputDifference(name="y", difference=difference, noise_floor=1e-6, tolerance=1e-5),)
    )
    return PassportRow(
        twin=twin, variant=Variant.RIGHT, domain=domain, status=status, gating=gating, reason=None, outputs=outputs
    )


def model(*rows: PassportRow, findings: tuple[Finding, ...] = (), contract: Contract | None = None) -> ModelReport:
    leaks = any(r.status is Status.LEAKY and r.gating for r in rows)
    outcome = Outcome.LEAKY if leaks else Outcome.CLEAN
    return ModelReport(
        path="m", sha256=None, format="onnx", outcome=outcome, passport=rows, findings=findings, contract=contract
    )


def finding(rule: str, severity: Severity = Severity.ERROR) -> Finding:
    return dataclasses.replace(sample.FINDINGS[0], rule=rule, severity=severity)


CLEAN, LEAKY = row(Status.CLEAN), row(Status.LEAKY, 0.5)


def test_a_model_beside_itself_is_no_worse() -> None:
    for rows in (CLEAN, LEAKY):
        comparison = compare(model(rows), model(rows))
        assert [t.change for t in comparison.twins] == [Change.SAME]
        assert not comparison.worse


def test_an_added_leak_counts_and_a_mended_one_does_not() -> None:
    added, mended = compare(model(CLEAN), model(LEAKY)), compare(model(LEAKY), model(CLEAN))
    assert (added.twins[0].change, added.worse) == (Change.ADDED, True)
    assert (mended.twins[0].change, mended.worse) == (Change.MENDED, False)


@pytest.mark.parametrize(("after", "worse"), [(4.9, False), (5.1, True), (math.nan, True), (math.inf, True)])
def test_growth_counts_from_ten_times_on(after: float, worse: bool) -> None:
    assert compare(model(LEAKY), model(row(Status.LEAKY, after))).worse is worse


def test_what_does_not_gate_is_shown_but_does_not_count() -> None:
    rows = [row(status, 0.5, TwinKind.POISON, gating=False) for status in (Status.CLEAN, Status.LEAKY)]
    comparison = compare(model(CLEAN, rows[0]), model(CLEAN, rows[1]))
    assert [t.change for t in comparison.twins] == [Change.SAME, Change.ADDED]
    assert not comparison.worse


def test_a_row_that_does_not_gate_cannot_hide_behind_or_spoil_one_that_does() -> None:
    aside = row(Status.LEAKY, 3.0, gating=False)
    assert not compare(model(CLEAN), model(CLEAN, aside)).worse
    assert compare(model(CLEAN, aside), model(LEAKY, aside)).worse


def test_untested_is_neither_added_nor_mended() -> None:
    comparison = compare(model(LEAKY), model(row(Status.UNTESTED)))
    assert comparison.twins[0].change is Change.UNKNOWN


def test_domains_of_one_name_are_compared_one_by_one() -> None:
    before = model(row(Status.LEAKY, 0.5, domain="source"), row(Status.CLEAN, domain="target"))
    after = model(row(Status.LEAKY, 0.5, domain="source"), row(Status.LEAKY, 0.5, domain="target"))
    assert [t.change for t in compare(before, after).twins] == [Change.SAME, Change.ADDED]


def test_domains_named_anew_are_compared_together() -> None:
    before, after = model(row(Status.CLEAN, domain="seq")), model(row(Status.CLEAN, domain="s77"))
    assert [t.change for t in compare(before, after).twins] == [Change.SAME]


def test_a_cause_beside_the_old_ones_counts_and_one_in_their_place_does_not() -> None:
    old = model(LEAKY, findings=(finding("MC101"),))
    more = compare(old, model(LEAKY, findings=(finding("MC101"), finding("MC201"))))
    other = compare(old, model(LEAKY, findings=(finding("MC102"),)))
    assert ([f.rule for f in more.added], more.worse) == (["MC201"], True)
    assert ([f.rule for f in other.added], [f.rule for f in other.gone], other.worse) == (["MC102"], ["MC101"], False)


def test_a_warning_that_is_new_does_not_count() -> None:
    assert not compare(model(CLEAN), model(CLEAN, findings=(finding("MC301", Severity.WARNING),))).worse


def test_accepted_leaks_do_not_count() -> None:
    leak = finding("MC101")
    accepted = dataclasses.replace(model(LEAKY), accepted=(Accepted(leak, "by design", "a file"),))
    assert not compare(model(CLEAN), accepted).worse


def test_a_model_that_could_not_be_audited_is_not_comparable() -> None:
    for pair in ((sample.BROKEN, sample.LEAKY), (sample.CLEAN, sample.SKIPPED)):
        comparison = compare(*pair)
        assert not comparison.comparable
        assert not comparison.worse


def test_a_lost_mask_is_named_and_a_renamed_one_is_not() -> None:
    contract = sample.CONTRACT
    without = dataclasses.replace(contract, inputs=tuple(i for i in contract.inputs if i.name != "attention_mask"))
    renamed = dataclasses.replace(
        contract,
        inputs=tuple(
            dataclasses.replace(i, name="mask_1") if i.name == "attention_mask" else i for i in contract.inputs
        ),
    )
    before = model(CLEAN, contract=contract)
    assert compare(before, model(CLEAN, contract=without)).lost == ("attention_mask",)
    assert compare(before, model(CLEAN, contract=renamed)).lost == ()
    assert compare(model(CLEAN, contract=without), before).lost == ()
