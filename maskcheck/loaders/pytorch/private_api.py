"""The parts of torch that it does not promise to keep, each behind one function.

Nothing else in this package uses any, but for ``pt2``, which puts exported programs together from checked parts.
``tests/loaders/test_pytorch_private_api.py`` names them all and tells when torch has changed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any


def flatten_tree(value: Any) -> tuple[list[Any], Any]:
    """The leaves of nested containers, in order, and what ``build_tree`` needs to put them together again."""
    from torch.utils import _pytree

    return _pytree.tree_flatten(value)


def tree_paths(value: Any) -> list[Sequence[Any]]:
    """Where each leaf stands, in the order of ``flatten_tree``."""
    from torch.utils import _pytree

    return [path for path, _ in _pytree.tree_flatten_with_path(value)[0]]


def build_tree(leaves: Sequence[Any], structure: Any) -> Any:
    from torch.utils import _pytree

    return _pytree.tree_unflatten(leaves, structure)


def storage_id(tensor: Any) -> int | None:
    """Identity of a tensor's memory; ``None`` for tensors that have none of the usual kind (sparse, nested)."""
    try:
        return int(tensor.untyped_storage()._cdata)
    except (RuntimeError, NotImplementedError):
        return None


def guard_storage(tensor: Any) -> Any:
    """Keeps the identity of a tensor's memory from being given to other memory, without keeping the memory."""
    from torch.multiprocessing.reductions import StorageWeakRef

    return StorageWeakRef(tensor.untyped_storage())


def without_function_modes() -> AbstractContextManager[Any]:
    """No function mode sees the calls that are made until the block ends."""
    import torch

    return torch._C.DisableTorchFunction()


def dispatch_mode() -> Any:
    """The class whose instances see every operator that is called while they are entered."""
    from torch.utils._python_dispatch import TorchDispatchMode

    return TorchDispatchMode


def operator_schema(operator: Any) -> Any:
    """How an operator declares its arguments; ``None`` where it does not."""
    return getattr(operator, "_schema", None)


def own_tensors(module: Any) -> tuple[str, ...]:
    """Names of the parameters and buffers of one module; a compiled one wraps them so that they cannot be iterated."""
    return (*module._parameters.keys(), *module._buffers.keys())


def script_methods(module: Any) -> Iterator[tuple[str, str, Any]]:
    """Type, name and graph of every method of one compiled module. Instances of one type share their graphs."""
    compiled = module._c
    kind = str(compiled._type().qualified_name())
    for name in compiled._method_names():
        yield kind, str(name), compiled._get_method(name).graph
