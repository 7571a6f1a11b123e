"""Tries what the loader uses of Keras and TensorFlow without a promise, in a process of its own.

``python -m tests.loaders.keras_private_api`` prints for each whether it still means what it did, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

CANARIES: dict[str, Callable[[Any, Any, Any], bool]] = {}
"""By the private name; a canary gets ``keras``, ``tensorflow`` and the loader's module."""

Canary = Callable[[Any, Any, Any], bool]


def canary(name: str) -> Callable[[Canary], Canary]:
    def enter(ask: Canary) -> Canary:
        CANARIES[name] = ask
        return ask

    return enter


@canary("_keras_mask")
def mask(keras: Any, tf: Any, api: Any) -> bool:
    """Keras attaches the mask of an embedding there."""
    embedded = keras.layers.Embedding(5, 2, mask_zero=True)(tf.constant([[1, 0]]))
    return bool(getattr(embedded, api.MASK).numpy().tolist() == [[True, False]])


@canary("_id")
def number(keras: Any, tf: Any, api: Any) -> bool:
    one, other = tf.constant(1.0), tf.constant(1.0)
    return api.number_of(one) is not None and api.number_of(one) != api.number_of(other)


@canary("_handle_data")
def handle(keras: Any, tf: Any, api: Any) -> bool:
    behind = api.shape_behind(tf.Variable(tf.zeros((3, 2))).handle)
    return bool(behind == (3, 2) and api.shape_behind(tf.zeros((3, 2))) is None)


@canary("_inputs_struct")
def nesting(keras: Any, tf: Any, api: Any) -> bool:
    return list(api.nesting_of_inputs(_model(keras))) == ["x"]


@canary("_flatten_layers")
def layers(keras: Any, tf: Any, api: Any) -> bool:
    model = _model(keras)
    inside = keras.layers.Bidirectional(keras.layers.LSTM(2))
    return model in api.layers_within(model) and inside.forward_layer in api.layers_within(inside)


@canary("_compile_loss")
def loss(keras: Any, tf: Any, api: Any) -> bool:
    plain, compiled = _model(keras), _model(keras)
    compiled.compile(loss="mse")
    return api.has_compiled_loss(compiled) and not api.has_compiled_loss(plain)


@canary("keras.src.ops")
def operations(keras: Any, tf: Any, api: Any) -> bool:
    own = type((keras.Input((2,)) + 1.0)._keras_history.operation)
    return api.is_own_operation(own) and not api.is_own_operation(keras.layers.Dense)


@canary("pywrap_tfe")
def operators(keras: Any, tf: Any, api: Any) -> bool:
    """Operators on tensors go one way, those on numbers another."""
    runtime, seen = api.operator_runtime(), []
    ways = {name: getattr(runtime, name) for name in (api.OPERATORS, api.OTHER_OPERATORS)}
    for name, original in ways.items():
        setattr(runtime, name, lambda *a, way=name, call=original: (seen.append(way), call(*a))[1])
    try:
        tf.raw_ops.Relu(features=tf.constant([1.0]))
        tf.raw_ops.Relu(features=[1.0])
    finally:
        for name, original in ways.items():
            setattr(runtime, name, original)
    return set(seen) == set(ways)


@canary("polymorphic_function")
def functions(keras: Any, tf: Any, api: Any) -> bool:
    return isinstance(tf.function(lambda x: x), api.graph_function())


@canary("convert_to_constants")
def freezing(keras: Any, tf: Any, api: Any) -> bool:
    variable = tf.Variable(2.0)
    served = tf.function(lambda x: x * variable).get_concrete_function(tf.TensorSpec((), tf.float32))
    kinds = {operation.type for operation in api.freeze_variables(served).graph.get_operations()}
    return "Mul" in kinds and not {"VarHandleOp", "ReadVariableOp"} & kinds


def _model(keras: Any) -> Any:
    x = keras.Input((2,), name="x")
    return keras.Model({"x": x}, keras.layers.Dense(2)(x))


def ask_all() -> dict[str, bool]:
    import keras
    import tensorflow as tf

    from maskcheck.loaders.keras import private_api

    return {name: ask(keras, tf, private_api) for name, ask in CANARIES.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(ask_all()) + "\n")
