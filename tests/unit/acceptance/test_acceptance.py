"""Baselines and policies: what is let pass, what is not any more, and what the file looks like."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

from maskcheck.acceptance import Baseline, BaselineEntry, Ignore, Policy, apply, read, record, to_text
from maskcheck.core.errors import UsageError
from maskcheck.core.report import Finding, ModelReport, Outcome, Severity
from tests.unit.report import sample

NOTHING = Policy()
MEAN, FILL, NAMED, SIDE = sample.FINDINGS
LEAKY = dataclasses.replace(sample.LEAKY, findings=sample.FINDINGS, accepted=(), stale=(), suppressed=0)


def baseline_of(*models: ModelReport, reason: str = "") -> Baseline:
    return record(models, Baseline(source="known.json"), reason)


def with_findings(*findings: Finding) -> ModelReport:
    return dataclasses.replace(LEAKY, findings=findings)


def test_what_is_recorded_does_not_gate() -> None:
    found = apply(LEAKY, NOTHING, baseline_of(LEAKY, reason="known since May"))
    assert [f.rule for f in found.findings] == [SIDE.rule], "information never gated"
    assert [a.finding.rule for a in found.accepted] == [MEAN.rule, FILL.rule, NAMED.rule]
    assert {(a.reason, a.source) for a in found.accepted} == {("known since May", "known.json")}
    assert found.suppressed == 3 and found.stale == ()
    assert found.excused and found.outcome is Outcome.LEAKY


def test_what_is_new_gates() -> None:
    found = apply(LEAKY, NOTHING, baseline_of(with_findings(FILL)))
    assert MEAN in found.findings and not found.excused


@pytest.mark.parametrize(
    ("factor", "gates"), [(0.1, False), (1.0, False), (9.9, False), (10.1, True), (math.nan, True)]
)
def test_what_grew_gates_again(factor: float, gates: bool) -> None:
    grown = dataclasses.replace(MEAN, difference=MEAN.difference * factor)
    found = apply(with_findings(grown), NOTHING, baseline_of(with_findings(MEAN)))
    assert bool(found.findings) is gates
    if gates:
        assert "It grew" in found.findings[0].message


def test_a_leak_that_was_infinite_cannot_grow() -> None:
    infinite = dataclasses.replace(MEAN, difference=math.inf)
    assert apply(with_findings(infinite), NOTHING, baseline_of(with_findings(infinite))).findings == ()


def test_what_is_gone_is_stale() -> None:
    known = baseline_of(LEAKY)
    found = apply(with_findings(FILL), NOTHING, known)
    assert [line.split(" ")[0] for line in found.stale] == [MEAN.rule, NAMED.rule]
    failed = dataclasses.replace(LEAKY, findings=(), outcome=Outcome.ERROR)
    assert apply(failed, NOTHING, known).stale == (), "a model that failed shows nothing"
    other = dataclasses.replace(LEAKY, path="another.onnx", findings=())
    assert apply(other, NOTHING, known).stale == ()


def test_a_baseline_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "known.json"
    odd = dataclasses.replace(LEAKY, findings=(dataclasses.replace(MEAN, difference=math.nan), FILL, NAMED))
    known = record([odd], Baseline(folder=tmp_path), "because")
    path.write_text(to_text(known), encoding="utf-8")
    again = read(path)
    assert again.entries.keys() == known.entries.keys()
    assert math.isnan(next(e for e in again.entries.values() if e.rule == MEAN.rule).difference)
    assert to_text(again) == to_text(known)


def test_the_file_has_a_line_for_each_finding_in_order(tmp_path: Path) -> None:
    text = to_text(baseline_of(LEAKY, reason="x"))
    lines = [line for line in text.splitlines() if "fingerprint" in line]
    assert len(lines) == 3 and lines == sorted(lines)
    assert all(len(entry["fingerprint"]) == 64 for entry in json.loads(text)["findings"])
    assert json.loads(to_text(Baseline())) == {"version": 1, "findings": []}


def test_a_new_baseline_keeps_reasons_and_what_was_not_audited() -> None:
    other = dataclasses.replace(LEAKY, path="other.onnx", findings=(FILL,))
    failed = dataclasses.replace(LEAKY, path="failed.onnx", findings=(FILL,))
    old = baseline_of(with_findings(MEAN, NAMED), other, failed, reason="first")
    now_failed = dataclasses.replace(failed, findings=(), outcome=Outcome.ERROR)
    new = record([with_findings(MEAN, FILL), now_failed], old, "second")
    found = {(entry.model.rsplit("/", 1)[-1], entry.rule): entry.reason for entry in new.entries.values()}
    assert found == {
        ("reviews.onnx", MEAN.rule): "first",
        ("reviews.onnx", FILL.rule): "second",
        ("other.onnx", FILL.rule): "first",
        ("failed.onnx", FILL.rule): "first",
    }


def test_the_baseline_knows_a_model_wherever_it_is_audited_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    known = record([with_findings(MEAN)], Baseline(folder=tmp_path))
    assert next(iter(known.entries.values())).model == "exports/reviews.onnx"
    monkeypatch.chdir(tmp_path / "deep")
    for path in ("../exports/reviews.onnx", str(tmp_path / "exports" / "reviews.onnx")):
        assert apply(dataclasses.replace(with_findings(MEAN), path=path), NOTHING, known).findings == ()


def test_findings_without_a_place_are_told_apart_by_their_twins() -> None:
    nowhere = dataclasses.replace(MEAN, site=None)
    other = dataclasses.replace(nowhere, twins=(sample.TwinKind.MATES,))
    found = apply(with_findings(nowhere, other), NOTHING, baseline_of(with_findings(nowhere)))
    assert found.findings == (other,)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"version": 1}',
        '{"version": 2, "findings": []}',
        '{"version": 1, "findings": [{}]}',
        '{"version": 1, "findings": [3]}',
        '{"version": 1, "findings": [{"rule": 1, "model": "m", "site": "s", "difference": 1}]}',
        '{"version": 1, "findings": [{"rule": "r", "model": "m", "site": "s", "difference": "x"}]}',
    ],
)
def test_what_is_no_baseline(tmp_path: Path, text: str) -> None:
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(UsageError, match="Reading the baseline"):
        read(path)


def test_no_baseline_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(tmp_path / "none.json")
    assert "maskcheck baseline" in caught.value.hint


@pytest.mark.parametrize(
    ("ignore", "expected"),
    [
        (Ignore("MC101", "x"), True),
        (Ignore("mc101", "x"), True),
        (Ignore("unmasked-mean", "x"), True),
        (Ignore("MC1*", "x"), True),
        (Ignore("MC2*", "x"), False),
        (Ignore("MC101", "x", "/pool/*"), True),
        (Ignore("MC101", "x", "pool.forward"), True),
        (Ignore("MC101", "x", "*/reviews.py"), True),
        (Ignore("MC101", "x", "head.*"), False),
    ],
)
def test_ignores(ignore: Ignore, expected: bool) -> None:
    assert ignore.matches(MEAN) is expected


def test_ignored_findings_carry_their_reason_and_useless_ignores_are_named() -> None:
    policy = Policy(
        (Ignore("MC101", "by design"), Ignore("MC999", "old"), Ignore("MC301", "never padded left")), source="p.toml"
    )
    found = apply(LEAKY, policy)
    assert [(a.finding.rule, a.reason, a.source) for a in found.accepted] == [
        ("MC101", "by design", "p.toml"),
        ("MC301", "never padded left", "p.toml"),
    ]
    assert found.stale == ("MC999 is ignored in p.toml, and nothing like it is found.",)


@pytest.mark.parametrize(
    ("policy", "accepted"),
    [
        (Policy(max_difference=1.0), True),
        (Policy(max_difference=0.5), False),
        (Policy(max_influence=0.5), True),
        (Policy(max_difference=1.0, max_influence=0.1), False),
        (Policy(), False),
    ],
)
def test_thresholds(policy: Policy, accepted: bool) -> None:
    assert bool(apply(with_findings(MEAN), policy).accepted) is accepted


def test_no_threshold_accepts_what_was_not_measured() -> None:
    odd = dataclasses.replace(MEAN, difference=math.nan, influence=None)
    assert apply(with_findings(odd), Policy(max_difference=1e9)).accepted == ()
    assert apply(with_findings(odd), Policy(max_influence=1e9)).accepted == ()


def test_an_entry_has_the_fingerprint_of_its_place() -> None:
    a, b = BaselineEntry("MC101", "m.onnx", "s", 1.0), BaselineEntry("MC101", "m.onnx", "s", 2.0, "reason")
    assert a.fingerprint == b.fingerprint != BaselineEntry("MC101", "m.onnx", "t", 1.0).fingerprint


def test_only_gating_severities_excuse() -> None:
    warned = dataclasses.replace(LEAKY, findings=tuple(f for f in LEAKY.findings if f.severity is not Severity.ERROR))
    assert not warned.excused, "nothing was accepted"
