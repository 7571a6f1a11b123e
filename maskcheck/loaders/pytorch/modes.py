"""The two modes by which a recorder sees the calls of a running program, while they are entered."""

from __future__ import annotations

from typing import Any, Protocol

from maskcheck.loaders.pytorch.composite_ops import unit_name
from maskcheck.loaders.pytorch.private_api import dispatch_mode


class Recording(Protocol):
    """What is told of every call, and calls it."""

    @property
    def silent(self) -> bool:
        """Whether nothing is to be recorded now."""
        ...

    def operator(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...

    def unit(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...


def operators_mode(recording: Recording) -> Any:
    """Tells of every ATen operator."""

    base: Any = dispatch_mode()

    class Operators(base):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return recording.operator(func, args, kwargs or {})

    return Operators()


def units_mode(recording: Recording) -> Any:
    """Tells of the calls that are recorded whole."""
    from torch.overrides import TorchFunctionMode

    class Units(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = None if recording.silent else unit_name(func)
            if name is None:
                return func(*args, **(kwargs or {}))
            return recording.unit(name, func, args, kwargs or {})

    return Units()
