"""Which module is being called, by global forward hooks that exist only while a recording runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ModuleCall:
    """One call of a module. ``label`` tells repeated calls apart: ``layer``, ``layer@1``..."""

    path: str
    label: str
    kind: str | None


@dataclass(slots=True)
class ModuleStack:
    """The calls in progress, the root at the bottom. ``names`` maps ids of modules to their dotted paths."""

    names: dict[int, str]
    root: str | None
    calls: Counter[str] = field(default_factory=Counter)
    stack: list[ModuleCall] = field(default_factory=list)

    @classmethod
    def of(cls, target: Any) -> ModuleStack:
        named = target.named_modules() if hasattr(target, "named_modules") else ()
        return cls({id(module): name for name, module in named}, type(target).__name__)

    @property
    def current(self) -> ModuleCall:
        return self.stack[-1] if self.stack else ModuleCall("", "", self.root)

    @contextmanager
    def follow(self) -> Iterator[None]:
        """Follow every module call until the block ends."""
        from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

        before = register_module_forward_pre_hook(lambda module, _: self._enter(module))
        after = register_module_forward_hook(lambda module, *_: self._leave(), always_call=True)
        try:
            yield
        finally:
            before.remove()
            after.remove()

    def _enter(self, module: Any) -> None:
        path = self.names.get(id(module))
        if path is None:
            path = self._adopt(module)
        seen = self.calls[path]
        self.calls[path] += 1
        self.stack.append(ModuleCall(path, path if not seen else f"{path}@{seen}", type(module).__name__))

    def _leave(self) -> None:
        if self.stack:
            self.stack.pop()

    def _adopt(self, module: Any) -> str:
        """Name a module that is no part of the root: one that a function calls, or one made while running."""
        parent = self.current.path
        own = f"{parent}.{type(module).__name__}" if parent else type(module).__name__
        path = own
        taken = set(self.names.values())
        for i in range(1, 10**6):
            if path not in taken:
                break
            path = f"{own}_{i}"
        for name, child in module.named_modules():
            self.names.setdefault(id(child), f"{path}.{name}" if name else path)
        return path
