"""Turns watched calls into sites and tensors, and follows the mask from layer to layer."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from typing import Any

from maskcheck.core.model import Array, Feeds
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.source import running_user_line
from maskcheck.loaders.keras.attention import weights_of
from maskcheck.loaders.keras.calling import Caller, is_entrance
from maskcheck.loaders.keras.hooks import Function, watching
from maskcheck.loaders.keras.journey import LayerCall, MaskJourneyRecorder
from maskcheck.loaders.keras.operations import layer_operation
from maskcheck.loaders.keras.tensors import is_symbolic, is_tensor, leaves, mask_of, pack_like, tensors_in
from maskcheck.loaders.keras.trace_builder import PendingSite, TraceBuilder
from maskcheck.loaders.keras.translate.call import Translation
from maskcheck.loaders.keras.translate.keras_operations import translate_keras_operation
from maskcheck.loaders.keras.translate.layers import translate_layer, translate_mask
from maskcheck.loaders.keras.translate.operands import layer_inputs, operation_call, operator_call, split_arguments
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
        self.attention: dict[str, Array] = {}
        self._journey = journey
        self._weights = attention
        self._path: list[tuple[str, str]] = []
        self._root = True
        self._closed = 0

    def feed(self, name: str, tensor: Any) -> Any:
        """Enter a model input; returns the tensor to run the model on."""
        with self._look_away():
            return self.builder.feed(name, tensor)

    # ------------------------------------------------------------------ what is watched

    def layer(self, layer: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._closed or _symbolic(args, kwargs):
            return function(*args, **kwargs)
        if self._root:
            self._root = False
            return self._look_into(layer, function, args, kwargs, None)
        if not opens(layer):
            return self._whole_layer(layer, function, args, kwargs)
        layer_call = self._layer_call(layer, args, kwargs) if self._journey is not None else None
        self._path.append((layer.name, type(layer).__name__))
        try:
            return self._look_into(layer, function, args, kwargs, layer_call)
        finally:
            self._path.pop()

    def operation(self, operation: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._closed or _symbolic(args, kwargs):
            return function(*args, **kwargs)
        with self._look_away():
            done = translate_keras_operation(operation_call(operation, args, kwargs, self.builder))
        call = self._call(operation.name, type(operation).__name__, done)
        return self._whole(call, function, args, kwargs)

    def graph(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._closed or self._root:
            return function(*args, **kwargs)
        call = self._call(name, name, Translation(operation=Operation.SUBGRAPH))
        return self._whole(call, function, args, kwargs)

    def operator(self, name: str, arguments: tuple[Any, ...], function: Function) -> Any:
        if self._closed or self._root:
            return function()
        result = function()
        with self._look_away():
            return self._operator_result(name, arguments, result)

    def _operator_result(self, name: str, arguments: tuple[Any, ...], result: Any) -> Any:
        operands = list(tensors_in(split_arguments(arguments)[0]))
        inputs = self.builder.keys(operands)
        outputs = list(tensors_in(result)) if result is not None else []
        if not inputs or not outputs:
            return result
        done = translate_operator(operator_call(name, arguments, self.builder))
        call = replace(self._call(name, name, done), source=running_user_line(is_entrance))
        site, values = self.builder.write(call, inputs, outputs)
        if self._journey is not None and site is not None:
            self._journey.operator(site, operands, values, len(self._path))
        return _repack(result, values)

    # ------------------------------------------------------------------ calls that are one site

    def _whole_layer(self, layer: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        kind = layer_operation(layer).kind
        layer_call = self._layer_call(layer, args, kwargs)
        with self._look_away():
            masks = _masks_read(layer_call, kind)
            read = layer_inputs(layer_call, kind, masks, self.builder)
            call = self._call(layer.name, type(layer).__name__, translate_layer(layer, read))
            weights = weights_of(layer_call, function) if self._weights and kind is Kind.ATTENTION else None
            result = function(*args, **kwargs)
            outputs = list(tensors_in(result))
            inputs = self.builder.keys((*layer_call.data, *masks, *layer_call.given))
            site, values = self.builder.write(call, inputs, outputs)
            self._write_masks(call, layer_call, outputs)
            if site is not None and weights is not None:
                self.attention[site.name] = weights
            if self._journey is not None and site is not None:
                self._journey.layer(layer_call, site.name, result, values, function, len(self._path))
        return _repack(result, values)

    def _whole(self, call: PendingSite, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        operands = list(tensors_in((args, kwargs)))
        with self._look_away():
            result = function(*args, **kwargs)
            outputs = list(tensors_in(result))
            site, values = self.builder.write(call, self.builder.keys(operands), outputs)
            if site is not None and self._journey is not None:
                self._journey.operator(site, operands, values, len(self._path))
        return _repack(result, values)

    def _write_masks(self, call: PendingSite, layer_call: LayerCall, outputs: list[Any]) -> None:
        """Enter masks that the layer made: from those that arrived, or from what it read."""
        data = self.builder.keys(layer_call.data)
        done = translate_mask(layer_call.layer, data)
        sources = data if done.settings is not None else self.builder.keys(layer_call.masks) or data
        mask = PendingSite(
            path=f"{call.path}/mask",
            operator="compute_mask",
            operation=done.operation,
            settings=done.settings,
            module=call.module,
            module_class=call.module_class,
        )
        self.builder.write_masks(mask, sources, outputs)

    # ------------------------------------------------------------------ calls that are looked into

    def _look_into(
        self,
        layer: Any,
        function: Function,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        layer_call: LayerCall | None,
    ) -> Any:
        """Record what happens inside; where that does not lead to the result, the call as a whole is a site as well."""
        mark = self._journey.mark() if self._journey is not None else 0
        result = function(*args, **kwargs)
        with self._look_away():
            outputs = list(tensors_in(result))
            missing = [t for t in outputs if self.builder.key(t) is None]
            if missing:
                name = "/".join(n for n, _ in self._path) or layer.name
                owner = type(layer).__name__
                call = PendingSite(
                    path=name, operator=owner, operation=Operation.OTHER, module=name, module_class=owner
                )
                _, values = self.builder.write(call, self.builder.keys(tensors_in((args, kwargs))), missing)
                queue = iter(values)
                outputs = [next(queue) if self.builder.key(t) is None else t for t in outputs]
                result = _repack(result, outputs)
            if layer_call is not None and self._journey is not None:
                path = "/".join(n for n, _ in self._path)
                maker = next((m for t in outputs if (m := self.builder.maker(t))), path)
                self._journey.enclosing(mark, layer_call, path, maker, result, function, len(self._path) - 1)
        return result

    # ------------------------------------------------------------------ helpers

    def _layer_call(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> LayerCall:
        """What goes into a layer call: tensors, masks beside them, and masks given by hand."""
        names = tuple(inspect.signature(layer.call).parameters)
        positional = dict(zip(names, args, strict=False))
        everything = {**positional, **kwargs}
        given = [t for n, v in everything.items() if _is_mask(n) for t in tensors_in(v)]
        data = [t for n, v in everything.items() if not _is_mask(n) for t in tensors_in(v)]
        beside = tuple(mask_of(t) for t in data)
        accepts = any(map(_is_mask, _parameters_read(layer, names)))
        layer_call = LayerCall(layer, tuple(data), beside, tuple(given), accepts, args, kwargs, everything)
        if self._journey is not None:
            self._journey.meet(layer_call)
        return layer_call

    def _call(self, name: str, operator: str, done: Translation) -> PendingSite:
        module = "/".join(n for n, _ in self._path) or None
        return PendingSite(
            path=f"{module}/{name}" if module else name,
            operator=operator,
            operation=done.operation,
            settings=done.settings,
            module=module,
            module_class=self._path[-1][1] if self._path else None,
        )

    @contextmanager
    def _look_away(self) -> Iterator[None]:
        self._closed += 1
        try:
            yield
        finally:
            self._closed -= 1


def opens(layer: Any) -> bool:
    """Whether a layer is looked into: models, and whatever computes with code that is not Keras's own."""
    keras = import_module("keras")
    module = type(layer).call.__module__ or ""
    return isinstance(layer, keras.Model | keras.layers.Lambda) or module.split(".")[0] != "keras"


def _masks_read(layer_call: LayerCall, kind: Kind) -> tuple[Any, ...]:
    """Masks beside the inputs that decide what a layer computes. That of attention's queries hides no key."""
    if not layer_call.used:
        return ()
    return layer_call.beside[1:] if kind is Kind.ATTENTION and len(layer_call.data) > 1 else layer_call.beside


def _parameters_read(layer: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments that reach the computation: a Lambda takes a mask whether or not its function can be given one."""
    if type(layer).__name__ != "Lambda":
        return names
    return tuple(inspect.signature(layer.function).parameters)


def _is_mask(name: str) -> bool:
    return name == "mask" or name.endswith("_mask")


def _symbolic(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return any(is_symbolic(leaf) for leaf in leaves((args, kwargs)))


def _repack(result: Any, values: list[Any]) -> Any:
    """The result with its tensors replaced, in order."""
    if is_tensor(result):
        return values[0]
    queue = iter(values)
    return pack_like(result, [next(queue) if is_tensor(leaf) else leaf for leaf in leaves(result)])


def record_run(recorder: Recorder, caller: Caller, feeds: Feeds) -> Any:
    """Call the model with ``recorder`` watching; returns what it answers. Raises ``RunError``."""
    tensors = caller.tensors_of(feeds)
    entered = [recorder.feed(name, tensor) for name, tensor in zip(caller.inputs, tensors, strict=True)]
    with watching(recorder):
        return caller.call(entered)
