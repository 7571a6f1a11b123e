"""The models of the guide on masking and padding, of the questions people ask about it, and their near misses.

A builder gets ``keras`` and returns a model. Nothing of Keras is imported before one is called.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

TABLE = "random_normal"


def _own() -> Any:
    return import_module("tests.loaders.keras_layers")


def _ids(keras: Any, length: int | None = None) -> Any:
    return keras.Input((length,), dtype="int32", name="ids")


def _embedded(keras: Any, ids: Any) -> Any:
    return keras.layers.Embedding(50, 8, mask_zero=True, embeddings_initializer=TABLE, name="emb")(ids)


def sequential(keras: Any) -> Any:
    layers = keras.layers
    return keras.Sequential(
        [keras.Input((None,), name="ids"), layers.Embedding(50, 8, mask_zero=True, name="emb"), layers.LSTM(6)]
    )


def functional(keras: Any) -> Any:
    ids = _ids(keras)
    return keras.Model(ids, keras.layers.LSTM(6)(_embedded(keras, ids)))


def masking(keras: Any) -> Any:
    steps = keras.Input((None, 5), name="steps")
    return keras.Model(steps, keras.layers.LSTM(6)(keras.layers.Masking(-1.0, name="masking")(steps)))


def masking_of_one_length(keras: Any) -> Any:
    steps = keras.Input((10, 5), name="steps")
    return keras.Model(steps, keras.layers.LSTM(6)(keras.layers.Masking(name="masking")(steps)))


def masking_by_default_name(keras: Any) -> Any:
    """Keras calls its input after the first layer, which makes it sound like a mask."""
    layers = keras.layers
    steps = keras.Input((10, 5), name="masking_input")
    return keras.Model(steps, layers.Dense(1)(layers.Bidirectional(layers.LSTM(6))(layers.Masking()(steps))))


def masking_lost(keras: Any) -> Any:
    steps = keras.Input((10, 5), name="steps")
    x = keras.layers.Conv1D(6, 3, padding="same", name="conv")(keras.layers.Masking(name="masking")(steps))
    return keras.Model(steps, keras.layers.LSTM(6, name="lstm")(x))


def mask_by_hand(keras: Any) -> Any:
    ids = _ids(keras)
    return keras.Model(ids, keras.layers.Dense(3)(_own().EmbedThenLstm(name="both")(ids)))


def temporal_split(keras: Any) -> Any:
    ids = _ids(keras, 10)
    first, _ = _own().TemporalSplit(name="halves")(_embedded(keras, ids))
    return keras.Model(ids, keras.layers.LSTM(6)(first))


def custom_embedding(keras: Any) -> Any:
    ids = _ids(keras)
    return keras.Model(ids, keras.layers.LSTM(6)(_own().CustomEmbedding(50, 8, mask_zero=True, name="emb")(ids)))


def activation_opted_in(keras: Any) -> Any:
    ids = _ids(keras)
    return keras.Model(ids, keras.layers.LSTM(6)(_own().MyActivation(name="act")(_embedded(keras, ids))))


def activation_not_opted_in(keras: Any) -> Any:
    ids = _ids(keras)
    x = _own().MyForgetfulActivation(name="act")(_embedded(keras, ids))
    return keras.Model(ids, keras.layers.LSTM(6, name="lstm")(x))


def temporal_softmax(keras: Any) -> Any:
    ids = _ids(keras)
    x = keras.layers.Dense(1)(_embedded(keras, ids))
    return keras.Model(ids, _own().TemporalSoftmax(name="softmax")(x))


def last_states(keras: Any) -> Any:
    """At masked steps an LSTM repeats its state, so the last column is the answer."""
    ids = _ids(keras)
    x = keras.layers.LSTM(6, return_sequences=True)(_embedded(keras, ids))
    return keras.Model(ids, keras.layers.Dense(3)(x[:, -1]))


def forum_flatten(keras: Any) -> Any:
    """The model of the forum post: four words, flattened."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((4,), name="words"),
            layers.Embedding(10, 3, mask_zero=True, name="embedding"),
            layers.Flatten(name="flatten"),
            layers.Dense(4, name="dense_middle"),
            layers.Dense(1, name="out"),
        ]
    )


def two_blocks(keras: Any) -> Any:
    """The attention of the first block takes the mask off the tensor that the residual layer reads as well."""
    ids = _ids(keras)
    x = _embedded(keras, ids)
    for i in range(2):
        y = keras.layers.MultiHeadAttention(2, 4, name=f"attention_{i}")(x, x)
        x = keras.layers.LayerNormalization()(keras.layers.Add(name=f"residual_{i}")([x, y]))
    return keras.Model(ids, keras.layers.Dense(3)(keras.layers.GlobalAveragePooling1D(name="gap")(x)))


def nested(keras: Any) -> Any:
    """An operator inside a model that is used as a layer."""
    steps = keras.Input((None, 8))
    inner = keras.Model(steps, keras.layers.LSTM(6, name="lstm")(steps * 2), name="inner")
    ids = _ids(keras)
    return keras.Model(ids, keras.layers.Dense(3)(inner(_embedded(keras, ids))))


def shared(keras: Any) -> Any:
    """One layer called twice, two inputs, two outputs."""
    first, second = (keras.Input((None,), dtype="int32", name=n) for n in ("question", "answer"))
    embed = keras.layers.Embedding(50, 8, mask_zero=True, name="emb")
    pool = keras.layers.GlobalAveragePooling1D(name="pool")
    a, b = pool(embed(first)), pool(embed(second))
    return keras.Model({"question": first, "answer": second}, {"left": keras.layers.Dense(2)(a), "both": a + b})


def subclassed(keras: Any) -> Any:
    model = _own().Classifier()
    model(keras.ops.ones((2, 7), dtype="int32"))
    return model


def subclassed_careless(keras: Any) -> Any:
    model = _own().Classifier(careless=True)
    model(keras.ops.ones((2, 7), dtype="int32"))
    return model


def averaging(keras: Any) -> Any:
    ids = _ids(keras)
    x = _own().Averaging(name="averaging")(_embedded(keras, ids))
    return keras.Model(ids, keras.layers.GlobalAveragePooling1D(name="gap")(x))


CLEAN = {
    "Sequential": sequential,
    "functional": functional,
    "Masking": masking,
    "Masking of one length": masking_of_one_length,
    "Masking by its default name": masking_by_default_name,
    "mask by hand": mask_by_hand,
    "temporal split": temporal_split,
    "custom embedding": custom_embedding,
    "activation opted in": activation_opted_in,
    "temporal softmax": temporal_softmax,
    "last states": last_states,
    "shared layers": shared,
    "subclassed": subclassed,
}

LEAKY = {
    "activation not opted in": (activation_not_opted_in, "MC302", "lstm", "act/Relu"),
    "Masking lost": (masking_lost, "MC302", "lstm", "conv"),
    "forum Flatten": (forum_flatten, "MC704", "dense_middle", "flatten"),
    "two blocks": (two_blocks, "MC201", "attention_1", "residual_0"),
    "operator in a nested model": (nested, "MC302", "inner/lstm", "inner/multiply"),
    "subclassed, careless": (subclassed_careless, "MC302", "lstm", "Mul"),
    "averaging layer": (averaging, "MC101", "averaging/Mean", "averaging/Mean"),
}
"""Builder, rule, site of the origin, site of the root cause."""
