"""Records one run of a PyTorch program operator by operator, with chosen results replaced.

Operators are seen below the Python code, by a dispatch mode, so views, in-place operators and whatever a library calls
are all met. A function mode above it keeps a few calls whole that torch would take apart (see ``units``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Settings
from maskcheck.ir.source import SourceLine
from maskcheck.loaders.pytorch.arrays import like, to_numpy
from maskcheck.loaders.pytorch.attributes import attributes
from maskcheck.loaders.pytorch.composite_ops import attention_weights, unit_arguments, unit_name
from maskcheck.loaders.pytorch.frames import source_line
from maskcheck.loaders.pytorch.identity import Identities, Known, Level, geometry, storage_id
from maskcheck.loaders.pytorch.modules import ModuleStack
from maskcheck.loaders.pytorch.operations import LITERALS, ONE_NUMBER, SIZED_LIKE, base_name, operation_of
from maskcheck.loaders.pytorch.schema import arguments, is_tensor, mutated, tensors
from maskcheck.loaders.pytorch.translate import Call, called_operation, settings_of

_FIRST_OUTPUT = (Kind.NORMALIZATION, Kind.ATTENTION)
"""Kinds whose further outputs are statistics that only training reads."""

_OVERWRITES = frozenset({"copy", "fill", "zero", "uniform", "normal", "exponential", "bernoulli"})
"""In-place operators that read nothing of what they change."""

_KEEPS_UNIFORM = (Kind.ELEMENTWISE, Kind.LAYOUT)
"""Kinds whose result holds one number everywhere if every operand does."""


@dataclass(slots=True)
class Memory:
    """Numbers that operators were given and sizes of what they made of weights, over all recordings.

    In eager code sizes are Python numbers, which leave no trace of where they came from: those that change between
    recordings of different length come from sizes.
    """

    seen: dict[str, object] = field(default_factory=dict)
    varying: set[str] = field(default_factory=set)

    def note(self, key: str, value: object) -> bool:
        """Remember ``value`` and return whether ``key`` ever had another one."""
        if self.seen.setdefault(key, value) != value:
            self.varying.add(key)
        return key in self.varying


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operator was called, when something other than the Python stack knows it better."""

    module: str | None
    module_class: str | None
    source: SourceLine | None


@dataclass(frozen=True, slots=True)
class Step:
    """One call in the words of all frameworks, and what it reads, in order."""

    call: Call
    operation: Operation
    settings: Settings | None
    reads: Sequence[Known]


@dataclass(slots=True)
class Recorder:
    """One recording. ``constants`` names weights by the identity of their memory; ``record`` is ``Model.trace``'s."""

    modules: ModuleStack
    constants: Mapping[int, str]
    memory: Memory
    patches: Mapping[str, Array] = field(default_factory=dict)
    record: Collection[str] | None = None
    place: Place | None = None
    sites: list[Site] = field(default_factory=list)
    tensors: dict[str, Array] = field(default_factory=dict)
    attention: dict[str, Array] = field(default_factory=dict)
    levels: dict[str, Level] = field(default_factory=dict)
    outputs: dict[str, Array] = field(default_factory=dict)
    _identities: Identities = field(default_factory=Identities)
    _counts: Counter[str] = field(default_factory=Counter)
    _shared: dict[int, list[str]] = field(default_factory=dict)
    _uniform: set[str] = field(default_factory=set)
    _written: set[str] = field(default_factory=set)
    _silent: int = 0

    # ------------------------------------------------------------------ the recording as a whole

    def run(
        self,
        inputs: Mapping[str, Any],
        call: Callable[[Mapping[str, Any]], Any],
        flatten: Callable[[Any], Mapping[str, Any]],
    ) -> Trace:
        """Call ``call`` with ``inputs`` (patched) and record it; ``flatten`` names the tensors of what it returns."""
        import torch

        given = {name: self._input(name, tensor) for name, tensor in inputs.items()}
        fast = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            with torch.no_grad(), self.modules.hooked(), _function_mode(self), _dispatch_mode(self):
                result = call(given)
                with self._silence():
                    for name, tensor in flatten(result).items():
                        self._output(name, tensor)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
        return self._trace()

    def _trace(self) -> Trace:
        varying = {k for k in self.memory.varying if k in self.levels}
        shapes = {k for k, level in self.levels.items() if level is Level.SHAPE} | varying
        constants = {k for k, level in self.levels.items() if level is Level.CONSTANT} - varying
        return Trace(
            tuple(self.sites),
            self.tensors,
            self.outputs,
            frozenset(shapes),
            frozenset(constants),
            self.attention,
        )

    def _input(self, name: str, tensor: Any) -> Any:
        self.tensors[name] = np.array(to_numpy(tensor), copy=True)
        self.levels[name] = Level.DATA
        if name in self.patches:
            tensor = like(self.patches[name], tensor)
        self._identities.register(tensor, name, Level.DATA)
        return tensor

    def _output(self, name: str, tensor: Any) -> None:
        """Outputs are sites of their own, which move a tensor under the output's name."""
        known = self._known(tensor)
        self.sites.append(
            Site(
                name=f"output:{name}",
                operator="output",
                operation=Operation.IDENTITY,
                inputs=(known.key,),
                outputs=(name,),
            )
        )
        self.outputs[name] = self.tensors[name] = np.array(to_numpy(tensor), copy=True)
        self.levels.setdefault(name, known.level)

    # ------------------------------------------------------------------ one operator

    def operator(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run and record one ATen operator."""
        import torch

        if self._silent:
            return func(*args, **kwargs)
        with torch._C.DisableTorchFunction():
            library, _, _ = func._schema.name.partition("::")
            name = base_name(func._schema.name)
            changed = mutated(func, args, kwargs)
            overwritten = {id(t) for t in changed} if name in _OVERWRITES else set()
            # A tensor made from Python numbers is no more than those: sizes and constants.
            read = [] if name in LITERALS else [t for t in tensors((args, kwargs)) if id(t) not in overwritten]
            step = self._step(name, arguments(func, args, kwargs), read, library)
            for tensor in changed:
                self._detach(tensor)
            made = self._made(step, func(*args, **kwargs), changed)
            self._weigh(step)
            return made

    def unit(self, name: str, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Run and record one call as a whole."""
        with self._silence():
            step = self._step(name, unit_arguments(name, args, kwargs), list(tensors((args, kwargs))))
            made = self._made(step, func(*args, **kwargs), [])
            self._weigh(step)
            return made

    def _step(self, name: str, given: Mapping[str, Any], read: Sequence[Any], library: str = "aten") -> Step:
        """What a call is about to do, told before it runs: it may change what it reads."""
        reads = [self._known(tensor) for tensor in read]
        known = dict(zip(map(id, read), reads, strict=True))
        call = Call(name=name, given=given, library=library, known=known, uniform=self._uniform, written=self._written)
        operation = called_operation(call)
        return Step(call, operation, settings_of(call, operation), reads)

    def _made(self, step: Step, result: Any, changed: Sequence[Any]) -> Any:
        """Note what an operator returned and give back what its readers are to see."""
        from torch.utils import _pytree as pytree

        leaves, shape = pytree.tree_flatten(result)
        in_place = {id(t) for t in changed}
        fresh = [
            i for i, leaf in enumerate(leaves) if is_tensor(leaf) and (id(leaf) in in_place or not self._same(leaf))
        ]
        if step.operation.kind in _FIRST_OUTPUT:
            fresh = fresh[:1]
        extra = [t for t in changed if id(t) not in {id(x) for x in leaves}]
        if not fresh and not extra:
            return result
        level = _level(step)
        site, place = self._name(step.call.name)
        sizes = tuple(tuple(leaves[i].shape) for i in fresh)
        if level is Level.CONSTANT and self.memory.note(site, sizes):
            level = Level.SHAPE  # as many rows of a position table as there are columns
        keys: list[str] = []
        for i, tensor in [*((i, leaves[i]) for i in fresh), *((None, t) for t in extra)]:
            key = f"{site}.{len(keys)}" if keys else site
            keys.append(key)
            replaced = self._note(key, tensor, level, in_place=id(tensor) in in_place)
            if i is not None:
                leaves[i] = replaced
        self._note_constants(step, keys)
        if level is not Level.CONSTANT:
            scalars = self._scalar_keys(site, step)
            self.sites.append(
                Site(
                    name=site,
                    operator=f"aten.{step.call.name}",
                    operation=step.operation,
                    settings=step.settings,
                    inputs=tuple(dict.fromkeys(k.key for k in step.reads)) + scalars,
                    outputs=tuple(keys),
                    module=place.module or None,
                    module_class=place.module_class,
                    source=place.source,
                    attributes=attributes(step.call, step.operation),
                )
            )
        return pytree.tree_unflatten(leaves, shape)

    def _note(self, key: str, tensor: Any, level: Level, *, in_place: bool) -> Any:
        """Keep the computed value, and put a patch in its place."""
        self.levels[key] = level
        if level is not Level.CONSTANT and (self.record is None or key in self.record):
            self.tensors[key] = to_numpy(tensor)
            own = storage_id(tensor)
            if own is not None:
                self._shared.setdefault(own, []).append(key)
        if key in self.patches:
            patch = like(self.patches[key], tensor)
            if in_place:
                self._detach(tensor)
                tensor.copy_(patch)
            else:
                tensor = patch
        if in_place:
            self._identities.written(tensor, key, level)
        else:
            self._identities.register(tensor, key, level)
        return tensor

    def _detach(self, tensor: Any) -> None:
        """Recorded arrays share memory with their tensors; copy those whose memory is about to change."""
        for key in self._shared.pop(storage_id(tensor) or 0, ()):
            self.tensors[key] = np.array(self.tensors[key], copy=True)

    def _same(self, tensor: Any) -> bool:
        """Whether a result is only another object for a tensor that is known already."""
        return self._identities.current(tensor) is not None

    def _note_constants(self, step: Step, keys: Sequence[str]) -> None:
        """Remember results that hold one number everywhere, and those that were written down in the program."""
        if step.call.name in LITERALS:
            self._written.update(keys)
        moved = step.operation.kind in _KEEPS_UNIFORM and step.operation is not Operation.TRIANGLE and step.reads
        if step.call.name in ONE_NUMBER or (moved and all(known.key in self._uniform for known in step.reads)):
            self._uniform.update(keys)

    def _scalar_keys(self, site: str, step: Step) -> tuple[str, ...]:
        """Numbers an element-wise operator was given, as tensors: a size that Python computed looks so."""
        if step.operation.kind is not Kind.ELEMENTWISE or step.call.name == "to_copy":
            return ()
        found = []
        for argument in ("other", "value", "exponent"):
            number = step.call.given.get(argument)
            if isinstance(number, int | float) and not isinstance(number, bool):
                key = f"{site}:{argument}"
                found.append(key)
                self.levels[key] = Level.CONSTANT
                self.memory.note(key, number)
                if self.record is None or key in self.record:
                    self.tensors[key] = np.asarray(number)
        return tuple(found)

    def _weigh(self, step: Step) -> None:
        """Note the weights of a fused attention, which was recorded last."""
        if step.operation.kind is Kind.ATTENTION and self.record is None and self.sites:
            weights = attention_weights(step.call.given)
            if weights is not None:
                self.attention[self.sites[-1].name] = weights

    # ------------------------------------------------------------------ names

    def _known(self, tensor: Any) -> Known:
        """The key of a tensor that an operator reads."""
        known = self._identities.current(tensor)
        if known is not None:
            return known
        storage = self._identities.storage(tensor)
        if storage is not None and storage.latest is not None:
            base = storage.views.get(geometry(tensor), storage.latest)
            parts = [(base.key, base.level), *storage.writes[base.version :]]
            return self._synthetic("slice_scatter" if len(parts) > 1 else "view", tensor, parts)
        name = self.constants.get(storage_id(tensor) or 0)
        if name is not None:
            self.levels.setdefault(name, Level.CONSTANT)
            self._identities.register(tensor, name, Level.CONSTANT)
            return self._identities.current(tensor) or Known(name, Level.CONSTANT, 0)
        return self._number(tensor) if tensor.ndim == 0 else self._synthetic("untracked", tensor, [])

    def _number(self, tensor: Any) -> Known:
        """A single number that no operator made, as TorchScript turns sizes into tensors."""
        key, _ = self._name("number")
        value = to_numpy(tensor).copy()
        self.levels[key] = Level.CONSTANT
        level = Level.SHAPE if self.memory.note(key, value.item()) else Level.CONSTANT
        if self.record is None or key in self.record:
            self.tensors[key] = value
        self._identities.register(tensor, key, level)
        return Known(key, level, 0)

    def _synthetic(self, name: str, tensor: Any, parts: Sequence[tuple[str, Level]]) -> Known:
        """A site for a tensor that changed without an operator making it: another view was written, or it came from
        outside.
        """
        site, place = self._name(name)
        level = max((level for _, level in parts), default=Level.DATA)
        self._note(site, tensor, level, in_place=False)
        if level is not Level.CONSTANT:
            self.sites.append(
                Site(
                    name=site,
                    operator=f"aten.{name}",
                    operation=operation_of(name),
                    inputs=tuple(dict.fromkeys(key for key, _ in parts)),
                    outputs=(site,),
                    module=place.module or None,
                    module_class=place.module_class,
                    source=place.source,
                )
            )
        return self._identities.current(tensor) or Known(site, level, 0)

    def _name(self, operator: str) -> tuple[str, Place]:
        """A name that is the same in every run: module and call, operator, line, and how many came before it there."""
        if self.place is not None:
            place, label = self.place, self.place.module or ""
        else:
            call = self.modules.current
            place, label = Place(call.path, call.kind, source_line("run")), call.label
        text = f"{label}/{operator}" if label else operator
        if place.source is not None:
            text += f":{place.source.line}"
        count = self._counts[text]
        self._counts[text] += 1
        return (text if count == 0 else f"{text}#{count}"), place

    @contextmanager
    def _silence(self) -> Iterator[None]:
        self._silent += 1
        try:
            yield
        finally:
            self._silent -= 1

    @property
    def silent(self) -> bool:
        return self._silent > 0


def _level(step: Step) -> Level:
    if step.operation.kind is Kind.RANDOM:
        return Level.DATA
    if step.call.name in SIZED_LIKE or not step.reads:
        value = step.call.tensor("value")  # what is filled in may be a tensor
        return Level.SHAPE if value is None else max(Level.SHAPE, step.call.level_of(value))
    return max(known.level for known in step.reads)


def _dispatch_mode(recorder: Recorder) -> Any:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Operators(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            return recorder.operator(func, args, kwargs or {})

    return Operators()


def _function_mode(recorder: Recorder) -> Any:
    from torch.overrides import TorchFunctionMode

    class Units(TorchFunctionMode):
        def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = None if recorder.silent else unit_name(func)
            if name is None:
                return func(*args, **(kwargs or {}))
            return recorder.unit(name, func, args, kwargs or {})

    return Units()
