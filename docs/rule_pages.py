"""A page for every rule, made from the rule's own text when the site is built; see ``mkdocs.yml``."""

from __future__ import annotations

import textwrap
from itertools import groupby

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from maskcheck.rules import all_rules
from maskcheck.rules.rule import Rule


def on_files(files: Files, config: MkDocsConfig) -> Files:
    rules = all_rules()
    files.append(File.generated(config, "rules/index.md", content=overview(rules)))
    for rule in rules:
        files.append(File.generated(config, f"rules/{rule.code}.md", content=page(rule)))
    return files


def overview(rules: tuple[Rule, ...]) -> str:
    """Return the list of all rules, family by family."""
    parts = [
        "# Every rule",
        f"{len(rules)} ways in which padding leaks. `maskcheck explain MC101` shows a page offline.",
    ]
    for family, members in groupby(rules, key=lambda rule: rule.family):
        parts.append(f"## {family.replace('-', ' ').capitalize()}")
        parts.append("\n".join(f"- [{rule.code}]({rule.code}.md) {rule.name}: {rule.summary}" for rule in members))
    return "\n\n".join(parts) + "\n"


def page(rule: Rule) -> str:
    """Return all that one rule has to say."""
    parts = [f"# {rule.code} {rule.name}", rule.summary]
    for heading, text in (
        ("What it is", rule.what),
        ("Why it matters", rule.why),
        ("How it arises", rule.arises),
        ("How to see it", rule.see),
        ("Leaky", snippet(rule.leaky)),
        ("Mended", snippet(rule.mended)),
        ("How to mend it", "\n\n".join(f"**{framework}**: {text.strip()}" for framework, text in rule.fix.items())),
        ("References", "\n".join(f"- <{reference}>" for reference in rule.references)),
    ):
        parts += [f"## {heading}", text.strip("\n")] if text.strip() else []
    return "\n\n".join(parts) + "\n"


def snippet(source: str) -> str:
    return f"```python\n{textwrap.dedent(source).strip()}\n```" if source.strip() else ""
