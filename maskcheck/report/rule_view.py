"""Rules as text, for ``maskcheck rules`` and ``maskcheck explain``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from maskcheck.report.canvas import code, flow, hanging, indented, prose, spread, to_text, words
from maskcheck.report.plain import dump
from maskcheck.report.rendering import Rendering
from maskcheck.report.rule_text import RuleText


def render_list(rules: Sequence[RuleText], rendering: Rendering) -> str:
    """Return one line a rule, under the name of its family."""
    blocks: list[RenderableType] = []
    family = None
    for rule in rules:
        if rule.family != family:
            family = rule.family
            blocks += [*([Text()] if blocks else []), words(family, "bold")]
        blocks.append(indented(hanging(words(rule.code, "cyan"), words(rule.summary), 7), 2))
    return to_text(blocks, rendering)


def render_rules_json(rules: Sequence[RuleText]) -> str:
    return dump({"schema_version": 1, "rules": [_document(rule) for rule in rules]})


def render_pages(rules: Sequence[RuleText], rendering: Rendering) -> str:
    """Return everything each rule has to say, one page after the other."""
    blocks: list[RenderableType] = []
    for rule in rules:
        blocks += [*([Text(), Text()] if blocks else []), *_page(rule, rendering.width)]
    return to_text(blocks, rendering)


def _page(rule: RuleText, width: int) -> list[RenderableType]:
    title = flow([words(rule.code, "bold cyan"), words(rule.name, "bold")], width - len(rule.family) - 2)
    blocks: list[RenderableType] = [spread(title, words(rule.family, "dim")), words(rule.summary)]
    for heading, text in (
        ("What it is", prose(rule.what)),
        ("Why it matters", prose(rule.why)),
        ("How it arises", prose(rule.arises)),
        ("How to see it", prose(rule.see)),
        ("Leaky", code(rule.leaky, "red")),
        ("Mended", code(rule.mended, "green")),
    ):
        blocks += _section(heading, [text] if len(text) else [])
    fixes = [hanging(words(framework, "cyan"), prose(text), 13) for framework, text in rule.fix.items()]
    return [*blocks, *_section("How to mend it", fixes), *_section("References", [words(r) for r in rule.references])]


def _section(heading: str, blocks: Sequence[RenderableType]) -> list[RenderableType]:
    return [Text(), words(heading, "bold"), *(indented(block, 2) for block in blocks)] if blocks else []


def _document(rule: RuleText) -> dict[str, Any]:
    fields = ("code", "name", "summary", "family", "mechanisms", "what", "why", "arises", "see", "fix", "leaky")
    return {field: getattr(rule, field) for field in (*fields, "mended", "references")}
