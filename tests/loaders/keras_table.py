"""Every layer of Keras that keeps, consumes, drops or falsely claims a mask, each in a small model.

A builder gets ``keras`` and returns a model. Nothing of Keras is imported before one is called.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

VOCABULARY = 50
WIDTH = 8

Layers = Any
Change = Callable[[Any, Any], Any]
"""From ``keras`` and an embedded, masked sequence ``(batch, time, 8)`` to what a head reads."""


def pooled(change: Change) -> Callable[[Any], Any]:
    """The change, then mean pooling that uses whatever mask is left."""

    def build(keras: Any) -> Any:
        ids, x = masked(keras)
        y = keras.layers.GlobalAveragePooling1D(name="gap")(change(keras, x))
        return keras.Model(ids, keras.layers.Dense(3, name="head")(y))

    return build


def headed(change: Change) -> Callable[[Any], Any]:
    """The change, whose result has no sequence any more, then a dense head."""

    def build(keras: Any) -> Any:
        ids, x = masked(keras)
        return keras.Model(ids, keras.layers.Dense(3, name="head")(change(keras, x)))

    return build


def fixed(change: Change, length: int = 10) -> Callable[[Any], Any]:
    """As ``headed``, for sequences of one length."""

    def build(keras: Any) -> Any:
        ids, x = masked(keras, length)
        return keras.Model(ids, keras.layers.Dense(3, name="head")(change(keras, x)))

    return build


def masked(keras: Any, length: int | None = None) -> tuple[Any, Any]:
    ids = keras.Input((length,), dtype="int32", name="ids")
    table = keras.initializers.RandomNormal(stddev=1.0, seed=1)
    return ids, keras.layers.Embedding(VOCABULARY, WIDTH, mask_zero=True, embeddings_initializer=table, name="emb")(ids)


def recurrent(change: Change) -> Callable[[Any], Any]:
    """The change, then a recurrent layer."""

    def build(keras: Any) -> Any:
        ids, x = masked(keras)
        y = keras.layers.LSTM(6, name="lstm")(change(keras, x))
        return keras.Model(ids, keras.layers.Dense(3, name="head")(y))

    return build


def _two(keras: Any, x: Any) -> list[Any]:
    return [x, keras.layers.Dense(WIDTH)(x)]


KEEPS: dict[str, Callable[[Any], Any]] = {
    "Dense": pooled(lambda k, x: k.layers.Dense(5)(x)),
    "Activation": pooled(lambda k, x: k.layers.Activation("relu")(x)),
    "ReLU": pooled(lambda k, x: k.layers.ReLU()(x)),
    "LeakyReLU": pooled(lambda k, x: k.layers.LeakyReLU()(x)),
    "ELU": pooled(lambda k, x: k.layers.ELU()(x)),
    "Dropout": pooled(lambda k, x: k.layers.Dropout(0.5)(x)),
    "SpatialDropout1D": pooled(lambda k, x: k.layers.SpatialDropout1D(0.5)(x)),
    "GaussianNoise": pooled(lambda k, x: k.layers.GaussianNoise(0.5)(x)),
    "LayerNormalization": pooled(lambda k, x: k.layers.LayerNormalization()(x)),
    "BatchNormalization": pooled(lambda k, x: k.layers.BatchNormalization()(x)),
    "Rescaling": pooled(lambda k, x: k.layers.Rescaling(2.0)(x)),
    "Identity": pooled(lambda k, x: k.layers.Identity()(x)),
    "Add": pooled(lambda k, x: k.layers.Add()(_two(k, x))),
    "Subtract": pooled(lambda k, x: k.layers.Subtract()(_two(k, x))),
    "Multiply": pooled(lambda k, x: k.layers.Multiply()(_two(k, x))),
    "Average": pooled(lambda k, x: k.layers.Average()(_two(k, x))),
    "Maximum": pooled(lambda k, x: k.layers.Maximum()(_two(k, x))),
    "Minimum": pooled(lambda k, x: k.layers.Minimum()(_two(k, x))),
    "Concatenate features": pooled(lambda k, x: k.layers.Concatenate(axis=-1)(_two(k, x))),
    "Concatenate time": pooled(lambda k, x: k.layers.Concatenate(axis=1)(_two(k, x))),
    "TimeDistributed": pooled(lambda k, x: k.layers.TimeDistributed(k.layers.Dense(5))(x)),
    "LSTM sequences": pooled(lambda k, x: k.layers.LSTM(6, return_sequences=True)(x)),
    "GRU sequences": pooled(lambda k, x: k.layers.GRU(6, return_sequences=True)(x)),
    "SimpleRNN sequences": pooled(lambda k, x: k.layers.SimpleRNN(6, return_sequences=True)(x)),
    "Bidirectional sequences": pooled(lambda k, x: k.layers.Bidirectional(k.layers.LSTM(6, return_sequences=True))(x)),
    "MultiHeadAttention": pooled(lambda k, x: k.layers.MultiHeadAttention(2, 4)(x, x)),
    "GroupQueryAttention": pooled(lambda k, x: k.layers.GroupQueryAttention(4, 4, 2)(x, x)),
    "Attention": pooled(lambda k, x: k.layers.Attention()([x, x])),
    "AdditiveAttention": pooled(lambda k, x: k.layers.AdditiveAttention()([x, x])),
}
"""Keep the mask and let no padding through."""

CONSUMES: dict[str, Callable[[Any], Any]] = {
    "LSTM": headed(lambda k, x: k.layers.LSTM(6)(x)),
    "GRU": headed(lambda k, x: k.layers.GRU(6)(x)),
    "SimpleRNN": headed(lambda k, x: k.layers.SimpleRNN(6)(x)),
    "Bidirectional": headed(lambda k, x: k.layers.Bidirectional(k.layers.LSTM(6))(x)),
    "GlobalAveragePooling1D": headed(lambda k, x: k.layers.GlobalAveragePooling1D()(x)),
}
"""Use the mask up."""

CLAIMS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "GroupNormalization": (pooled(lambda k, x: k.layers.GroupNormalization(2, name="it")(x)), "it"),
    "UnitNormalization time": (pooled(lambda k, x: k.layers.UnitNormalization(axis=1, name="it")(x)), "it"),
    "LayerNormalization time": (
        fixed(lambda k, x: k.layers.GlobalAveragePooling1D()(k.layers.LayerNormalization(axis=[1, 2], name="it")(x))),
        "it",
    ),
    "Dot time": (
        headed(lambda k, x: k.layers.GlobalAveragePooling1D()(k.layers.Dot(axes=(1, 1), name="it")(_two(k, x)))),
        "it",
    ),
    "MultiHeadAttention, query only": (
        pooled(lambda k, x: k.layers.MultiHeadAttention(2, 4, name="it")(x, x * 1.0)),
        "it",
    ),
    "Add one unmasked": (pooled(lambda k, x: k.layers.Add()([x, k.layers.Conv1D(WIDTH, 1)(x)])), "gap"),
}
"""Say that they support masking, and leak all the same; with the site of the origin."""

WARNED: dict[str, tuple[Callable[[Any], Any], str]] = {
    "RMSNormalization": (recurrent(lambda k, x: k.layers.RMSNormalization(name="it")(x)), "it"),
    "EinsumDense": (pooled(lambda k, x: k.layers.EinsumDense("btd,de->bte", (None, 5), name="it")(x)), "it"),
    "Flatten": (fixed(lambda k, x: k.layers.Flatten(name="it")(x)), "it"),
    "Reshape": (fixed(lambda k, x: k.layers.Reshape((10 * WIDTH,), name="it")(x)), "it"),
    "Permute": (
        fixed(lambda k, x: k.layers.GlobalAveragePooling1D()(k.layers.Permute((2, 1), name="it")(x))),
        "it",
    ),
    "Conv1D": (pooled(lambda k, x: k.layers.Conv1D(5, 3, padding="same", name="it")(x)), "it"),
    "SeparableConv1D": (pooled(lambda k, x: k.layers.SeparableConv1D(5, 3, padding="same", name="it")(x)), "it"),
    "DepthwiseConv1D": (pooled(lambda k, x: k.layers.DepthwiseConv1D(3, padding="same", name="it")(x)), "it"),
    "GlobalMaxPooling1D": (headed(lambda k, x: k.layers.GlobalMaxPooling1D(name="it")(x)), "it"),
    "MaxPooling1D": (pooled(lambda k, x: k.layers.MaxPooling1D(2, padding="same", name="it")(x)), "it"),
    "AveragePooling1D": (pooled(lambda k, x: k.layers.AveragePooling1D(2, padding="same", name="it")(x)), "it"),
    "ZeroPadding1D": (pooled(lambda k, x: k.layers.ZeroPadding1D(1, name="it")(x)), "it"),
    "Cropping1D": (pooled(lambda k, x: k.layers.Cropping1D(1, name="it")(x)), "it"),
    "UpSampling1D": (pooled(lambda k, x: k.layers.UpSampling1D(2, name="it")(x)), "it"),
}
"""Lose the mask, and Keras warns; with the site that loses it."""

FALSE_ALARM: dict[str, tuple[Callable[[Any], Any], str]] = {
    "SpectralNormalization": (
        pooled(lambda k, x: k.layers.SpectralNormalization(k.layers.Dense(5), name="it")(x)),
        "it",
    ),
}
"""Keras warns, but the layer hands out its inner layer's result, which has the mask."""

SILENT: dict[str, tuple[Callable[[Any], Any], str]] = {
    "times two": (recurrent(lambda k, x: x * 2), "multiply"),
    "plus itself": (recurrent(lambda k, x: x + x), "add"),
    "ops.relu": (recurrent(lambda k, x: k.ops.relu(x)), "relu"),
    "slice": (recurrent(lambda k, x: x[:, :, :4]), "get_item"),
    "residual": (pooled(lambda k, x: x + k.layers.MultiHeadAttention(2, 4)(x, x)), "add"),
    "ops.mean": (headed(lambda k, x: k.ops.mean(x, axis=1)), "mean"),
    "ops.sum": (headed(lambda k, x: k.ops.sum(x, axis=1)), "sum"),
}
"""Operations between layers, which lose the mask without a warning."""
