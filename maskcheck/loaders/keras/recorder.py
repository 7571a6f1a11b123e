"""Turns watched calls into sites and tensors, and follows the mask from layer to layer."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from maskcheck.core.model import Array, Feeds
from maskcheck.ir.operation import Operation
from maskcheck.ir.source import running_user_line
from maskcheck.loaders.keras.calling import Caller, is_entrance
from maskcheck.loaders.keras.hooks import Function, watching
from maskcheck.loaders.keras.journey import MaskJourneyRecorder
from maskcheck.loaders.keras.layer_calls import Invocation, LayerCall, read_layer_call
from maskcheck.loaders.keras.layer_sites import LayerSites
from maskcheck.loaders.keras.notes import Notes, Place, repack
from maskcheck.loaders.keras.opened_layers import enter_journey, fill_gaps, opens
from maskcheck.loaders.keras.tensors import is_symbolic, leaves, tensors_in
from maskcheck.loaders.keras.trace_builder import PendingSite, TraceBuilder
from maskcheck.loaders.keras.translate.call import Translation
from maskcheck.loaders.keras.translate.keras_operations import translate_keras_operation
from maskcheck.loaders.keras.translate.operands import operation_call, operator_call, split_arguments
from maskcheck.loaders.keras.translate.operators import translate_operator


class Recorder:
    """A ``hooks.Watcher``. Layers of Keras itself are one site each; models and layers of others are looked into.

    ``journey`` is kept where it is given; ``attention`` says whether attention weights are recomputed.
    """

    def __init__(
        self,
        patches: Mapping[str, Array],
        wanted: Collection[str] | None,
        *,
        journey: MaskJourneyRecorder | None = None,
        attention: bool = False,
    ) -> None:
        self.builder = TraceBuilder(patches, wanted)
        self._notes = Notes(builder=self.builder, place=Place(), journey=journey)
        self._layers = LayerSites(self._notes, weighs=attention)
        self._root = True
        self._closed = 0

    @property
    def attention(self) -> Mapping[str, Array]:
        """Attention weights by the names of their sites."""
        return self._layers.attention

    def feed(self, name: str, tensor: Any) -> Any:
        """Enter a model input; returns the tensor to run the model on."""
        with self._look_away():
            return self.builder.feed(name, tensor)

    def layer(self, layer: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        invocation = Invocation(function=function, args=args, kwargs=kwargs)
        if self._closed or _is_symbolic(invocation):
            return invocation.run()
        if self._root:
            self._root = False
            return self._look_into(layer, invocation)
        layer_call = self._meet(layer, invocation)
        if opens(layer):
            with self._notes.place.inside(layer):
                return self._look_into(layer, invocation, layer_call)
        with self._look_away():
            return self._layers.record(layer_call)

    def operation(self, operation: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        invocation = Invocation(function=function, args=args, kwargs=kwargs)
        if self._closed or _is_symbolic(invocation):
            return invocation.run()
        with self._look_away():
            done = translate_keras_operation(operation_call(operation, args, kwargs, self.builder))
            call = self._notes.place.pending(operation.name, type(operation).__name__, done)
            return self._record(call, invocation)

    def graph(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        invocation = Invocation(function=function, args=args, kwargs=kwargs)
        if self._closed or self._root:
            return invocation.run()
        with self._look_away():
            call = self._notes.place.pending(name, name, Translation(operation=Operation.SUBGRAPH))
            return self._record(call, invocation)

    def operator(self, name: str, arguments: tuple[Any, ...], function: Function) -> Any:
        result = function()
        if self._closed or self._root or result is None:
            return result
        with self._look_away():
            return self._record_operator(name, arguments, result)

    def _meet(self, layer: Any, invocation: Invocation) -> LayerCall:
        layer_call = read_layer_call(layer, invocation)
        if self._notes.journey is not None:
            self._notes.journey.meet(layer_call)
        return layer_call

    def _look_into(self, layer: Any, invocation: Invocation, layer_call: LayerCall | None = None) -> Any:
        """Record what happens inside of a call."""
        mark = self._notes.journey.mark() if self._notes.journey is not None else 0
        result = invocation.run()
        with self._look_away():
            result = fill_gaps(self._notes, layer, invocation, result)
            if layer_call is not None:
                enter_journey(self._notes, layer_call, mark, result)
        return result

    def _record(self, call: PendingSite, invocation: Invocation) -> Any:
        """Run what is one site and no layer."""
        operands = list(tensors_in((invocation.args, invocation.kwargs)))
        result = invocation.run()
        _, values = self._notes.write_operator(call, operands, list(tensors_in(result)))
        return repack(result, values)

    def _record_operator(self, name: str, arguments: tuple[Any, ...], result: Any) -> Any:
        """Enter an operator of TensorFlow that has run, if the inputs reach it."""
        operands, outputs = list(tensors_in(split_arguments(arguments)[0])), list(tensors_in(result))
        if not self.builder.keys(operands) or not outputs:
            return result
        done = translate_operator(operator_call(name, arguments, self.builder))
        call = replace(self._notes.place.pending(name, name, done), source=running_user_line(is_entrance))
        _, values = self._notes.write_operator(call, operands, outputs)
        return repack(result, values)

    @contextmanager
    def _look_away(self) -> Iterator[None]:
        """Let what is called meanwhile go its usual way."""
        self._closed += 1
        try:
            yield
        finally:
            self._closed -= 1


def record_run(recorder: Recorder, caller: Caller, feeds: Feeds) -> Any:
    """Call the model with ``recorder`` watching; returns what it answers. Raises ``RunError``."""
    tensors = caller.tensors_of(feeds)
    entered = [recorder.feed(name, tensor) for name, tensor in zip(caller.inputs, tensors, strict=True)]
    with watching(recorder):
        return caller.call(entered)


def _is_symbolic(invocation: Invocation) -> bool:
    return any(is_symbolic(leaf) for leaf in leaves((invocation.args, invocation.kwargs)))
