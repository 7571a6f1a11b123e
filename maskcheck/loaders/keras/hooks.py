"""Watching calls of layers, Keras operations and TensorFlow operators, for as long as a context lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Protocol

from maskcheck.loaders.keras import private_api
from maskcheck.loaders.keras.backend import executes, on_tensorflow

Function = Callable[..., Any]

_LOCK = threading.RLock()


class Watcher(Protocol):
    """Who is told of calls. Each method runs ``function`` itself, and returns what the caller is to get."""

    def layer(self, layer: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def operation(self, operation: Any, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...
    def operator(self, name: str, arguments: tuple[Any, ...], function: Function) -> Any: ...
    def graph(self, name: str, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any: ...


@contextmanager
def watching(watcher: Watcher) -> Iterator[None]:
    """Send every call of the current thread through ``watcher``. What was replaced is put back, whatever happens.

    Calls of other threads, and calls that are traced into a graph, go their usual way.
    """
    thread = threading.get_ident()

    def ours() -> bool:
        return threading.get_ident() == thread and executes()

    with _LOCK:
        undo: list[Function] = []
        try:
            undo += _watch_layers(watcher, ours)
            if on_tensorflow():
                undo += _watch_tensorflow(watcher, ours)
            yield
        finally:
            for put_back in reversed(undo):
                put_back()


def _replace(owner: Any, name: str, make: Callable[[Function], Function]) -> Function:
    original = getattr(owner, name)
    setattr(owner, name, make(original))
    return lambda: setattr(owner, name, original)


def _watch_layers(watcher: Watcher, ours: Callable[[], bool]) -> list[Function]:
    keras = import_module("keras")
    layer_class, operation_class = keras.layers.Layer, keras.Operation

    def of_layers(original: Function) -> Function:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not ours():
                return original(self, *args, **kwargs)
            return watcher.layer(self, lambda *a, **k: original(self, *a, **k), args, kwargs)

        return call

    def of_operations(original: Function) -> Function:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            # A layer is an operation too, and comes by here on its way from ``Layer.__call__``.
            if isinstance(self, layer_class) or not ours():
                return original(self, *args, **kwargs)
            return watcher.operation(self, lambda *a, **k: original(self, *a, **k), args, kwargs)

        return call

    return [_replace(layer_class, "__call__", of_layers), _replace(operation_class, "__call__", of_operations)]


def _watch_tensorflow(watcher: Watcher, ours: Callable[[], bool]) -> list[Function]:
    """Every generated operator function calls one of the two entry points that are replaced here."""
    runtime = private_api.operator_runtime()

    def of_operators(original: Function) -> Function:
        def execute(context: Any, name: str, label: Any, *arguments: Any) -> Any:
            if not ours():
                return original(context, name, label, *arguments)
            return watcher.operator(name, arguments, lambda: original(context, name, label, *arguments))

        return execute

    def of_fallbacks(original: Function) -> Function:
        """The slow way, for operands that first have to become tensors: variables, numbers, arrays."""

        def execute(handle: Any, device: Any, name: str, inputs: Any, attributes: Any, count: Any) -> Any:
            def run() -> Any:
                return original(handle, device, name, inputs, attributes, count)

            return watcher.operator(_text(name), (*inputs, *map(_text, attributes or ())), run) if ours() else run()

        return execute

    def of_graphs(original: Function) -> Function:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not ours():
                return original(self, *args, **kwargs)
            name = getattr(getattr(self, "python_function", None), "__name__", "function")
            return watcher.graph(name, lambda *a, **k: original(self, *a, **k), args, kwargs)

        return call

    return [
        _replace(runtime, private_api.OPERATORS, of_operators),
        _replace(runtime, private_api.OTHER_OPERATORS, of_fallbacks),
        _replace(private_api.graph_function(), "__call__", of_graphs),
    ]


def _text(value: Any) -> Any:
    """Names as words. Some attributes are serialised messages, which nobody reads."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value
