"""Pages of rules, from a rule made up here."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

from rich.cells import cell_len

from maskcheck.report.rendering import Rendering
from maskcheck.report.rule_view import render_list, render_pages, render_rules_json


def rule(code: str, family: str, **changes: Any) -> Any:
    fields = {
        "code": code,
        "name": "some-leak",
        "summary": f"What {code} is in one sentence that is long enough to need a second line on a terminal.",
        "family": family,
        "mechanisms": ("POOL-01",),
        "what": "A line\nthat goes on.\n\nA second paragraph:\n    code[stays]",
        "why": "Because [bold]so[/bold].",
        "arises": "",
        "see": "Look.",
        "fix": {"pytorch": "Change\nit.", "onnx": "Mend it."},
        "leaky": "\nx = h.mean(1)\ny = x\n",
        "mended": "if mask:\n    x = 1",
        "references": ("https://example.com/" + "a" * 90,),
    }
    return SimpleNamespace(**{**fields, **changes})


def test_rules_stand_under_their_family() -> None:
    text = render_list([rule("MC101", "pooling"), rule("MC102", "pooling"), rule("MC201", "attention")], Rendering())
    lines = text.splitlines()
    assert [line for line in lines if line and not line.startswith(" ")] == ["pooling", "attention"]
    assert lines[1].startswith("  MC101  What MC101 is")


def test_a_page_wraps_prose_and_keeps_code() -> None:
    text = render_pages([rule("MC101", "pooling")], Rendering())
    assert "  A line that goes on.\n" in text
    assert "      code[stays]\n" in text
    assert "Because [bold]so[/bold]." in text
    assert "  if mask:\n      x = 1\n" in text
    assert "How it arises" not in text
    assert max(cell_len(line) for line in text.splitlines()) <= 80


def test_several_pages() -> None:
    text = render_pages([rule("MC101", "pooling"), rule("MC102", "pooling")], Rendering())
    assert "MC101" in text and "MC102" in text


def test_rules_as_json() -> None:
    found = json.loads(render_rules_json([rule("MC101", "pooling")]))
    assert found["rules"][0]["code"] == "MC101"
    assert found["rules"][0]["fix"]["onnx"] == "Mend it."
