"""The gate as a team uses it: a configuration, a baseline, reports in files, and a job of GitHub Actions."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from maskcheck import auditing as use_case
from maskcheck.cli import main
from maskcheck.core.report import ModelReport, Report
from maskcheck.core.settings import Settings
from tests.unit.report import sample

LEAKY = dataclasses.replace(sample.LEAKY, accepted=(), stale=(), suppressed=0)
MODELS = {"leaky": LEAKY, "clean": sample.CLEAN, "error": sample.BROKEN}


class FakeAudit:
    """Reports whatever the names of the files say, and remembers which settings each was given."""

    def __init__(self) -> None:
        self.settings: dict[str, Settings] = {}
        self.models = dict(MODELS)

    def __call__(self, paths: Sequence[str], settings: Settings, progress: Callable[[str, float], None]) -> Report:
        self.settings.update(dict.fromkeys((Path(path).stem for path in paths), settings))
        models = tuple(dataclasses.replace(self.models[Path(path).stem], path=path) for path in paths)
        return Report(models, "0.1.0", {}, {})


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeAudit:
    """A repository with a model for each outcome under exports/, and an audit that only looks at their names."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "exports").mkdir()
    for name in MODELS:
        (tmp_path / "exports" / f"{name}.onnx").write_bytes(b"a model")
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    audit = FakeAudit()
    monkeypatch.setattr(use_case, "audit", audit)
    return audit


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="maskcheck")


def configured(text: str) -> None:
    Path("maskcheck.toml").write_text(text, encoding="utf-8")


def test_the_models_of_the_configuration(fake: FakeAudit) -> None:
    configured("[[models]]\npath = 'exports/[!e]*.onnx'\n")
    result = run("audit", "-q")
    assert result.exit_code == 1
    assert [line.split(" ")[0] for line in result.stdout.splitlines()[:2]] == [
        "exports/clean.onnx",
        "exports/leaky.onnx",
    ]


def test_without_models_anywhere_it_is_a_usage_error(fake: FakeAudit) -> None:
    assert run("audit").exit_code == run("baseline").exit_code == 2
    configured("seed = 1")
    assert "Missing argument" in run("audit").stderr


def test_a_pattern_that_fits_nothing_closes_the_gate(fake: FakeAudit) -> None:
    configured("[[models]]\npath = 'exports/clean.onnx'\n[[models]]\npath = 'moved/*.onnx'\n")
    result = run("audit")
    assert result.exit_code == 2 and "nothing fits path = 'moved/*.onnx'" in result.stderr


def test_default_then_file_then_flag(fake: FakeAudit) -> None:
    configured("samples = 4\nseed = 5\n[[models]]\npath = 'exports/leaky.onnx'\nseed = 6\nrequire = ['side']\n")
    run("audit", "exports/leaky.onnx", "exports/clean.onnx", "--samples", "3")
    leaky, clean = fake.settings["leaky"], fake.settings["clean"]
    assert (leaky.samples, leaky.seed, leaky.require) == (3, 6, ("length", "mates", "side"))
    assert (clean.samples, clean.seed, clean.require) == (3, 5, ("length", "mates"))
    run("audit", "exports/leaky.onnx", "--isolated", "--require", "content")
    assert (fake.settings["leaky"].seed, fake.settings["leaky"].require) == (0, ("length", "mates", "content"))


def test_fail_on_from_the_file(fake: FakeAudit) -> None:
    configured("fail_on = 'never'")
    assert run("audit", "exports/leaky.onnx").exit_code == 0
    assert run("audit", "exports/leaky.onnx", "--fail-on", "error").exit_code == 1


def test_another_file_by_name(fake: FakeAudit) -> None:
    Path("elsewhere.toml").write_text("seed = 9")
    run("audit", "exports/clean.onnx", "--config", "elsewhere.toml")
    assert fake.settings["clean"].seed == 9
    assert run("audit", "exports/clean.onnx", "--config", "none.toml").exit_code == 2


def test_an_unknown_key_stops_the_audit(fake: FakeAudit) -> None:
    configured("fial_on = 'error'")
    result = run("audit", "exports/clean.onnx")
    assert result.exit_code == 2 and fake.settings == {}
    assert "unknown key 'fial_on'" in result.stderr and "Did you mean 'fail_on'?" in result.stderr


def test_accept_one_finding_break_it_again_and_the_gate_closes(fake: FakeAudit) -> None:
    assert run("audit", "exports/leaky.onnx").exit_code == 1
    assert run("baseline", "exports/leaky.onnx", "--reason", "mended in March").exit_code == 0
    passed = run("audit", "exports/leaky.onnx", "--baseline", "maskcheck-baseline.json")
    assert passed.exit_code == 0 and "mended in March" in passed.stdout and "all of it accepted" in passed.stdout
    worse = dataclasses.replace(LEAKY.findings[0], difference=50.0)
    fake.models["leaky"] = dataclasses.replace(LEAKY, findings=(worse, *LEAKY.findings[1:]))
    assert run("audit", "exports/leaky.onnx", "--baseline", "maskcheck-baseline.json").exit_code == 1


def test_the_baseline_of_the_configuration(fake: FakeAudit) -> None:
    configured("baseline = 'known.json'")
    assert run("audit", "exports/leaky.onnx").exit_code == 2, "a baseline that is not there is no empty one"
    run("baseline", "exports/leaky.onnx", "-o", "known.json")
    assert run("audit", "exports/leaky.onnx").exit_code == 0


def test_ignores_with_a_reason(fake: FakeAudit) -> None:
    configured("ignore = [{ rule = 'MC101', reason = 'by design, see docs' }]")
    result = run("audit", "exports/leaky.onnx")
    assert result.exit_code == 0 and "by design, see docs" in result.stdout


def test_rules_are_selected_and_ignored_by_prefix(fake: FakeAudit) -> None:
    leaky = "exports/leaky.onnx"
    ignored = run("audit", leaky, "--ignore", "MC1")
    assert ignored.exit_code == 0 and "--ignore MC1" in ignored.stdout
    assert run("audit", leaky, "--ignore", "MC2,MC3").exit_code == 1
    assert run("audit", leaky, "--select", "MC2").exit_code == 0
    assert run("audit", leaky, "--select", "MC1").exit_code == 1
    assert run("audit", leaky, "--select", "mc1", "--ignore", "MC101").exit_code == 0, "the longer prefix decides"
    assert run("audit", leaky, "--select", "MC101", "--ignore", "MC1").exit_code == 1
    refused = run("audit", leaky, "--ignore", "pooling")
    assert refused.exit_code == 2 and "begins so" in refused.stderr


def test_rules_are_listed_by_prefix() -> None:
    listed = run("rules", "--select", "MC8").stdout
    assert "MC801" in listed and "MC101" not in listed
    assert "MC802" not in run("rules", "--select", "MC8", "--ignore", "MC802").stdout


def test_stale_entries_are_listed_and_fail_where_asked(fake: FakeAudit) -> None:
    run("baseline", "exports/leaky.onnx")
    fake.models["leaky"] = dataclasses.replace(sample.CLEAN)
    arguments = ("audit", "exports/leaky.onnx", "--baseline", "maskcheck-baseline.json")
    result = run(*arguments)
    assert result.exit_code == 0 and "not found any more" in " ".join(result.stdout.split())
    assert run(*arguments, "--strict-baseline").exit_code == 1


def test_a_baseline_drops_what_is_gone_and_says_so(fake: FakeAudit) -> None:
    run("baseline", "exports/leaky.onnx")
    fake.models["leaky"] = dataclasses.replace(sample.CLEAN)
    result = run("baseline", "exports/leaky.onnx")
    assert "0 known, 0 of them new, 3 gone" in result.stderr


def test_a_baseline_of_a_model_that_cannot_be_audited(fake: FakeAudit) -> None:
    result = run("baseline", "exports/leaky.onnx", "exports/error.onnx")
    assert result.exit_code == 3 and "exports/error.onnx: error" in result.stderr
    assert len(json.loads(Path("maskcheck-baseline.json").read_text())["findings"]) == 3


def test_several_reports_of_one_audit(fake: FakeAudit) -> None:
    names = ["r.html", "r.json", "r.jsonl", "r.sarif", "r.xml", "r.md", "r.txt"]
    result = run("audit", "exports/leaky.onnx", *(word for name in names for word in ("-o", name)))
    assert result.exit_code == 1 and result.stdout == ""
    starts = ["<!doctype html>", "{", "{", "{", "<?xml", "## Padding audit", "exports/leaky.onnx"]
    for name, start in zip(names, starts, strict=True):
        assert Path(name).read_text(encoding="utf-8").startswith(start), name
    assert run("audit", "exports/leaky.onnx", "-o", "a", "-o", "b", "--format", "json").exit_code == 2


def test_the_page_says_how_to_measure_it_again(fake: FakeAudit) -> None:
    run("audit", "exports/leaky.onnx", "-o", "r.html", "--seed", "4", "--pad-value", "-1", "--require", "side", "-v")
    text = Path("r.html").read_text(encoding="utf-8")
    command = "maskcheck audit exports/leaky.onnx --pad-value -1 --require side --seed 4\n"
    assert command in text


def test_sarif_names_files_of_the_repository(fake: FakeAudit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("exports")
    result = run("audit", str(Path("leaky.onnx").resolve()), "--format", "sarif")
    location = json.loads(result.stdout)["runs"][0]["results"][0]["locations"][0]["physicalLocation"]
    assert location["artifactLocation"]["uri"] == "exports/leaky.onnx"


def test_a_job_is_annotated_and_summarised(fake: FakeAudit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", "summary.md")
    Path("summary.md").write_text("before\n")
    lines = run("audit", "exports/leaky.onnx").stdout.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert len(token) == 32 and f"::{token}::" in lines
    assert any(line.startswith("::error file=exports/leaky.onnx,line=1,title=MC101") for line in lines)
    assert Path("summary.md").read_text().startswith("before\n## Padding audit")


@pytest.mark.parametrize("arguments", [("--no-github",), ("--format", "json"), ("--format", "console")])
def test_a_job_that_asks_for_something_else_is_not_annotated(
    fake: FakeAudit, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    assert "::" not in run("audit", "exports/clean.onnx", *arguments).stdout


def test_a_summary_that_cannot_be_written_fails_nothing(fake: FakeAudit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(Path("none") / "summary.md"))
    result = run("audit", "exports/clean.onnx")
    assert result.exit_code == 0 and "job summary could not be written" in result.stderr


def test_only_the_name_of_a_model_counts_as_its_own(fake: FakeAudit) -> None:
    """A pattern of one model must not reach another."""
    configured("[[models]]\npath = 'exports/leaky.onnx'\nmax_difference = 100.0\n")
    fake.models["clean"] = LEAKY
    assert run("audit", "exports/leaky.onnx").exit_code == 0
    assert run("audit", "exports/clean.onnx").exit_code == 1


def test_nothing_in_the_models_here_is_accepted_already() -> None:
    models: Sequence[ModelReport] = list(MODELS.values())
    assert not any(model.accepted for model in models)
