"""``docs/graph_language.md`` lists what there is. A table that fails here is printed as it should read."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path

import maskcheck
from maskcheck.ir.facts import FactKind
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import FAMILIES
from maskcheck.ir.uses import UseKind

PAGE = (Path(maskcheck.__file__).parent.parent / "docs" / "graph_language.md").read_text(encoding="utf-8")


def code(words: Iterable[object]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def table(head: str, rows: Iterable[str]) -> str:
    return "\n".join([head, re.sub(r"[^|]+", "---", head), *rows])


def operations() -> str:
    rows = (f"| `{kind.value}` | {code(o.value for o in Operation if o.kind is kind)} |" for kind in Kind)
    return table("| kind | operations |", rows)


def goes_with(found: frozenset[Operation]) -> str:
    """Whole kinds by name, and operations where only some of a kind are meant."""
    if found == frozenset(Operation):
        return "every operation"
    whole = [kind for kind in Kind if (own := {o for o in Operation if o.kind is kind}) and own <= found]
    several = [kind.value for kind in whole if sum(o.kind is kind for o in Operation) > 1]
    rest = [o.value for o in Operation if o in found and o.kind.value not in several]
    return "; ".join(part for part in (f"kinds {code(several)}" if several else "", code(rest)) if part)


def families() -> Iterator[str]:
    for family, found in FAMILIES.items():
        yield f"| `{family.__name__}` | {code(f.name for f in fields(family))} | {goes_with(found)} |"


def test_operations_by_kind() -> None:
    assert operations() in PAGE, operations()


def test_settings_by_family() -> None:
    expected = table("| family | fields | goes with |", families())
    assert expected in PAGE, expected


def test_every_kind_of_use() -> None:
    assert not [kind for kind in UseKind if f"| `{kind.value}` |" not in PAGE]


def test_every_fact_and_what_each_framework_shows() -> None:
    rows = {kind: re.search(rf"^\| `{kind.value}` \| (.+) \|$", PAGE, re.MULTILINE) for kind in FactKind}
    assert not [kind for kind, row in rows.items() if row is None]
    cells = {kind: row[1].split(" | ") for kind, row in rows.items() if row is not None}
    assert [kind for kind, row in cells.items() if row[0] == kind.label and len(row) == 5] == list(FactKind)
