"""Nothing is decided by the name that a framework gives an operator, or by settings under a framework's own names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskcheck

PACKAGE = Path(maskcheck.__file__).parent
MODULES = [path for part in ("rules", "probe", "explain") for path in sorted((PACKAGE / part).rglob("*.py"))]


def read(tree: ast.AST, attribute: str) -> list[ast.Attribute]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == attribute]


def spoken(tree: ast.AST) -> Iterator[ast.expr]:
    """What is put into texts as it is, by f-strings. What is computed there, a comparison say, is not among it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FormattedValue):
            yield node.value


def decided_by_name(tree: ast.AST) -> list[int]:
    """Lines where ``.operator`` is read other than to be put into a text."""
    told = {id(node) for node in spoken(tree)}
    return [node.lineno for node in read(tree, "operator") if id(node) not in told]


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_operators_are_named_in_messages_alone(path: Path) -> None:
    assert not decided_by_name(parse(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_settings_are_typed(path: Path) -> None:
    assert not [node.lineno for node in read(parse(path), "attributes")]


def test_the_rules_above_notice_what_they_should() -> None:
    assert not decided_by_name(ast.parse('f"{site.operator} leaks"'))
    assert decided_by_name(ast.parse('site.operator == "Add"')) == [1]
    assert decided_by_name(ast.parse("f\"{'a' if site.operator == 'Add' else 'b'}\"")) == [1]
    assert decided_by_name(ast.parse("named = site.operator.lower()")) == [1]
