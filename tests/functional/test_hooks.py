"""What other tools read of this repository: hooks, the action, the workflow, and the examples in the docs."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

import maskcheck
from maskcheck.config import parse

ROOT = Path(maskcheck.__file__).parent.parent
HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8")
PATTERNS = re.findall(r"^  files: (.*)$", HOOKS, re.MULTILINE)


@pytest.mark.parametrize("name", ["m.onnx", "a/b.keras", "w.h5", "w.hdf5", "m.pt", "m.pt2", "m.pth", "m.safetensors"])
def test_hooks_see_models(name: str) -> None:
    assert PATTERNS and all(re.search(pattern, name) for pattern in PATTERNS)


@pytest.mark.parametrize("name", ["m.onnx.md", "onnx.py", "m.ptx", "m.bin", "m.h5.json"])
def test_hooks_see_nothing_else(name: str) -> None:
    assert not any(re.search(pattern, name) for pattern in PATTERNS)


@pytest.mark.parametrize(
    "path", [*ROOT.glob(".github/workflows/*.yml"), *ROOT.glob(".github/actions/*/action.yml")], ids=lambda p: p.name
)
def test_no_input_becomes_shell_code_and_every_action_is_pinned(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for script in re.findall(r"run: (.*)", text):
        assert "${{" not in script
    for used in re.findall(r"uses: (\S+)", text):
        assert used.startswith("./") or re.search(r"@[0-9a-f]{40}$", used), used


def action(folder: Path, **inputs: str) -> list[str]:
    """Run the action's script with a maskcheck that only shows its arguments."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    fake = tools / "maskcheck"
    fake.write_text('#!/usr/bin/env bash\nprintf "%s\\n" "$@"\n')
    fake.chmod(0o755)
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", **inputs}
    script = ROOT / ".github" / "actions" / "audit" / "audit.sh"
    done = subprocess.run(
        ["bash", str(script)], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.splitlines()


def test_the_action_makes_one_command(tmp_path: Path) -> None:
    for name in ("a.onnx", "b c.onnx"):
        (tmp_path / name).touch()
    words = action(
        tmp_path,
        MODELS="*.onnx\nmissing*.onnx\n",
        BASELINE="known.json",
        REQUIRE="side",
        FAIL_ON="warning",
        REPORTS="r.html\nr.sarif\n",
    )
    assert words == [
        *("audit", "--output=r.html", "--output=r.sarif", "--baseline=known.json", "--require=side"),
        *("--fail-on=warning", "--", "a.onnx", "b c.onnx", "missing*.onnx"),
    ]


def test_the_action_runs_nothing_that_is_in_its_inputs(tmp_path: Path) -> None:
    words = action(tmp_path, MODELS="$(touch owned)\n`touch owned`\n; touch owned", BASELINE="--output=x; touch owned")
    assert not (tmp_path / "owned").exists()
    assert words[:2] == ["audit", "--baseline=--output=x; touch owned"]
    assert words[2:] == ["--", "$(touch owned)", "`touch owned`", "; touch owned"]


def test_the_configuration_in_the_docs_is_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    config = parse(tomllib.loads(example)["tool"]["maskcheck"], "docs/configuration.md", tmp_path)
    assert len(config.models) == 2 and config.baseline is not None
