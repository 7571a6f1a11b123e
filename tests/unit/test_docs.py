"""The documentation says of Keras what the tests assert, its links lead somewhere, and its pictures can be taken."""

from __future__ import annotations

import ast
import importlib.util
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import maskcheck
from tests.loaders import keras_guide, keras_table

ROOT = Path(maskcheck.__file__).parent.parent
PAGE = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted(ROOT.glob("*/README.md"))]
TABLES = (keras_table.KEEPS, keras_table.CONSUMES, keras_table.CLAIMS, keras_table.WARNED, keras_table.SILENT)


@pytest.mark.parametrize("name", keras_guide.CLEAN)
def test_clean_models_are_listed(name: str) -> None:
    assert f"| {name} | clean |" in PAGE


@pytest.mark.parametrize("name", keras_guide.LEAKY)
def test_leaky_models_are_listed_with_their_cause(name: str) -> None:
    _, rule, origin, cause = keras_guide.LEAKY[name]
    assert f"| {name} | leaky | [{rule}](rules/{rule}.md) | `{origin}` | `{cause}` |" in PAGE


def test_every_layer_is_listed() -> None:
    flat = " ".join(PAGE.split())
    assert not [name for table in (*TABLES, keras_table.FALSE_ALARM) for name in table if name not in flat]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [t.split("#")[0] for t in re.findall(r"\]\(([^)\s]+)\)", text) if not t.startswith(("http", "#"))]
    made_by_the_site = ("rules/",)
    assert not [t for t in targets if t and not t.startswith(made_by_the_site) and not (page.parent / t).exists()]


def test_files_that_contributors_are_sent_to_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paths = re.findall(r"`((?:maskcheck|tests|docs)/[^`<>*]*)`", text)
    assert len(paths) > 20
    assert not [path for path in paths if not (ROOT / path).exists()]


def test_every_decision_is_dated_and_listed_under_its_number() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = re.findall(r"^\| (\d{4}) \| \[(.+)\]\((.+)\) \| (.+) \|$", (folder / "index.md").read_text(), re.MULTILINE)
    assert [name for _, _, name, _ in listed] == sorted(path.name for path in folder.glob("[0-9]*.md"))
    assert [int(number) for number, *_ in listed] == list(range(1, len(listed) + 1))
    for number, title, name, date in listed:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {number} {title}\n\nDate: {date}\n"), name
        assert re.match(r"\d{4}-\d{2}-\d{2}", date), name
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "How measured")), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_in_the_pages_is_python_and_names_what_exists(page: Path) -> None:
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "maskcheck":
                assert node.attr in (*maskcheck.__all__, "keras_callback"), ast.unparse(node)


def test_the_picture_of_the_terminal_can_be_taken_and_fetches_nothing() -> None:
    spec = importlib.util.spec_from_file_location("make", ROOT / "docs" / "images" / "make.py")
    assert spec is not None and spec.loader is not None
    make = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make)
    report = maskcheck.audit(ROOT / "fixtures" / "reviews_leaky.onnx", samples=2)
    svg = make.terminal(report, "maskcheck audit <model>")
    ET.fromstring(svg)
    assert "MC101" in svg and "url(http" not in svg and "@import" not in svg
    assert svg == make.terminal(report, "maskcheck audit <model>")
