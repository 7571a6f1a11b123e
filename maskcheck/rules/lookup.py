"""The rules' texts, read from the package's TOML files. Imports neither numpy nor a framework."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from maskcheck.core.errors import UsageError
from maskcheck.rules.rule import Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule, ordered by code."""
    folder = files("maskcheck.rules").joinpath("catalogue")
    tables = [tomllib.loads(f.read_text(encoding="utf-8")) for f in folder.iterdir() if f.name.endswith(".toml")]
    rules = [_rule(table["family"], entry) for table in tables for entry in table["rule"]]
    return tuple(sorted(rules, key=lambda r: r.code))


def by_code() -> dict[str, Rule]:
    """Return every rule by its code."""
    return {r.code: r for r in all_rules()}


def rule(code: str) -> Rule:
    """Return the rule with this code or name, in any case.

    Raises:
        UsageError: there is no such rule; the message names near ones.
    """
    wanted = code.strip().lower()
    for candidate in all_rules():
        if wanted in (candidate.code.lower(), candidate.name):
            return candidate
    known = {label.lower(): label for r in all_rules() for label in (r.code, r.name)}
    near = [known[label] for label in difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)]
    hint = f"Did you mean {' or '.join(near)}?" if near else "`maskcheck rules` lists them all."
    raise UsageError(f"There is no rule {code!r}.", hint=hint)


def _rule(family: str, entry: Mapping[str, Any]) -> Rule:
    def prose(key: str) -> str:
        return _unwrapped(entry[key])

    return Rule(
        code=entry["code"],
        name=entry["name"],
        family=family,
        mechanisms=tuple(entry["mechanisms"]),
        summary=prose("summary"),
        what=prose("what"),
        why=prose("why"),
        arises=prose("arises"),
        see=prose("see"),
        fix={framework: _unwrapped(text) for framework, text in entry["fix"].items()},
        leaky=entry["leaky"].strip("\n"),
        mended=entry["mended"].strip("\n"),
        references=tuple(entry["references"]),
        severity=entry.get("severity"),
    )


def _unwrapped(text: str) -> str:
    # The files wrap long sentences at the width of the code; a report wraps them at its own.
    return " ".join(text.split())
