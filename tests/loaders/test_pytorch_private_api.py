"""The parts of torch that it does not promise to keep: each is still there, and used in one place alone."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

import maskcheck.loaders.pytorch as package
from maskcheck.loaders.pytorch import private_api

FOLDER = Path(package.__file__).parent

NAMES = (
    *("torch.utils._pytree.tree_flatten", "torch.utils._pytree.tree_unflatten"),
    "torch.utils._pytree.tree_flatten_with_path",
    "torch.utils._python_dispatch.TorchDispatchMode",
    *("torch.multiprocessing.reductions.StorageWeakRef", "torch.UntypedStorage._cdata"),
    "torch._C.DisableTorchFunction",
    *("torch._C.ScriptModule._type", "torch._C.ScriptModule._method_names", "torch._C.ScriptModule._get_method"),
    "torch._C.ClassType.qualified_name",
    *("torch._C.Graph.nodes", "torch._C.Graph.create", "torch._C.Graph.insertConstant"),
    *("torch._C.Graph.setInsertPoint", "torch._C.Node.sourceRange", "torch._C.Node.insertBefore"),
    "torch._C.Node.insertAfter",
)
"""What ``private_api`` takes of torch, and the graphs that it hands out."""

NAMES_OF_PT2 = (
    *("torch._export.serde.schema", "torch._export.serde.serialize.ExportedProgramDeserializer"),
    *("torch._export.serde.serialize._dict_to_dataclass", "torch._ops.OpOverload"),
    *("torch.utils._pytree.tree_leaves", "torch._sym_sqrt"),
)
"""What ``pt2`` takes of torch by itself."""

_PRIVATE = re.compile(r"(?<![\w.])torch(\.\w+)*\._(?!_)\w+")
_ATTRIBUTES = frozenset({"_C", "_cdata", "_c", "_schema", "_type", "_method_names", "_get_method"})
_MODULES_OWN = frozenset({"_parameters", "_buffers"})


@pytest.mark.parametrize("name", (*NAMES, *NAMES_OF_PT2))
def test_torch_still_has(name: str) -> None:
    assert found(name) is not None


def found(name: str) -> object:
    """What ``name`` stands for: the longest part of it that is a module, and attributes of that."""
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        try:
            value: object = importlib.import_module(".".join(parts[:i]))
        except ModuleNotFoundError:
            continue
        for part in parts[i:]:
            value = getattr(value, part)
        return value
    raise AssertionError(name)


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: str(path.relative_to(FOLDER)))
def test_nothing_private_is_used_elsewhere(path: Path) -> None:
    if path.name == "private_api.py" or path.parent.name == "pt2":
        return
    assert not list(private_names(ast.parse(path.read_text())))


def private_names(tree: ast.AST) -> list[str]:
    """Private modules and attributes of torch that a file names."""
    modules = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    imported = [f"{node.module}.{name.name}" for node in modules for name in node.names]
    attributes = [node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    return [
        *(name for name in imported if _PRIVATE.match(name)),
        *(name for name in attributes if name in _ATTRIBUTES | _MODULES_OWN),
    ]


def test_a_file_that_uses_something_private_is_found() -> None:
    written = "from torch.utils import _pytree\nfrom torch._export import serde\nx._cdata"
    assert private_names(ast.parse(written)) == ["torch.utils._pytree", "torch._export.serde", "_cdata"]


def test_nested_containers_are_put_together_again() -> None:
    value = {"a": (1, [2]), "b": 3}
    leaves, structure = private_api.flatten_tree(value)
    assert leaves == [1, 2, 3]
    assert private_api.build_tree(leaves, structure) == value
    assert [len(path) for path in private_api.tree_paths(value)] == [2, 3, 1]


def test_memory_is_told_apart() -> None:
    one, other = torch.zeros(3), torch.zeros(3)
    assert private_api.storage_id(one) == private_api.storage_id(one[1:])
    assert private_api.storage_id(one) != private_api.storage_id(other)
    assert private_api.storage_id(one.to_sparse()) is None


def test_operators_declare_their_arguments() -> None:
    schema = private_api.operator_schema(torch.ops.aten.add_.Tensor)
    assert schema.name == "aten::add_"
    assert [argument.name for argument in schema.arguments] == ["self", "other", "alpha"]
    assert private_api.operator_schema(print) is None


def test_compiled_modules_show_their_methods_and_tensors() -> None:
    script = torch.jit.script(torch.nn.Linear(2, 3))
    (method,) = private_api.script_methods(script)
    assert method[1] == "forward"
    assert sorted(private_api.own_tensors(script)) == ["bias", "weight"]
