"""``maskcheck compare`` on the fixtures, as a user would run it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

import maskcheck
from maskcheck.cli import main
from maskcheck.core.comparison import compare
from maskcheck.report.comparison_view import render
from maskcheck.report.rendering import Rendering
from tests.unit.report import sample

FIXTURES = Path(maskcheck.__file__).parent.parent / "fixtures"
LEAKY, CLEAN = str(FIXTURES / "reviews_leaky.onnx"), str(FIXTURES / "reviews_clean.onnx")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ("compare", "--isolated", *arguments), prog_name="maskcheck")


def test_an_added_leak_is_named_and_fails() -> None:
    result = run(CLEAN, LEAKY)
    assert result.exit_code == 1
    assert "added" in result.stdout
    assert "MC101 unmasked mean" in result.stdout
    assert "fixtures/models.py:" in result.stdout
    assert result.stdout.rstrip().splitlines()[-1].startswith("Worse")


def test_a_mended_leak_passes() -> None:
    result = run(LEAKY, CLEAN)
    assert result.exit_code == 0
    assert "gone" in result.stdout
    assert "Better" in result.stdout


def test_a_leak_that_both_have_passes() -> None:
    result = run(LEAKY, LEAKY)
    assert result.exit_code == 0
    assert "No worse" in result.stdout


def test_stdout_is_the_json_document_alone(tmp_path: Path) -> None:
    document = json.loads(run(CLEAN, LEAKY, "--format", "json").stdout)
    assert document["worse"]
    assert document["before"]["outcome"] == "clean"
    added = [finding for finding in document["after"]["findings"] if finding["fingerprint"] in document["added"]]
    assert [finding["rule"] for finding in added] == ["MC101"]
    changes = {row["twin"]: row["change"] for row in document["twins"] if row["gating"]}
    assert changes["length"] == "added"


def test_a_file_gets_the_format_of_its_name(tmp_path: Path) -> None:
    target = tmp_path / "comparison.json"
    assert run(CLEAN, CLEAN, "-o", str(target)).exit_code == 0
    assert json.loads(target.read_text(encoding="utf-8"))["worse"] is False


def test_a_model_that_is_missing_or_broken(tmp_path: Path) -> None:
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"no model")
    assert run(CLEAN, str(tmp_path / "missing.onnx")).exit_code == 2
    result = run(CLEAN, str(broken))
    assert result.exit_code == 3
    assert "Not comparable" in result.stdout


@pytest.mark.parametrize("width", [40, 80, 120])
def test_no_line_is_wider_than_asked_for_and_hostile_names_are_text(width: int) -> None:
    text = render(compare(sample.CLEAN, sample.LEAKY), Rendering(width=width, verbosity=1))
    assert max(cell_len(line) for line in text.splitlines()) <= width
    assert all(c.isprintable() or c == "\n" for c in text)
