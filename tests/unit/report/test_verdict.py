"""The sentence behind the verdict."""

from __future__ import annotations

import math

import pytest

from maskcheck.core.report import ModelReport, Outcome, OutputDifference, PassportRow, Report, Status, TwinKind, Variant
from maskcheck.report.passport_view import entries
from maskcheck.report.verdict import sentence, summary


def row(twin: TwinKind, status: Status = Status.LEAKY, gating: bool = True, **output: object) -> PassportRow:
    outputs = (
        OutputDifference(**{"name": "logits", "difference": 0.82, "noise_floor": 0.0, "tolerance": 0.0, **output}),
    )  # type: ignore[arg-type]
    return PassportRow(
        twin=twin,
        variant=Variant.REPEATED,
        domain="seq",
        status=status,
        gating=gating,
        outputs=outputs if status is not Status.UNTESTED else (),
    )


def model(outcome: Outcome, *rows: PassportRow, reason: str | None = None) -> ModelReport:
    return ModelReport(path="m.onnx", sha256=None, format="onnx", outcome=outcome, reason=reason, passport=rows)


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(TwinKind.LENGTH, decisions_changed="3/16")], "padding changes 3 of 16 answers"),
        ([row(TwinKind.LENGTH, decisions_changed="0/16")], "padding moves logits by 0.82 sd"),
        ([row(TwinKind.LENGTH, decisions_changed="1/1")], "padding changes 1 of 1 answer"),
        (
            [row(TwinKind.LENGTH, decisions_changed="1/1"), row(TwinKind.LENGTH, decisions_changed="3/8")],
            "padding changes 3 of 8 answers",
        ),
        ([row(TwinKind.MATES)], "its place in the batch moves logits by 0.82 sd"),
        ([row(TwinKind.EMPTY, difference=math.nan)], "an empty row turns logits into NaN"),
        ([row(TwinKind.LENGTH), row(TwinKind.MATES)], "padding moves logits by 0.82 sd"),
        ([row(TwinKind.LENGTH), row(TwinKind.SIDE, gating=False, difference=9.0)], "padding moves logits by 0.82 sd"),
        ([], "padding changes the answers"),
    ],
)
def test_leaky(rows: list[PassportRow], expected: str) -> None:
    assert sentence(model(Outcome.LEAKY, *rows)) == expected


def test_clean() -> None:
    assert sentence(model(Outcome.CLEAN, row(TwinKind.LENGTH, Status.CLEAN))) == "padding changes nothing"


def test_clean_names_what_gates_and_was_not_tried() -> None:
    tried = model(Outcome.CLEAN, row(TwinKind.LENGTH, Status.CLEAN), row(TwinKind.MATES, Status.UNTESTED))
    assert sentence(tried) == "padding changes nothing as far as tested (not: mates)"


def test_skipped_gives_the_reason() -> None:
    assert sentence(model(Outcome.SKIPPED, reason="No padding.")) == "No padding."
    assert sentence(model(Outcome.ERROR)) == "no reason given"


def test_summary_of_one() -> None:
    assert summary(Report((model(Outcome.CLEAN),), "0")) == "1 model: 1 clean; no findings."


def test_a_group_is_never_clean_for_lack_of_trying() -> None:
    untested, clean, leaky = (row(TwinKind.MATES, status) for status in (Status.UNTESTED, Status.CLEAN, Status.LEAKY))
    assert [e.status for e in entries([untested, untested], False)] == [Status.UNTESTED]
    assert [e.status for e in entries([untested, clean], False)] == [Status.CLEAN]
    assert [e.status for e in entries([clean, leaky], False)] == [Status.LEAKY]
    assert len(entries([untested, clean, leaky], True)) == 3
