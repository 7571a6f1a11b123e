"""The command line from outside: exit codes, what goes to stdout, what errors look like, what is imported."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import maskcheck
from maskcheck import auditing as use_case
from maskcheck.cli import main
from maskcheck.cli.exits import exit_code
from maskcheck.cli.options import FORMATS
from maskcheck.cli.output import use_colour
from maskcheck.core.contract import Role
from maskcheck.core.errors import LoadError, UsageError
from maskcheck.core.report import ModelReport, Report
from maskcheck.core.settings import Settings
from maskcheck.report.registry import REPORTERS
from tests.unit.report import sample

ROOT = Path(maskcheck.__file__).parent.parent
Audit = Callable[..., Report]


@pytest.fixture(autouse=True)
def no_colour_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with files named after outcomes."""
    for name in ("leaky", "warned", "clean", "skipped", "error"):
        (tmp_path / f"{name}.onnx").write_bytes(b"a model")
    monkeypatch.chdir(tmp_path)
    return tmp_path


MODELS = {
    "leaky": sample.LEAKY,
    "warned": sample.WARNED,
    "clean": sample.CLEAN,
    "skipped": sample.SKIPPED,
    "error": sample.BROKEN,
}


class FakeAudit:
    """Reports whatever the names of the files say, and remembers the settings it was given."""

    def __init__(self) -> None:
        self.settings = Settings()

    def __call__(self, paths: Sequence[str], settings: Settings, progress: Callable[[str, float], None]) -> Report:
        self.settings = settings
        sys.stdout.write("a framework says hello\n")
        progress("loading", 0.5)
        models = tuple(dataclasses.replace(MODELS[Path(path).stem], path=path) for path in paths)
        return Report(models, "0.1.0", {}, {})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, folder: Path) -> FakeAudit:
    audit = FakeAudit()
    monkeypatch.setattr(use_case, "audit", audit)
    return audit


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="maskcheck")


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["clean"], 0),
        (["warned"], 0),
        (["leaky"], 1),
        (["clean", "leaky"], 1),
        (["skipped"], 3),
        (["error"], 3),
        (["clean", "error"], 3),
        (["error", "leaky"], 1),
        (["missing"], 2),
        (["missing", "clean"], 2),
        (["missing", "error"], 2),
        (["missing", "leaky"], 1),
    ],
)
def test_exit_codes(fake: FakeAudit, names: list[str], code: int) -> None:
    assert run("audit", *(f"{name}.onnx" for name in names)).exit_code == code


@pytest.mark.parametrize(
    ("name", "fail_on", "code"),
    [
        ("leaky", "never", 0),
        ("warned", "error", 0),
        ("warned", "warning", 1),
        ("clean", "warning", 0),
        ("error", "never", 3),
        ("missing", "never", 2),
    ],
)
def test_fail_on(fake: FakeAudit, name: str, fail_on: str, code: int) -> None:
    assert run("audit", f"{name}.onnx", "--fail-on", fail_on).exit_code == code


def test_nothing_probed_is_never_zero() -> None:
    untested = dataclasses.replace(sample.CLEAN, passport=())
    assert exit_code(Report((untested,), "0"), "error") == 3
    assert exit_code(Report((), "0"), "error") == 3


@pytest.mark.parametrize("names", [["clean"], ["leaky", "error", "missing"], ["skipped"]])
def test_stdout_is_the_json_document_alone(fake: FakeAudit, names: list[str]) -> None:
    result = run("audit", *(f"{name}.onnx" for name in names), "--format", "json", "-v")
    document = json.loads(result.stdout)
    assert [model["path"] for model in document["models"]] == [f"{name}.onnx" for name in names]


def test_failures_are_told_on_stderr_beside_json(fake: FakeAudit) -> None:
    result = run("audit", "clean.onnx", "missing.onnx", "skipped.onnx", "--format", "json")
    assert "maskcheck: missing.onnx: error: Opening missing.onnx: there is no such file" in result.stderr
    assert "maskcheck: skipped.onnx: skipped: No input of this model could be padded." in result.stderr


def test_console_goes_to_stdout_without_colour(fake: FakeAudit) -> None:
    result = run("audit", "leaky.onnx")
    assert result.stdout.startswith("leaky.onnx   LEAKY   padding changes 3 of 16 answers\n")
    assert "\x1b" not in result.stdout
    assert "hello" not in result.stdout


def test_quiet_and_verbose(fake: FakeAudit) -> None:
    assert len(run("audit", "leaky.onnx", "-q").stdout.splitlines()) == 2
    assert "fingerprint" in run("audit", "leaky.onnx", "-v").stdout


def test_colour(fake: FakeAudit, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1;31m" in run("audit", "leaky.onnx", "--color", "always").stdout
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("audit", "leaky.onnx", "--color", "always").stdout


@pytest.mark.parametrize(
    ("choice", "terminal", "environment", "expected"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", False, {"FORCE_COLOR": "1"}, True),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", True, {"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ("always", False, {}, True),
        ("always", False, {"NO_COLOR": "1"}, False),
        ("never", True, {"FORCE_COLOR": "1"}, False),
    ],
)
def test_use_colour(choice: str, terminal: bool, environment: dict[str, str], expected: bool) -> None:
    assert use_colour(choice, terminal, environment) is expected


def test_output_to_a_file(fake: FakeAudit, folder: Path) -> None:
    result = run("audit", "leaky.onnx", "-o", "leak.json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads((folder / "leak.json").read_text())["summary"]["leaky"] == 1
    assert "1 leaky" in result.stderr and "leak.json" in result.stderr
    assert run("audit", "leaky.onnx", "-o", "leak.txt").exit_code == 1
    assert (folder / "leak.txt").read_text().startswith("leaky.onnx   LEAKY")
    assert not list(folder.glob(".maskcheck*"))


def test_output_to_stdout_by_name(fake: FakeAudit, folder: Path) -> None:
    assert json.loads(run("audit", "clean.onnx", "-o", "-", "--format", "json").stdout)["summary"]["clean"] == 1


def test_output_follows_a_link_and_spares_a_device(fake: FakeAudit, folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "link.json").symlink_to(folder / "there" / "report.json")
    assert run("audit", "clean.onnx", "-o", "link.json").exit_code == 0
    assert (folder / "link.json").is_symlink() and (folder / "there" / "report.json").is_file()
    assert run("audit", "clean.onnx", "-o", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("output", ["absent/report.json", "."])
def test_a_bad_output_path_is_noticed_before_the_audit(
    folder: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(use_case, "audit", lambda *_: pytest.fail("audited"))
    result = run("audit", "clean.onnx", "-o", output)
    assert result.exit_code == 2
    assert f"Writing the report to {output}" in result.stderr


def test_a_missing_model_is_named_with_what_was_probably_meant(fake: FakeAudit) -> None:
    result = run("audit", "leeky.onnx")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "maskcheck: Opening leeky.onnx: there is no such file or folder.\n  Did you mean leaky.onnx?\n"
    )


@pytest.mark.parametrize("path", ["far/away/x.onnx", "a" * 5000, "nul\0byte", "\x1b[31m.onnx"])
def test_odd_paths_are_missing_models(fake: FakeAudit, path: str) -> None:
    result = run("audit", path)
    assert result.exit_code == 2
    assert "there is no such file" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("Reading x: wrong.", hint="Try y."), 2),
        (LoadError("Loading x: broken.", hint="Try y."), 3),
        (ValueError("oh"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
@pytest.mark.parametrize("command", ["audit", "inspect"])
def test_errors_take_a_line_or_two(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, error: BaseException, code: int
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(use_case, command, fail)
    result = run(command, "clean.onnx")
    assert (result.exit_code, result.stdout) == (code, "")
    assert 1 <= len(result.stderr.splitlines()) <= 2
    assert "Traceback" not in result.stderr
    if not isinstance(error, KeyboardInterrupt):
        assert str(error).split(".")[0] in result.stderr
        assert "Traceback" in run(command, "clean.onnx", "--traceback").stderr


def settings_of(fake: FakeAudit, *flags: str) -> Settings:
    result = run("audit", "clean.onnx", *flags)
    assert result.exit_code == 0, result.stderr
    return fake.settings


def test_no_flags_are_the_default_settings(fake: FakeAudit) -> None:
    assert settings_of(fake) == Settings()


def test_flags_become_settings(fake: FakeAudit, folder: Path) -> None:
    (folder / "rows.npz").write_bytes(b"")
    flags = "--seed 3 --samples 5 --optimization disable --provider CUDAExecutionProvider --no-explain --trust"
    found = settings_of(fake, *flags.split(), "--inputs", "rows.npz", "--fail-on", "warning")
    assert found == Settings(
        seed=3,
        samples=5,
        optimization="disable",
        provider="CUDAExecutionProvider",
        explain=False,
        trust=True,
        inputs="rows.npz",
        fail_on="warning",
    )


def test_require_adds_to_what_gates(fake: FakeAudit) -> None:
    assert settings_of(fake, "--require", "side,Poison", "--require", "mates").require == (
        "length",
        "mates",
        "side",
        "poison",
    )
    result = run("audit", "clean.onnx", "--require", "sied")
    assert result.exit_code == 2
    assert "Did you mean 'side'?" in result.stderr


def test_flags_beat_the_contract(fake: FakeAudit, folder: Path) -> None:
    (folder / "c.toml").write_text('[inputs.x]\nrole = "tokens"\npad_value = 0\n[domains.t]\nside = "right"\n')
    found = settings_of(
        fake, "--contract", "c.toml", "--input", "x=pad_value=7", "--input", "x=domain=t", "--side", "left"
    ).overrides
    assert found.inputs == {"x": {"role": Role.TOKENS, "pad_value": 7, "domain": "t"}}
    assert found.domains == {"t": {"side": "right"}}
    assert found.side == "left"


@pytest.mark.parametrize(("text", "value"), [("3", 3), ("-1.5", -1.5), ("1e-3", 1e-3)])
def test_pad_value(fake: FakeAudit, text: str, value: float) -> None:
    found = settings_of(fake, "--pad-value", text).overrides.pad_value
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    "flags",
    [
        ["--pad-value", "x"],
        ["--side", "up"],
        ["--format", "xml"],
        ["--inputs", "absent.npz"],
        ["--contract", "absent.toml"],
        ["--input", "x"],
        ["--samples", "0"],
        ["--nonsense"],
    ],
)
def test_wrong_flags_are_usage_errors(fake: FakeAudit, flags: list[str]) -> None:
    result = run("audit", "clean.onnx", *flags)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr


def test_no_model_is_a_usage_error() -> None:
    assert run("audit").exit_code == 2


@pytest.fixture
def fake_inspect(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(use_case, "inspect", lambda path, settings: (sample.CONTRACT, sample.INFO))


def test_inspect(fake_inspect: None, folder: Path) -> None:
    result = run("inspect", "clean.onnx", "--write", "c.toml")
    assert result.exit_code == 0
    assert "because  its name; a zero tail is inert" in result.stdout
    assert result.stderr == "Contract: c.toml\n"
    document = json.loads(run("inspect", "clean.onnx", "--format", "json").stdout)
    assert document["contract"]["domains"][0]["name"] == "seq"


def test_the_contract_that_inspect_writes_is_one_that_audit_reads(
    fake_inspect: None, fake: FakeAudit, folder: Path
) -> None:
    run("inspect", "clean.onnx", "--write", "c.toml")
    found = settings_of(fake, "--contract", "c.toml").overrides
    assert found.inputs["attention_mask"]["valid_when"] == 1
    assert found.inputs[sample.HOSTILE]["fill"] == 0.5


def test_inspect_says_what_is_missing(fake_inspect: None) -> None:
    result = run("inspect", "claen.onnx")
    assert result.exit_code == 2
    assert "Did you mean clean.onnx?" in result.stderr
    assert run("inspect", "clean.onnx", "--write", "absent/c.toml").exit_code == 2


def test_rules_and_explain() -> None:
    listed = run("rules")
    assert listed.exit_code == 0
    first = next(line for line in listed.stdout.splitlines() if line.strip().startswith("MC")).split()[0]
    codes = [rule["code"] for rule in json.loads(run("rules", "--format", "json").stdout)["rules"]]
    assert codes[0] == first
    page = run("explain", first.lower())
    assert page.exit_code == 0
    assert page.stdout.startswith(first)


def test_explain_what_does_not_exist() -> None:
    result = run("explain", "MC000X")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "there is no such rule" in result.stderr


def test_schema() -> None:
    assert json.loads(run("schema").stdout)["title"] == "maskcheck report"


def test_version() -> None:
    lines = run("--version").stdout.splitlines()
    assert lines[0] == f"maskcheck {maskcheck.__version__}"
    assert f"numpy {importlib.metadata.version('numpy')}" in lines


def test_formats_are_the_reporters() -> None:
    assert set(FORMATS) == {"auto", *REPORTERS}


def test_every_option_says_what_it_does() -> None:
    for command in (main, *main.commands.values()):
        assert command.help
        for parameter in command.params:
            if isinstance(parameter, click.Option) and parameter.name != "format_":
                assert parameter.help, f"{command.name}: {parameter.name}"


HEAVY = ("numpy", "torch", "tensorflow", "keras", "onnx", "onnxruntime", "transformers")
PROBE = f"""
import sys
from maskcheck.cli import main
try:
    main(sys.argv[1:], prog_name="maskcheck")
except SystemExit as end:
    assert not end.code, end.code
print("HEAVY", *[name for name in {HEAVY!r} if name in sys.modules])
"""


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["audit", "--help"], ["rules"], ["schema"]])
def test_nothing_heavy_is_imported(arguments: list[str]) -> None:
    result = python("-c", PROBE, *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines()[-1].split() == ["HEAVY"]


def test_module_entry_point() -> None:
    assert python("-m", "maskcheck", "--help").stdout.startswith("Usage: maskcheck ")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    script = f"{sys.executable} -m maskcheck schema | true; echo ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (result.stdout, result.stderr) == ("0\n", "")


def test_a_narrow_encoding_is_no_error() -> None:
    script = "import sys; sys.path.insert(0, '.'); from maskcheck.cli.output import emit; emit('\\u00e9\\ud800x\\n')"
    result = python("-c", script, PYTHONIOENCODING="ascii")
    assert (result.returncode, result.stdout) == (0, "??x\n")


def python(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_model_report_may_be_a_usage_error() -> None:
    wrong: Any = dataclasses.replace(sample.BROKEN, usage_error=True)
    assert isinstance(wrong, ModelReport)
    assert exit_code(Report((wrong, sample.CLEAN), "0"), "error") == 2
