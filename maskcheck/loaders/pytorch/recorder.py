"""Records one run of a PyTorch program operator by operator, with chosen results replaced.

Operators are seen below the Python code, by a dispatch mode, so views, in-place operators and whatever a library calls
are all met. A function mode above it keeps a few calls whole that torch would take apart (see ``composite_ops``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.core.trace import Trace
from maskcheck.ir.dependence import Level, level_after
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Settings
from maskcheck.loaders.pytorch.composite_ops import attention_weights, unit_arguments
from maskcheck.loaders.pytorch.journal import Journal, Place
from maskcheck.loaders.pytorch.modes import operators_mode, units_mode
from maskcheck.loaders.pytorch.modules import ModuleStack
from maskcheck.loaders.pytorch.numbers import Numbers
from maskcheck.loaders.pytorch.operations import LITERALS, base_name
from maskcheck.loaders.pytorch.private_api import build_tree, flatten_tree, operator_schema, without_function_modes
from maskcheck.loaders.pytorch.reads import Reads
from maskcheck.loaders.pytorch.results import Results
from maskcheck.loaders.pytorch.schema import arguments, changed_tensors, tensors
from maskcheck.loaders.pytorch.tensor_table import TensorTable
from maskcheck.loaders.pytorch.translate import Call, called_operation, operand_keys, settings_of

_OVERWRITES = frozenset({"zero", "uniform", "normal", "exponential", "bernoulli"})
"""In-place operators that read nothing of what they change."""

_REPLACES = frozenset({"copy", "fill"})
"""Operators, in place or not, that read nothing of their first argument."""

_NUMBERS = ("other", "value", "exponent")
"""Arguments of element-wise operators that may be numbers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call in the words of all frameworks."""

    call: Call
    operation: Operation
    settings: Settings | None

    @property
    def level(self) -> Level:
        """What its results depend on. Where the program chose their size itself, nobody knows from what."""
        found = level_after(self.operation, self.call.levels)
        sized = not self.call.known or self.operation is Operation.CONSTANT_LIKE or self.call.name == "fill"
        return max(found, Level.SHAPE) if sized else found


@dataclass(slots=True, kw_only=True)
class Recorder:
    """One recording: meets every call, and has it noted what is called, what it reads and what it makes."""

    journal: Journal
    table: TensorTable
    reads: Reads
    numbers: Numbers = field(default_factory=Numbers)
    attention: dict[str, Array] = field(default_factory=dict)
    _silences: int = 0

    @classmethod
    def start(cls, modules: ModuleStack, weights: Mapping[int, str], table: TensorTable) -> Recorder:
        """A new recording. ``weights`` names weights by the identity of their memory."""
        boundary = cls.run.__code__
        journal = Journal(modules=modules, is_outside=lambda frame: frame.f_code is boundary)
        return cls(journal=journal, table=table, reads=Reads(journal=journal, table=table, weights=weights))

    def run(
        self,
        inputs: Mapping[str, Any],
        call: Callable[[Mapping[str, Any]], Any],
        flatten: Callable[[Any], Mapping[str, Any]],
    ) -> Trace:
        """Call ``call`` with ``inputs`` (patched) and record it; ``flatten`` names the tensors of what it returns."""
        given = {name: self.table.enter_input(name, tensor) for name, tensor in inputs.items()}
        with _record_calls(self):
            result = call(given)
            with self._silence():
                outputs = {name: self._note_output(name, tensor) for name, tensor in flatten(result).items()}
        return Trace(
            sites=tuple(self.journal.sites),
            tensors=self.table.values.kept,
            outputs=outputs,
            shape_only=self.table.shape_only,
            constants=self.table.constants,
            attention=self.attention,
        )

    def operator(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run and record one ATen operator."""
        if self.silent:
            return func(*args, **kwargs)
        with without_function_modes():
            library, _, _ = operator_schema(func).name.partition("::")
            name = base_name(operator_schema(func).name)
            changed = changed_tensors(func, args, kwargs)
            step = self._translate(name, arguments(func, args, kwargs), _read(name, args, kwargs, changed), library)
            for tensor in changed:
                self.table.values.detach(tensor)
            return self._note(step, func(*args, **kwargs), changed)

    def unit(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run and record one call as a whole."""
        with self._silence():
            step = self._translate(name, unit_arguments(name, args, kwargs), list(tensors((args, kwargs))))
            return self._note(step, func(*args, **kwargs), ())

    @property
    def silent(self) -> bool:
        return self._silences > 0

    def go_to(self, place: Place) -> None:
        """The program says itself where it is: what it calls from now on is called there."""
        self.journal.told = place

    def _translate(self, name: str, given: Mapping[str, Any], read: Sequence[Any], library: str = "aten") -> Step:
        """What a call is about to do, told before it runs: it may change what it reads."""
        call = Call(
            name=name,
            given=given,
            library=library,
            known={id(tensor): self.reads.find(tensor) for tensor in read},
            uniform=self.numbers.uniform,
            written=self.numbers.written,
        )
        operation = called_operation(call)
        return Step(call=call, operation=operation, settings=settings_of(call, operation))

    def _note(self, step: Step, returned: Any, changed: Sequence[Any]) -> Any:
        """Note what a call made, and return it as its readers are to see it."""
        leaves, structure = flatten_tree(returned)
        results = Results.of(leaves, changed, self.table.identities, step.operation)
        if not results.tensors:
            return returned
        name, place = self.journal.name(step.call.name)
        level = self._level(step, name, results)
        keys = results.enter(name, level, self.table)
        self._note_numbers(step, keys, results)
        if level is not Level.CONSTANT:
            self._note_site(step, name, place, keys)
            self._weigh(step, name)
        return build_tree(results.leaves, structure)

    def _level(self, step: Step, name: str, results: Results) -> Level:
        """Of weights, as many rows of a position table as there are columns."""
        level = step.level
        varies = level is Level.CONSTANT and self.table.memory.note(name, results.sizes)
        return Level.SHAPE if varies else level

    def _note_numbers(self, step: Step, keys: Sequence[str], results: Results) -> None:
        if self.numbers.note(step.call.name, step.operation, step.call.keys, keys):
            for key, tensor in zip(keys, results.tensors, strict=True):
                self.table.learn_fill(key, tensor)

    def _note_site(self, step: Step, name: str, place: Place, keys: Sequence[str]) -> None:
        self.journal.add(
            name,
            place,
            operator=step.call.name,
            operation=step.operation,
            settings=step.settings,
            reads=operand_keys(step.call, self._enter_numbers(name, step)),
            makes=keys,
        )

    def _enter_numbers(self, site: str, step: Step) -> dict[str, str]:
        """Keys of the numbers an element-wise operator was given, by argument: a size that Python computed looks so."""
        if step.operation.kind is not Kind.ELEMENTWISE or step.call.name == "to_copy":
            return {}
        found = {}
        for argument in _NUMBERS:
            number = step.call.given.get(argument)
            if isinstance(number, int | float) and not isinstance(number, bool):
                found[argument] = f"{site}:{argument}"
                self.table.enter_number(found[argument], np.asarray(number))
        return found

    def _weigh(self, step: Step, site: str) -> None:
        """Note the weights of a fused attention."""
        if step.operation.kind is Kind.ATTENTION and self.table.values.record is None:
            weights = attention_weights(step.call.name, step.call.given)
            if weights is not None:
                self.attention[site] = weights

    def _note_output(self, name: str, tensor: Any) -> Array:
        known = self.reads.find(tensor)
        self.journal.add_output(name, known.key)
        return self.table.enter_output(name, known, tensor)

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._silences += 1
        try:
            yield
        finally:
            self._silences -= 1


def _read(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], changed: Sequence[Any]) -> list[Any]:
    """Tensors whose values an operator reads. One made from Python numbers is no more than those."""
    if name in LITERALS:
        return []
    passed_over = [*args[:1]] if name in _REPLACES else changed if name in _OVERWRITES else ()
    unread = {id(tensor) for tensor in passed_over}
    return [tensor for tensor in tensors((args, kwargs)) if id(tensor) not in unread]


@contextmanager
def _record_calls(recorder: Recorder) -> Iterator[None]:
    """Everything that is called until the block ends is recorded. Fused layers are taken apart."""
    import torch

    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), recorder.journal.modules.follow(), units_mode(recorder), operators_mode(recorder):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
