"""The arrows between the parts run one way, and nothing heavy is imported before it is needed."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import maskcheck

PACKAGE = Path(maskcheck.__file__).parent
SETTINGS = PACKAGE.parent / "pyproject.toml"
MODULES = sorted(PACKAGE.rglob("*.py"))
FRAMEWORKS = {"torch", "tensorflow", "keras", "onnx", "onnxruntime", "transformers", "safetensors", "onnxscript"}


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


def test_imports_run_one_way() -> None:
    """The contracts of ``[tool.importlinter]`` in pyproject.toml are kept; ``lint-imports`` says the same.

    In a process of its own: the linter closes the output that pytest captures.
    """
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True, no_logo=True))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=SETTINGS.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


BREACHES = {
    "floors: core imports probe": ("core/first.py", "import maskcheck.probe"),
    "floors: by way of the top of the package": ("rules/__init__.py", "import maskcheck"),
    "floors: a rule asks a loader": ("rules/__init__.py", "import maskcheck.loaders.onnx"),
    "floors: a module without a floor": ("homeless.py", ""),
    "frameworks: Keras is read by way of ONNX": ("loaders/keras/__init__.py", "import maskcheck.loaders.onnx"),
    "explanations: the explanation asks a rule": ("explain/__init__.py", "import maskcheck.rules"),
    "configuration: the settings open a model": ("config/__init__.py", "import maskcheck.loaders"),
    "circles: two modules that need each other": ("core/first.py", "import maskcheck.core.second"),
}
"""What each contract forbids, as one file put into a package that keeps all of them."""


def test_a_package_of_nothing_but_floors_keeps_the_contracts(tmp_path: Path) -> None:
    assert not broken(floors(), tmp_path)


@pytest.mark.parametrize("breach", BREACHES)
def test_the_contracts_notice_what_they_should(breach: str, tmp_path: Path) -> None:
    file, text = BREACHES[breach]
    assert broken(floors() | {file: text}, tmp_path) == {breach.split(":")[0]}


def contracts() -> list[dict[str, Any]]:
    return tomllib.loads(SETTINGS.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]


def floors() -> dict[str, str]:
    """The files of a package with every floor of the contract and hardly an import."""
    layers = next(contract["layers"] for contract in contracts() if contract["id"] == "floors")
    names = [name.strip("() ") for layer in layers for name in layer.split("|")]
    names += [f"loaders/{framework}" for framework in ("keras", "onnx", "pytorch")]
    files = {f"{name}/__init__.py": "" for name in names}
    files |= {"core/first.py": "", "core/second.py": "import maskcheck.core.first"}
    return files | {"__init__.py": "def audit():\n    import maskcheck.auditing\n"}


def broken(files: dict[str, str], folder: Path) -> set[str]:
    """The contracts, by their ids, that a package called maskcheck breaks which consists of these files."""
    for name, text in files.items():
        file = folder / "maskcheck" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(sys.argv[1], no_cache=True))"
    environment = os.environ | {"PYTHONPATH": str(folder), "COLUMNS": "300"}
    command = [sys.executable, "-c", lint, str(SETTINGS)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert "Contracts:" in done.stdout, done.stdout + done.stderr
    return {contract["id"] for contract in contracts() if f"{contract['name']} BROKEN" in " ".join(done.stdout.split())}


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
    for path in (path for path in MODULES if part(path) in ("core", "ir")):
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
