"""A serving function as one list of operators, without calls of functions and without variables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maskcheck.core.errors import TraceError
from maskcheck.loaders.keras import private_api


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenNode:
    """One operator. ``inputs`` and ``outputs`` are keys, ``operator`` is what TensorFlow calls it."""

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @property
    def module(self) -> str | None:
        return self.name.rpartition("/")[0] or None


@dataclass(frozen=True, slots=True, kw_only=True)
class FrozenGraph:
    """A frozen graph.

    ``tensors`` maps keys to the tensors to fetch, by their names in ``proto``, and ``dtypes`` maps them to the type of
    numpy that holds them; ``shapes`` holds those that are known beforehand. ``inputs`` and ``outputs`` map the
    signature's names to keys. A tensor that is handed on as it is has one key, however many operators it passes.
    """

    proto: Any
    nodes: tuple[FrozenNode, ...]
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    tensors: Mapping[str, str]
    dtypes: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]]


_HANDS_ON = frozenset(
    {"Identity", "StopGradient", "PreventGradient", "Snapshot", "EnsureShape", "CheckNumerics", "TensorListFromTensor"}
)
"""Operators whose result is their first operand; a list made of a tensor holds the same values."""

_SILENT = frozenset({"NoOp", "Const", "Placeholder", "Assert"})
_UNLIST = "TensorListStack"
_CALLS = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")


def flatten(function: Any, arguments: Iterable[str], results: Iterable[str]) -> FrozenGraph:
    """Make the graph of a serving function flat; ``arguments`` and ``results`` name its inputs and outputs.

    TensorFlow puts both in the order of their names.

    Raises:
        TraceError: it reads tables or other state that cannot be written into the graph.
    """
    try:
        frozen = private_api.freeze_variables(function)
    except Exception as error:
        raise TraceError(f"The graph of this SavedModel cannot be made graph: {str(error)[:200]}") from error
    arguments, results = sorted(arguments), sorted(results)
    names = [t.name for t in function.inputs[: len(arguments)]]
    operations = frozen.graph.get_operations()
    known = {n.partition(":")[0] for n in names}
    state = any(o.type == "Placeholder" and o.name not in known for o in operations)
    tables = any(t.dtype.name == "resource" for o in operations for t in o.outputs)
    if state or tables or len(frozen.outputs) != len(results):
        raise TraceError("The inside of this SavedModel cannot be observed: its graph reads tables or other state.")
    return _Reader(operations, dict(zip(arguments, names, strict=True))).flat(
        frozen.graph.as_graph_def(), dict(zip(results, [t.name for t in frozen.outputs], strict=True))
    )


class _Reader:
    """Reads operators in order, giving each tensor a key."""

    def __init__(self, operations: list[Any], inputs: Mapping[str, str]) -> None:
        self._operations = operations
        self._inputs = inputs
        self._keys: dict[str, str] = {name: key for key, name in inputs.items()}
        self._tensors: dict[str, str] = dict(inputs)
        self._dtypes: dict[str, Any] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._titles: set[str] = set(inputs)

    def flat(self, proto: Any, outputs: Mapping[str, str]) -> FrozenGraph:
        stacks = {_list(o.inputs[0]): o for o in self._operations if o.type == _UNLIST}
        nodes = [node for operation in self._operations for node in self._node(operation, stacks)]
        nodes, named = _name_outputs(nodes, {n: self._keys[t] for n, t in outputs.items()}, self._inputs)
        renamed = {old: new for new, old in named.items()}
        return FrozenGraph(
            proto=proto,
            nodes=tuple(nodes),
            inputs={key: key for key in self._inputs},
            outputs={name: name if name in named else self._keys[tensor] for name, tensor in outputs.items()},
            tensors={renamed.get(key, key): tensor for key, tensor in self._tensors.items()},
            dtypes={renamed.get(key, key): dtype for key, dtype in self._dtypes.items()},
            shapes={renamed.get(key, key): shape for key, shape in self._shapes.items()},
        )

    def _node(self, operation: Any, stacks: Mapping[str, Any]) -> Iterator[FrozenNode]:
        if operation.type in _HANDS_ON and operation.inputs[0].name in self._keys:
            self._keys[operation.outputs[0].name] = self._keys[operation.inputs[0].name]
            return
        if operation.type == _UNLIST and operation.outputs[0].name in self._keys:
            return  # entered where the list was filled
        title = self._title(operation.name)
        keys = tuple(self._enter_outputs(operation, title, stacks))
        if operation.type not in _SILENT:
            yield FrozenNode(
                name=title,
                operator=operation.type,
                inputs=tuple(self._keys[t.name] for t in operation.inputs),
                outputs=keys,
                attributes=_attributes(operation),
            )

    def _enter_outputs(self, operation: Any, title: str, stacks: Mapping[str, Any]) -> Iterator[str]:
        """Give every output a key, but for inputs of the model, which have one."""
        for i, tensor in enumerate(operation.outputs):
            if tensor.name in self._keys:
                self._hold(self._keys[tensor.name], tensor)
                continue
            key = title if len(operation.outputs) == 1 else f"{title}:{i}"
            self._keys[tensor.name] = key
            self._hold(key, self._unlist(key, tensor, stacks))
            yield key

    def _unlist(self, key: str, tensor: Any, stacks: Mapping[str, Any]) -> Any:
        """What can be fetched: a list shows what it holds once it is a tensor again."""
        stack = stacks.get(tensor.name)
        if stack is None:
            return tensor
        self._keys[stack.outputs[0].name] = key
        return stack.outputs[0]

    def _hold(self, key: str, tensor: Any) -> None:
        if tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool or tensor.dtype.is_complex:
            self._tensors[key] = tensor.name
            self._dtypes[key] = tensor.dtype.as_numpy_dtype
            if tensor.shape.is_fully_defined():
                self._shapes[key] = tuple(tensor.shape.as_list())

    def _title(self, name: str) -> str:
        short = _CALLS.sub("", name)
        title = name if short in self._titles else short
        self._titles.add(title)
        return title


def _list(tensor: Any) -> str:
    """The name under which a list was made."""
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return str(tensor.name)


def _name_outputs(
    nodes: list[FrozenNode], outputs: Mapping[str, str], inputs: Mapping[str, str]
) -> tuple[list[FrozenNode], dict[str, str]]:
    """The nodes with outputs of the model going by their own names, and what those were called before."""
    named: dict[str, str] = {}
    for name, key in outputs.items():
        if key not in inputs and key not in named.values():
            named[name] = key
    renamed = {old: new for new, old in named.items()}

    def keys(old: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(renamed.get(k, k) for k in old)

    found = [replace(node, inputs=keys(node.inputs), outputs=keys(node.outputs)) for node in nodes]
    copies = (_copy(renamed.get(key, key), name) for name, key in outputs.items() if name not in named)
    return [*found, *copies], named


def _copy(key: str, name: str) -> FrozenNode:
    """An output that is the same tensor as an input or another output."""
    return FrozenNode(name=f"output {name}", operator="Identity", inputs=(key,), outputs=(name,), attributes={})


def _attributes(operation: Any) -> dict[str, Any]:
    """The operator's plain settings."""
    found: dict[str, Any] = {}
    for name in operation.node_def.attr:
        if name.startswith("_") or name in ("T", "dtype", "value"):
            continue
        value = operation.node_def.attr[name]
        kind = value.WhichOneof("value")
        if kind in ("i", "f", "b"):
            found[name] = getattr(value, kind)
        elif kind == "s":
            found[name] = value.s.decode("utf-8", "replace")
        elif kind == "list" and value.list.i:
            found[name] = list(value.list.i)
    return found
