"""The files around the code say what they should: forms that GitHub reads, actions and linters pinned."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import maskcheck

ROOT = Path(maskcheck.__file__).parent.parent
FORMS = sorted(path for path in (ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml") if path.name != "config.yml")
ACTIONS = sorted((ROOT / ".github").rglob("*.y*ml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_have_the_keys_that_github_asks_for(path: Path) -> None:
    form: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert {"name", "description", "body"} <= set(form)
    assert form["body"]
    for field in form["body"]:
        assert field["type"] in ("dropdown", "textarea")
        assert field["attributes"]["label"]
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.name)
def test_actions_of_others_are_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses: (\S+)", path.read_text(encoding="utf-8"))
    assert not [name for name in used if not name.startswith("./") and not re.search(r"@[0-9a-f]{40}$", name)]


def test_linters_are_pinned_to_one_version() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    pinned = {name.split("==")[0] for extra in ("dev", "test") for name in extras[extra] if "==" in name}
    assert {"import-linter", "mypy", "ruff"} <= pinned
