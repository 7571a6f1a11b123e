"""The models that ship with the project, audited as the README says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from maskcheck.auditing import audit_model
from maskcheck.core.report import Outcome, Severity, TwinKind
from maskcheck.core.settings import Settings

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.mark.parametrize(("name", "operation"), [("reviews", "ReduceMean"), ("tagger", "LSTM")])
def test_leaky_and_clean_siblings_are_told_apart(name: str, operation: str) -> None:
    clean = audit_model(str(FIXTURES / f"{name}_clean.onnx"), Settings())
    leaky = audit_model(str(FIXTURES / f"{name}_leaky.onnx"), Settings())
    assert clean.outcome is Outcome.CLEAN
    assert leaky.outcome is Outcome.LEAKY
    errors = [f for f in leaky.findings if f.severity is Severity.ERROR]
    assert [f.site.operator for f in errors if f.site] == [operation]
    assert errors[0].share == pytest.approx(1.0, abs=0.01)


def test_the_leak_is_placed_in_the_file_it_was_written_in() -> None:
    found = audit_model(str(FIXTURES / "reviews_leaky.onnx"), Settings())
    source = next(f.site.source for f in found.findings if f.site and f.severity is Severity.ERROR)
    assert source is not None and source.file == "fixtures/models.py"
    line = (FIXTURES.parent / source.file).read_text().splitlines()[source.line - 1]
    assert "self.pool" in line  # the exporter records the forward frames: the call of the mean


def test_the_notes_say_what_the_leaks_cost() -> None:
    notes = json.loads((FIXTURES / "notes.json").read_text())
    for name in ("reviews", "tagger"):
        leaky, clean = notes[f"{name}_leaky"], notes[f"{name}_clean"]
        assert leaky["accuracy_unpadded"] - leaky["accuracy_padded_64"] > 0.1
        assert clean["accuracy_unpadded"] == clean["accuracy_padded_64"]


def test_gating_under_left_padding_is_on_request() -> None:
    path = str(FIXTURES / "reviews_clean.onnx")
    strict = audit_model(path, Settings(require=("length", "mates", "side")))
    assert strict.outcome is Outcome.LEAKY
    assert any(TwinKind.SIDE in f.twins and f.severity is Severity.ERROR for f in strict.findings)


def test_recorded_inputs_are_used(tmp_path: Path) -> None:
    samples = tmp_path / "samples.jsonl"
    lines = [
        {"input_ids": [7, 9, 11, 5, 6, 0, 0], "attention_mask": [1, 1, 1, 1, 1, 0, 0]},
        {"input_ids": [12, 13, 14, 8, 7, 9, 10], "attention_mask": [1] * 7},
    ]
    samples.write_text("\n".join(json.dumps(line) for line in lines))
    found = audit_model(str(FIXTURES / "reviews_leaky.onnx"), Settings(inputs=str(samples)))
    assert found.outcome is Outcome.LEAKY
