"""Configuration files: what they may say, what holds for which model, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskcheck.acceptance import Ignore
from maskcheck.config import find, parse, read
from maskcheck.config.pattern import matches
from maskcheck.core.errors import UsageError

FULL = """
fail_on = "warning"
baseline = "known.json"
require = ["side"]
samples = 4
max_difference = 0.01
ignore = [{ rule = "MC603", reason = "trained without padding" }]

[[models]]
path = "exports/*.onnx"
contract = "contracts/text.toml"
input = ["feats=features,dims=batch:time:-"]
explain = false

[[models]]
path = "exports/decoder.onnx"
require = ["side", "poison"]
samples = 16
max_difference = 0.5
ignore = [{ rule = "MC1*", site = "head.*", reason = "left padding is on purpose" }]
"""


def written(folder: Path, text: str, name: str = "maskcheck.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_everything_at_once(tmp_path: Path) -> None:
    config = read(written(tmp_path, FULL))
    assert config.baseline == str(tmp_path / "known.json")
    assert config.options(str(tmp_path / "other.onnx")) == {"fail_on": "warning", "require": ("side",), "samples": 4}
    assert config.options(str(tmp_path / "exports" / "a.onnx")) == {
        "fail_on": "warning",
        "require": ("side",),
        "samples": 4,
        "contract": str(tmp_path / "contracts" / "text.toml"),
        "input_flags": ("feats=features,dims=batch:time:-",),
        "no_explain": True,
    }


def test_of_several_tables_the_later_wins_and_ignores_add_up(tmp_path: Path) -> None:
    config = read(written(tmp_path, FULL))
    path = str(tmp_path / "exports" / "decoder.onnx")
    options, policy = config.options(path), config.policy(path)
    assert (options["require"], options["samples"], options["no_explain"]) == (("side", "poison"), 16, True)
    assert policy.max_difference == 0.5
    assert policy.ignores == (
        Ignore("MC603", "trained without padding"),
        Ignore("MC1*", "left padding is on purpose", "head.*"),
    )
    assert config.policy(str(tmp_path / "a.onnx")).max_difference == 0.01


def test_pyproject_has_a_table_of_its_own(tmp_path: Path) -> None:
    text = '[project]\nname = "x"\n[tool.maskcheck]\nseed = 3\n[[tool.maskcheck.models]]\npath = "m.onnx"\n'
    config = read(written(tmp_path, text, "pyproject.toml"))
    assert config.options("anything") == {"seed": 3}
    assert [table.pattern for table in config.models] == ["m.onnx"]
    assert read(written(tmp_path, "", "pyproject.toml")).models == ()


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("reqire = []", "unknown key 'reqire'", "Did you mean 'require'?"),
        ("model = []", "unknown key 'model'", "Did you mean 'models'?"),
        ("trust = true", "unknown key 'trust'", "Known here"),
        ("require = ['sides']", "require must be one of", "Did you mean 'side'?"),
        ("require = 'side'", "require must be a list of twins", ""),
        ("samples = 0", "samples must be a whole number of at least 1", ""),
        ("seed = true", "seed must be a whole number", ""),
        ("max_difference = -1", "max_difference must be a number of at least 0", ""),
        ("max_difference = nan", "max_difference must be a number of at least 0", ""),
        ("explain = 1", "explain must be true or false", ""),
        ("models = 3", "models must be an array of tables", "[[tool.maskcheck.models]]"),
        ("[[models]]\nseed = 1", "models #1 lacks path", "path ="),
        ("[[models]]\npath = 'a'\n[[models]]\npth = 'b'", "models #2 lacks path", "path ="),
        ("[[models]]\npath = 'a'\nfail_on = 'error'", "unknown key 'fail_on' in [models #1]", ""),
        ("[[models]]\npath = 'a'\nsampels = 3", "unknown key 'sampels' in [models #1]", "Did you mean 'samples'?"),
        ("[[models]]\npath = '/abs/a.onnx'", "must be relative", "relative to the folder"),
        ("ignore = [{ rule = 'MC101' }]", "ignore #1 lacks reason", "reason"),
        ("ignore = [{ rule = 'MC101', reason = ' ' }]", "reason must be text that is not empty", ""),
        ("ignore = [{ rule = 'MC101', reason = 'x', sites = 'y' }]", "unknown key 'sites'", "Did you mean 'site'?"),
        ("ignore = ['MC101']", "ignore #1 must be a table", ""),
        ("= 3", "Reading", "TOML"),
    ],
)
def test_what_a_wrong_file_is_told(tmp_path: Path, text: str, message: str, hint: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read(path)
    assert message in caught.value.message and str(path) in caught.value.message
    assert hint in caught.value.hint


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        read(tmp_path / "none.toml")


def test_the_table_of_a_pyproject_must_be_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must be a table"):
        parse(3, "pyproject.toml", tmp_path)


@pytest.mark.parametrize(
    ("path", "pattern", "expected"),
    [
        ("a.onnx", "*.onnx", True),
        ("exports/a.onnx", "*.onnx", False),
        ("exports/a.onnx", "**/*.onnx", True),
        ("a.onnx", "**/*.onnx", True),
        ("exports/x/a.onnx", "exports/**", True),
        ("exports/a.onnx", "./exports/?.onnx", True),
        ("exports/a+b[1].onnx", "exports/a+b[1].onnx", True),
        ("exports/axonnx", "exports/a.onnx", False),
    ],
)
def test_patterns(path: str, pattern: str, expected: bool) -> None:
    assert matches(path, pattern) is expected


def test_patterns_find_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("exports/b.onnx", "exports/a.onnx", "exports/decoder.onnx"):
        written(tmp_path, "", name)
    monkeypatch.chdir(tmp_path)
    config = read(written(tmp_path, FULL))
    assert config.paths() == ["exports/a.onnx", "exports/b.onnx", "exports/decoder.onnx"]
    assert config.without_a_model() == []
    (tmp_path / "exports" / "decoder.onnx").unlink()
    assert config.without_a_model() == ["exports/decoder.onnx"]


def test_the_nearest_file_counts(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    assert find(deep) is None
    outer = written(tmp_path, "[tool.maskcheck]\n", "pyproject.toml")
    assert find(deep) == outer
    silent = written(tmp_path / "a", "[project]\n", "pyproject.toml")
    assert find(deep) == outer, "a pyproject.toml that says nothing of maskcheck does not count"
    silent.write_text("no [ toml")
    assert find(deep) == outer
    inner = written(tmp_path / "a", "")
    assert find(deep) == inner


def test_the_search_ends_at_the_repository(tmp_path: Path) -> None:
    written(tmp_path, "")
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    assert find(tmp_path / "repo") is None
