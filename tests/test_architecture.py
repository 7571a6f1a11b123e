"""The arrows between the parts run one way, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import maskcheck

PACKAGE = Path(maskcheck.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "transformers", "safetensors", "onnxscript"}

ALLOWED = {
    "ir": {"ir"},
    "core": {"ir", "core"},
    "loaders": {"ir", "core", "loaders"},
    "probe": {"ir", "core", "probe"},
    "explain": {"ir", "core", "probe", "explain"},
    "rules": {"ir", "core", "rules"},
    "report": {"ir", "core", "report"},
    "contract_file": {"ir", "core", "contract_file"},
    "acceptance": {"ir", "core", "acceptance"},
    "config": {"ir", "core", "acceptance", "contract_file", "config"},
    "verdict": {"ir", "core", "rules", "verdict"},
    "auditing": {"ir", "core", "loaders", "probe", "explain", "verdict", "rules", "report", "auditing"},
}
"""What each part may import of maskcheck. ``cli`` and whatever is not named here may import everything below them."""


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(tree: ast.AST) -> Iterator[tuple[str, ast.stmt]]:
    """Every module that a tree imports, wherever the import stands, by its full name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            assert node.module is not None
            yield node.module, node
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)


def at_module_level(tree: ast.AST) -> Iterator[ast.stmt]:
    """Import statements that run when the module is imported, those for the type checker excepted."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
            continue
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        yield from at_module_level(node)


def parts_imported(tree: ast.AST) -> set[str]:
    names = {name.split(".")[1] for name, _ in imports(tree) if name.startswith("maskcheck.")}
    return {name for name in names if (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()}


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    name = part(path)
    imported = parts_imported(parse(path))
    if name in ALLOWED:
        assert imported <= ALLOWED[name]
    elif name not in ("cli", "__main__"):
        assert "cli" not in imported


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_frameworks_are_imported_inside_functions_of_loaders(path: Path) -> None:
    tree = parse(path)
    heavy = [node for name, node in imports(tree) if name.split(".")[0] in FRAMEWORKS]
    if part(path) == "keras_callback":  # a base class from Keras; nothing of maskcheck imports it
        return
    if part(path) != "loaders":
        assert not heavy
    early = {id(node) for node in at_module_level(tree)}
    assert not [node.lineno for node in heavy if id(node) in early]


def test_core_needs_nothing_but_numpy() -> None:
    import sys

    for path in (PACKAGE / "core").glob("*.py"):
        for name, node in imports(parse(path)):
            top = name.split(".")[0]
            assert top in {"maskcheck", "numpy"} or top in sys.stdlib_module_names, f"{path.name}:{node.lineno}: {name}"


def test_nothing_of_maskcheck_imports_the_keras_callback() -> None:
    for path in MODULES:
        assert "keras_callback" not in parts_imported(parse(path)), path


def test_only_the_command_line_and_the_call_at_the_end_of_a_script_print_and_none_but_the_first_exits() -> None:
    for path in MODULES:
        if part(path) in ("cli", "__main__", "after_training"):
            continue
        for node in ast.walk(parse(path)):
            if isinstance(node, ast.Call) and isinstance(node.func, (ast.Name, ast.Attribute)):
                called = ast.unparse(node.func)
                assert called not in ("print", "exit", "sys.exit", "os._exit"), f"{path}:{node.lineno}: {called}"
            if isinstance(node, ast.Raise) and node.exc is not None:
                assert "SystemExit" not in ast.unparse(node.exc), f"{path}:{node.lineno}"


def test_the_rules_above_notice_what_they_should() -> None:
    tree = ast.parse("if True:\n    import torch.nn\nif TYPE_CHECKING:\n    import keras\ndef f():\n    import onnx\n")
    assert {ast.unparse(node) for node in at_module_level(tree)} == {"import torch.nn"}
    assert parts_imported(ast.parse("from maskcheck import probe\nimport maskcheck.core.report")) == {"probe", "core"}
