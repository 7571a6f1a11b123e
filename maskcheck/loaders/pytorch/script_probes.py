"""Marks in a TorchScript program that tell, while it runs, which module and which source line is at work.

Its interpreter calls no Python hooks and leaves no Python frames. What it does call are operators: a copy of the
program gets one more before each of its own, which carries a number, and two around each call of a submodule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from maskcheck.ir.source import SourceLine, innermost_user_line, script_frames, with_text
from maskcheck.loaders.pytorch.journal import Place
from maskcheck.loaders.pytorch.private_api import script_methods


@dataclass(slots=True)
class Marks:
    """A marked program: the lines by their numbers, and where its current run is."""

    module: Any
    lines: list[SourceLine | None] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)
    stack: list[str] = field(default_factory=list)
    report: Callable[[Place], None] | None = None

    @classmethod
    def of(cls, module: Any) -> Marks:
        """Mark ``module``, which is changed and must not have run yet."""
        _operators()
        found = cls(module)
        done: set[tuple[str, str]] = set()
        for path, part in module.named_modules():
            found.kinds[path] = str(part.original_name)
            for kind, name, graph in script_methods(part):
                if (kind, name) not in done:  # instances of one type share their code
                    done.add((kind, name))
                    found._mark(graph, graph)
        return found

    @contextmanager
    def report_to(self, report: Callable[[Place], None]) -> Iterator[None]:
        """Tell ``report`` of every place a run of the program comes to until the block ends."""
        self.stack.clear()
        self.report = report
        _running.append(self)
        try:
            yield
        finally:
            _running.remove(self)
            self.report = None

    def at(self, line: int) -> None:
        path = ".".join(self.stack)
        if self.report is not None:
            self.report(Place(module=path, module_class=self.kinds.get(path), source=self.lines[line]))

    def _mark(self, graph: Any, block: Any) -> None:
        for node in list(block.nodes()):
            for inner in node.blocks():
                self._mark(graph, inner)
            called = _submodule(node) if node.kind() == "prim::CallMethod" else None
            if called:
                _insert(graph, "enter", called, node)
                graph.create("maskcheck::leave", [], 0).insertAfter(node)
            elif node.kind() == "prim::CallFunction" or not node.kind().startswith("prim::"):
                self.lines.append(_line(node.sourceRange()))
                _insert(graph, "at", len(self.lines) - 1, node)


_running: list[Marks] = []
"""The marked program that runs now, last; operators belong to the whole process."""


@cache
def _operators() -> Any:
    """Define the operators; the library must stay alive as long as they are called."""
    import torch

    library = torch.library.Library("maskcheck", "FRAGMENT")
    for declared, function in (
        ("at(int line) -> ()", _at),
        ("enter(str path) -> ()", _enter),
        ("leave() -> ()", _leave),
    ):
        library.define(declared)
        library.impl(declared.partition("(")[0], function, "CompositeExplicitAutograd")
    return library


def _at(line: int) -> None:
    if _running:
        _running[-1].at(line)


def _enter(path: str) -> None:
    if _running:
        _running[-1].stack.append(path)


def _leave() -> None:
    if _running and _running[-1].stack:
        _running[-1].stack.pop()


def _insert(graph: Any, operator: str, value: int | str, before: Any) -> None:
    graph.setInsertPoint(before)
    constant = graph.insertConstant(value)
    graph.create(f"maskcheck::{operator}", [constant], 0).insertBefore(before)


def _submodule(call: Any) -> str:
    """Path from the caller to the module whose method is called; empty for the caller's own methods."""
    steps: list[str] = []
    maker = next(iter(call.inputs())).node()
    while maker.kind() == "prim::GetAttr":
        steps.insert(0, maker.s("name"))
        maker = next(iter(maker.inputs())).node()
    return ".".join(steps)


def _line(text: str) -> SourceLine | None:
    """The innermost line of the user's code that was traced, or the line that was compiled."""
    found = innermost_user_line(script_frames(text))
    return None if found is None else with_text(found)
