"""Calls of models and layers that are looked into: what is entered once they are over."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from maskcheck.ir.operation import Operation
from maskcheck.loaders.keras.layer_calls import Invocation, LayerCall
from maskcheck.loaders.keras.notes import Notes, repack
from maskcheck.loaders.keras.tensors import tensors_in
from maskcheck.loaders.keras.trace_builder import PendingSite


def opens(layer: Any) -> bool:
    """Whether a layer is looked into: models, and whatever computes with code that is not Keras's own."""
    keras = import_module("keras")
    module = type(layer).call.__module__ or ""
    return isinstance(layer, keras.Model | keras.layers.Lambda) or module.split(".")[0] != "keras"


def fill_gaps(notes: Notes, layer: Any, invocation: Invocation, result: Any) -> Any:
    """The result of a call that was looked into. Where what happened inside does not lead to it, the call as a whole is
    a site as well.
    """
    outputs = list(tensors_in(result))
    missing = [t for t in outputs if notes.builder.key(t) is None]
    if not missing:
        return result
    queue = iter(_write_whole(notes, layer, invocation, missing))
    return repack(result, [next(queue) if notes.builder.key(t) is None else t for t in outputs])


def _write_whole(notes: Notes, layer: Any, invocation: Invocation, outputs: Sequence[Any]) -> list[Any]:
    name, owner = notes.place.name or layer.name, type(layer).__name__
    call = PendingSite(path=name, operator=owner, operation=Operation.OTHER, module=name, module_class=owner)
    read = notes.builder.keys(tensors_in((invocation.args, invocation.kwargs)))
    return notes.builder.write(call, read, outputs)[1]


def enter_journey(notes: Notes, layer_call: LayerCall, mark: int, result: Any) -> None:
    """Tell what became of the mask; ``mark`` is the place in the journey at which the call began."""
    if notes.journey is not None:
        path = notes.place.name or ""
        maker = next((m for t in tensors_in(result) if (m := notes.builder.maker(t))), path)
        notes.journey.enclosing(mark, layer_call, path, maker, result, notes.place.depth - 1)
