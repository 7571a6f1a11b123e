"""``TorchModel``: a live module or function, run as it is and traced operator by operator."""

from __future__ import annotations

import platform
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError, TraceError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.trace import Trace
from maskcheck.core.training import Step, Targets
from maskcheck.ir.input_use import InputUse
from maskcheck.ir.static_fact import StaticFact
from maskcheck.loaders.pytorch import guess
from maskcheck.loaders.pytorch.arrays import dtype_name, to_numpy
from maskcheck.loaders.pytorch.example import unpadded
from maskcheck.loaders.pytorch.gradients import gradients
from maskcheck.loaders.pytorch.identity import storage_id
from maskcheck.loaders.pytorch.ieee_float32 import whole_float32
from maskcheck.loaders.pytorch.modules import ModuleStack
from maskcheck.loaders.pytorch.outputs import flatten
from maskcheck.loaders.pytorch.precision import widened
from maskcheck.loaders.pytorch.recorder import Memory, Recorder
from maskcheck.loaders.pytorch.shapes import describe
from maskcheck.loaders.pytorch.signature import Binding, bind
from maskcheck.loaders.pytorch.training import step as training_step
from maskcheck.loaders.pytorch.training import targets as training_targets
from maskcheck.loaders.pytorch.uses import input_uses, rows_of_time_first, static_facts
from maskcheck.loaders.pytorch.widths import checked_widths

_LONGEST = 300
_LARGE = 256 * 2**20
"""Bytes of weights from which on no second copy of them is made."""


class TorchModel:
    """Implements ``maskcheck.core.model.Model``. Runs under ``eval()`` and ``no_grad``; ``close`` restores the modes.

    ``examples`` is a mapping of keyword arguments, a tuple of arguments or one tensor; without it inputs are guessed
    from the signature. ``traced`` is called instead of ``target`` when tracing (the same weights with attention taken
    apart, for instance), and ``extra`` keyword arguments go with every call.

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
    ) -> None:
        self.target = target
        self.traced = target if traced is None else traced
        self._extra = dict(extra or {})
        self._modes = _to_eval(target) | (_to_eval(traced) if traced is not None else {})
        self._facts = (path or _title(target), format, sha256, dict(hints or {}), size_bytes)
        self._untraceable = untraceable
        self._memory = Memory()
        self._binding = self._bind(examples) if examples is not None else self._guess()
        self._kept = specs
        given = examples is not None and format == "torch-module"  # beside a file nobody gave an example
        if given and (bare := unpadded(self._binding.inputs)):
            self._facts[3]["unpadded"] = bare
        self._example_outputs = self._first_run()

    # ------------------------------------------------------------------ what the model is

    @cached_property
    def inputs(self) -> tuple[TensorSpec, ...]:
        if self._kept is not None:
            return self._kept
        rows = rows_of_time_first(self._example_trace) if self._example_trace is not None else None
        return describe(self._binding.inputs, self._accepts, rows)

    @cached_property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return tuple(TensorSpec(name, value.dtype.name, None) for name, value in self._example_outputs.items())

    @cached_property
    def uses(self) -> tuple[InputUse, ...]:
        return input_uses(self._example_trace, self.inputs) if self._example_trace is not None else ()

    @cached_property
    def info(self) -> ModelInfo:
        import torch

        path, format_, digest, hints, size = self._facts
        static: tuple[StaticFact, ...] = ()
        if self._example_trace is not None:
            static = static_facts(self._example_trace, self.inputs, self.uses, list(self._example_outputs))
        return ModelInfo(
            path=path,
            format=format_,
            sha256=digest,
            framework="pytorch",
            versions={"python": platform.python_version(), "torch": torch.__version__},
            device=self._device,
            precision=self._precision,
            hints=hints,
            static=static,
            size_bytes=size,
        )

    @cached_property
    def _example_trace(self) -> Trace | None:
        """One recorded run of the examples, without values."""
        try:
            return self._record(dict(self._binding.inputs), {}, ())
        except (RunError, TraceError):
            return None

    # ------------------------------------------------------------------ running

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Call the target as it is and return its outputs by name. Raises ``RunError``."""
        return self._run(self._tensors(feeds))

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Record a run; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        return self._record(self._tensors(feeds), dict(patches or {}), record)

    def targets(self, feeds: Feeds, loss: Any, seed: int) -> Targets:
        """Draw labels; see ``Trainable.targets``. Raises ``RunError``."""
        with _running():
            return training_targets(self.target, self._binding.call, self._tensors(feeds), loss, seed)

    def step(self, feeds: Feeds, targets: Mapping[str, Array], loss: Any, *, training: bool) -> Step:
        """One training step; see ``Trainable.step``. Raises ``RunError``."""
        with _running():
            return training_step(
                self.target, self._binding.call, self._tensors(feeds), targets, loss, training=training
            )

    def gradients(self, feeds: Feeds, tokens: tuple[str, ...], weights: Mapping[str, Array]) -> dict[str, Array]:
        """Derivatives by position; see ``Differentiable.gradients``. Raises ``RunError``."""
        if type(self) is not TorchModel:
            raise RunError("only live modules are differentiated")
        with _running():
            return gradients(lambda given: flatten(self._binding.call(given)), self._tensors(feeds), tokens, weights)

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        """PyTorch code that takes one length only has it written into its code or weights."""
        return None

    def recast(self, precision: str) -> TorchModel | None:
        """The module computing in ``precision``: a copy of a small one, a large one layer by layer."""
        import torch

        if type(self) is not TorchModel or not isinstance(self.target, torch.nn.Module):
            return None
        wide = getattr(torch, precision)
        large = sum(p.numel() * p.element_size() for p in self.target.parameters()) > _LARGE
        examples = {n: t.to(wide) if t.is_floating_point() else t for n, t in self._binding.inputs.items()}
        try:
            if large:
                return _Widened(self.target, examples, wide, self._extra, self._facts[0], self.inputs)
            copy = deepcopy(self.target).to(wide)
            return TorchModel(copy, examples, extra=self._extra, path=self._facts[0], specs=self.inputs)
        except Exception:  # modules that cannot be copied, or that make tensors of a fixed type
            return None

    def close(self) -> None:
        """Put every module back into the mode it was in."""
        for module, training in self._modes.items():
            module.training = training

    def _run(self, tensors: Mapping[str, Any]) -> dict[str, Array]:
        import torch

        with _running(), torch.no_grad():
            result = flatten(self._binding.call(tensors))
            return {name: np.array(to_numpy(t), copy=True) for name, t in result.items()}

    def _record(
        self, tensors: Mapping[str, Any], patches: Mapping[str, Array], record: Collection[str] | None
    ) -> Trace:
        if self._untraceable is not None:
            raise TraceError(self._untraceable)
        recorder = Recorder(ModuleStack.of(self.traced), self._constants, self._memory, patches, record)
        with _running():
            return recorder.run(tensors, self._caller(recorder), flatten)

    def _caller(self, recorder: Recorder) -> Callable[[Mapping[str, Any]], Any]:
        """What is called when tracing; subclasses walk a graph and tell the recorder where they are."""
        binding = self._binding
        if self.traced is self.target:
            return binding.call
        other = Binding(self.traced, binding.inputs, binding.fixed, binding.names, binding.spec, binding.extra)
        return other.call

    # ------------------------------------------------------------------ helpers

    def _bind(self, examples: Any) -> Binding:
        return bind(self.target, examples, self._extra)

    def _guess(self) -> Binding:
        """Inputs under which the target runs, from its signature."""
        first: RunError | None = None
        for candidate in guess.candidates(self.target):
            if not candidate:
                continue
            self._binding = self._bind(candidate)
            try:
                self._run(self._binding.inputs)
            except RunError as error:
                first = first or error
                continue
            return self._binding
        why = first.message if first else "it declares no inputs"
        raise LoadError(
            f"No inputs could be found with which {_title(self.target)} runs: {why}",
            hint="Give example inputs, as a dict or a tuple of tensors.",
        )

    def _first_run(self) -> dict[str, Array]:
        try:
            found = self._run(dict(self._binding.inputs))
        except RunError as error:
            if (moved := self._beside_weights()) is not None:
                self._binding = moved
                return self._first_run()
            raise LoadError(
                f"{_title(self.target)} does not run with its example inputs: {error.message}",
                hint="Give inputs that it takes.",
            ) from error
        if not found:
            raise LoadError(f"{_title(self.target)} returns no tensor.", hint="Audit a function that returns one.")
        return found

    def _beside_weights(self) -> Binding | None:
        """The example inputs where the weights are; ``None`` if they are there, or the weights in several places."""
        places = {p.device for p in getattr(self.target, "parameters", tuple)()}
        inputs = self._binding.inputs
        if len(places) != 1 or {t.device for t in inputs.values()} <= places:
            return None
        device = places.pop()
        return replace(self._binding, inputs={name: t.to(device) for name, t in inputs.items()})

    def _accepts(self, tensors: Mapping[str, Any]) -> bool:
        try:
            with checked_widths():
                self._run(tensors)
        except RunError:
            return False
        return True

    def _tensors(self, feeds: Feeds) -> dict[str, Any]:
        """Feeds as tensors of the examples' types and device. Raises ``RunError`` for missing and unknown inputs."""
        import torch

        known = self._binding.inputs
        if set(feeds) != set(known):
            odd = sorted(set(feeds) ^ set(known))
            raise RunError(f"The model was given the wrong inputs: {', '.join(odd)} missing or unknown.")
        return {
            name: torch.from_numpy(np.array(feeds[name], copy=True)).to(device=t.device, dtype=t.dtype)
            for name, t in known.items()
        }

    @cached_property
    def _constants(self) -> dict[int, str]:
        """Parameters and buffers by the identity of their memory."""
        found: dict[int, str] = {}
        for target in (self.traced, self.target):
            for group in ("named_parameters", "named_buffers"):
                for name, tensor in getattr(target, group, tuple)():
                    own = storage_id(tensor)
                    if own is not None:
                        found.setdefault(own, name)
        return found

    @property
    def _device(self) -> str:
        return next((str(t.device.type) for t in self._binding.inputs.values()), "cpu")

    @property
    def _precision(self) -> str:
        import torch

        for parameter in getattr(self.target, "parameters", tuple)():
            if parameter.is_floating_point():
                return "bfloat16" if parameter.dtype == torch.bfloat16 else dtype_name(parameter)
        return "float32"


class _Widened(TorchModel):
    """A large module that runs in a wider precision over the weights it has."""

    def __init__(
        self,
        target: Any,
        examples: Mapping[str, Any],
        wide: Any,
        extra: Mapping[str, Any],
        path: str,
        specs: tuple[TensorSpec, ...],
    ) -> None:
        self._wide = wide
        super().__init__(target, examples, extra=extra, path=path, specs=specs)

    def _run(self, tensors: Mapping[str, Any]) -> dict[str, Array]:
        with widened(self.target, self._wide):
            return super()._run(tensors)

    def _record(
        self, tensors: Mapping[str, Any], patches: Mapping[str, Array], record: Collection[str] | None
    ) -> Trace:
        with widened(self.target, self._wide):
            return super()._record(tensors, patches, record)


def _title(target: Any) -> str:
    return getattr(target, "__name__", None) or type(target).__name__


def _to_eval(target: Any) -> dict[Any, bool]:
    """Switch to evaluation and return the modes there were."""
    if not hasattr(target, "eval") or not hasattr(target, "modules"):
        return {}
    modes = {module: module.training for module in target.modules()}
    try:
        target.eval()
    except NotImplementedError:  # exported programs have the mode they were exported in
        return {}
    return modes


@contextmanager
def _running() -> Iterator[None]:
    """How every run of a model is made."""
    with _run_errors(), whole_float32():
        yield


@contextmanager
def _run_errors() -> Iterator[None]:
    """Turn whatever a model raises into a ``RunError`` with its reason."""
    try:
        yield
    except (MemoryError, RunError, TraceError):
        raise
    except Exception as error:
        text = " ".join(str(error).split()) or type(error).__name__
        raise RunError(text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "...") from error
