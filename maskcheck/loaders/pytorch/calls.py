"""How a target is called: with which inputs it runs, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError
from maskcheck.core.model import Array, Feeds
from maskcheck.loaders.pytorch import guess
from maskcheck.loaders.pytorch.arrays import to_numpy
from maskcheck.loaders.pytorch.origin import title
from maskcheck.loaders.pytorch.outputs import flatten
from maskcheck.loaders.pytorch.running import run_safely
from maskcheck.loaders.pytorch.signature import Binding, bind
from maskcheck.loaders.pytorch.widths import check_widths

Around = Callable[[], AbstractContextManager[None]]
"""What every call is made inside of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """``target`` with example inputs; ``binding`` may call it by a way of its own."""

    target: Any
    binding: Binding
    around: Around = nullcontext

    @contextmanager
    def prepare(self) -> Iterator[None]:
        """Whatever is called until the block ends is called as every run is. Raises ``RunError``."""
        with run_safely(), self.around():
            yield

    def run(self, tensors: Mapping[str, Any]) -> dict[str, Array]:
        """Outputs by name. Raises ``RunError``."""
        import torch

        with self.prepare(), torch.no_grad():
            result = flatten(self.binding.call(tensors))
            return {name: np.array(to_numpy(t), copy=True) for name, t in result.items()}

    def accepts(self, tensors: Mapping[str, Any]) -> bool:
        """Whether the target runs with ``tensors``."""
        try:
            with check_widths():
                self.run(tensors)
        except RunError:
            return False
        return True

    def tensors(self, feeds: Feeds) -> dict[str, Any]:
        """Feeds as tensors of the examples' types and device. Raises ``RunError`` for missing and unknown inputs."""
        import torch

        known = self.binding.inputs
        if set(feeds) != set(known):
            odd = sorted(set(feeds) ^ set(known))
            raise RunError(f"The model was given the wrong inputs: {', '.join(odd)} missing or unknown.")
        return {
            name: torch.from_numpy(np.array(feeds[name], copy=True)).to(device=t.device, dtype=t.dtype)
            for name, t in known.items()
        }

    @property
    def device(self) -> str:
        return next((str(t.device.type) for t in self.binding.inputs.values()), "cpu")


def guess_calls(target: Any, extra: Mapping[str, Any], around: Around) -> Calls:
    """Inputs under which ``target`` runs, from its signature. Raises ``LoadError``."""
    first: RunError | None = None
    for candidate in filter(None, guess.candidates(target)):
        calls = Calls(target=target, binding=bind(target, candidate, extra), around=around)
        try:
            calls.run(calls.binding.inputs)
        except RunError as error:
            first = first or error
            continue
        return calls
    why = first.message if first else "it declares no inputs"
    raise LoadError(
        f"No inputs could be found with which {title(target)} runs: {why}",
        hint="Give example inputs, as a dict or a tuple of tensors.",
    )


def try_examples(calls: Calls) -> tuple[Calls, dict[str, Array]]:
    """The outputs of the first run, and the calls, with the examples brought to where the weights are.

    Raises:
        LoadError: the target does not run with its examples, or returns no tensor.
    """
    try:
        found = calls.run(calls.binding.inputs)
    except RunError as error:
        if (moved := _move_to_weights(calls)) is not None:
            return try_examples(replace(calls, binding=moved))
        raise LoadError(
            f"{title(calls.target)} does not run with its example inputs: {error.message}",
            hint="Give inputs that it takes.",
        ) from error
    if not found:
        raise LoadError(f"{title(calls.target)} returns no tensor.", hint="Audit a function that returns one.")
    return calls, found


def _move_to_weights(calls: Calls) -> Binding | None:
    """The example inputs where the weights are; ``None`` if they are there, or the weights in several places."""
    places = {p.device for p in getattr(calls.target, "parameters", tuple)()}
    inputs = calls.binding.inputs
    if len(places) != 1 or {t.device for t in inputs.values()} <= places:
        return None
    device = places.pop()
    return replace(calls.binding, inputs={name: t.to(device) for name, t in inputs.items()})
