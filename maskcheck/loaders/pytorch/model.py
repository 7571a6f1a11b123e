"""``TorchModel``: a live module or function, run as it is and traced operator by operator."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from typing import Any

from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.trace import Trace
from maskcheck.core.training import Step, Targets
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders.pytorch.calls import Around, Calls, guess_calls, try_examples
from maskcheck.loaders.pytorch.evaluation_mode import EvaluationMode
from maskcheck.loaders.pytorch.example import find_unpadded
from maskcheck.loaders.pytorch.example_run import ExampleRun
from maskcheck.loaders.pytorch.gradients import gradients
from maskcheck.loaders.pytorch.learned import Learned
from maskcheck.loaders.pytorch.memory import Memory
from maskcheck.loaders.pytorch.modules import ModuleStack
from maskcheck.loaders.pytorch.origin import Origin, title
from maskcheck.loaders.pytorch.outputs import flatten
from maskcheck.loaders.pytorch.precision import widen
from maskcheck.loaders.pytorch.recorder import Recorder
from maskcheck.loaders.pytorch.shapes import describe
from maskcheck.loaders.pytorch.signature import Binding, bind
from maskcheck.loaders.pytorch.tensor_table import TensorTable
from maskcheck.loaders.pytorch.training import step as training_step
from maskcheck.loaders.pytorch.training import targets as training_targets
from maskcheck.loaders.pytorch.values import Values
from maskcheck.loaders.pytorch.weights import name_weights, precision_of, size_in_bytes

_LARGE = 256 * 2**20
"""Bytes of weights from which on no second copy of them is made."""


class TorchModel:
    """Implements ``maskcheck.core.model.Model``. Runs under ``eval()`` and ``no_grad``; ``close`` restores the modes.

    ``examples`` is a mapping of keyword arguments, a tuple of arguments, one tensor, or a ``Binding`` that knows how
    the target is called; without it inputs are guessed from the signature. ``traced`` is called instead of ``target``
    when tracing (the same weights with attention taken apart, for instance), and ``extra`` keyword arguments go with
    every call, which is made inside of ``around``. ``specs`` describe the inputs where that is known.

    Raises:
        LoadError: no inputs could be found with which the target runs.
    """

    def __init__(
        self,
        target: Any,
        examples: Any = None,
        *,
        traced: Any = None,
        extra: Mapping[str, Any] | None = None,
        path: str | None = None,
        format: str = "torch-module",
        sha256: str | None = None,
        hints: Mapping[str, Any] | None = None,
        size_bytes: int = 0,
        untraceable: str | None = None,
        specs: tuple[TensorSpec, ...] | None = None,
        around: Around = nullcontext,
    ) -> None:
        self.target = target
        self.traced = target if traced is None else traced
        self._extra = dict(extra or {})
        self._modes = EvaluationMode.switch(self.target, self.traced)
        self._untraceable = untraceable
        self._memory = Memory()
        self._calls, self._first_outputs = try_examples(self._find_calls(examples, around))
        self._specs = specs
        bare = find_unpadded(self.examples) if examples is not None and format == "torch-module" else ()
        shown = {"unpadded": bare} if bare else {}  # beside a file nobody gave an example
        self._origin = Origin(
            path=path or title(target),
            format=format,
            sha256=sha256,
            hints={**(hints or {}), **shown},
            size_bytes=size_bytes,
        )

    @property
    def examples(self) -> Mapping[str, Any]:
        """Example inputs by name, as tensors."""
        return self._calls.binding.inputs

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        if self._specs is not None:
            return self._specs
        rows = self._example_run.time_first_rows if self._example_run is not None else None
        return describe(self.examples, self._calls.accepts, rows)

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, value.dtype.name, None) for name, value in self._first_outputs.items())

    @cached_property
    def uses(self) -> tuple[InputUse, ...]:
        return self._example_run.uses(self.inputs) if self._example_run is not None else ()

    @cached_property
    def info(self) -> ModelInfo:
        example = self._example_run
        static = example.facts(self.inputs, self.uses, self._first_outputs) if example is not None else ()
        return self._origin.info(device=self._calls.device, precision=precision_of(self.target), static=static)

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Call the target as it is and return its outputs by name. Raises ``RunError``."""
        return self._calls.run(self._calls.tensors(feeds))

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Record a run; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        return self._record(self._calls.tensors(feeds), Values(patches=patches or {}, record=record))

    def targets(self, feeds: Feeds, loss: Any, seed: int) -> Targets:
        """Draw labels; see ``Trainable.targets``. Raises ``RunError``."""
        with self._calls.prepare():
            return training_targets(self.target, self._calls.binding.call, self._calls.tensors(feeds), loss, seed)

    def step(self, feeds: Feeds, targets: Mapping[str, Array], loss: Any, *, training: bool) -> Step:
        """One training step; see ``Trainable.step``. Raises ``RunError``."""
        call = self._calls.binding.call
        with self._calls.prepare():
            return training_step(self.target, call, self._calls.tensors(feeds), targets, loss, training=training)

    def gradients(self, feeds: Feeds, tokens: tuple[str, ...], weights: Mapping[str, Array]) -> dict[str, Array]:
        """Derivatives by position; see ``Differentiable.gradients``. Raises ``RunError``."""
        if type(self) is not TorchModel:
            raise RunError("only live modules are differentiated")
        call = self._calls.binding.call
        with self._calls.prepare():
            return gradients(lambda given: flatten(call(given)), self._calls.tensors(feeds), tokens, weights)

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        """PyTorch code that takes one length only has it written into its code or weights."""
        return None

    def recast(self, precision: str) -> TorchModel | None:
        """The module computing in ``precision``: a copy of a small one, a large one layer by layer."""
        import torch

        if type(self) is not TorchModel or not isinstance(self.target, torch.nn.Module):
            return None
        try:
            return self._recast(getattr(torch, precision))
        except Exception:  # modules that cannot be copied, or that make tensors of a fixed type
            return None

    def close(self) -> None:
        """Put every module back into the mode it was in."""
        self._modes.restore()

    def _recast(self, wide: Any) -> TorchModel:
        examples = {name: t.to(wide) if t.is_floating_point() else t for name, t in self.examples.items()}
        told: dict[str, Any] = {"extra": self._extra, "path": self._origin.path, "specs": self.inputs}
        if size_in_bytes(self.target) > _LARGE:
            return _Widened(self.target, examples, around=lambda: widen(self.target, wide), **told)
        return TorchModel(deepcopy(self.target).to(wide), examples, **told)

    def _find_calls(self, examples: Any, around: Around) -> Calls:
        if examples is None:
            return guess_calls(self.target, self._extra, around)
        binding = examples if isinstance(examples, Binding) else bind(self.target, examples, self._extra)
        return Calls(target=self.target, binding=binding, around=around)

    @cached_property
    def _example_run(self) -> ExampleRun | None:
        """One recorded run of the examples, without values; ``None`` where it fails."""
        learned = Learned()
        try:
            return ExampleRun.of(self._record(dict(self.examples), Values(record=()), learned).sites, learned)
        except (RunError, TraceError):
            return None

    def _record(self, tensors: Mapping[str, Any], values: Values, learned: Learned | None = None) -> Trace:
        if self._untraceable is not None:
            raise TraceError(self._untraceable)
        table = TensorTable(memory=self._memory, values=values, learned=learned)
        recorder = Recorder.start(ModuleStack.of(self.traced), self._weights, table)
        with self._calls.prepare():
            return recorder.run(tensors, self._caller(recorder), flatten)

    def _caller(self, recorder: Recorder) -> Callable[[Mapping[str, Any]], Any]:
        """What is called when tracing; subclasses walk a graph and tell the recorder where they are."""
        binding = self._calls.binding
        return binding.call if self.traced is self.target else replace(binding, target=self.traced).call

    @cached_property
    def _weights(self) -> dict[int, str]:
        return name_weights(self.traced, self.target)


class _Widened(TorchModel):
    """A large module that runs in a wider precision over the weights it has. It is not differentiated: its weights are
    wide only while a layer runs.
    """
