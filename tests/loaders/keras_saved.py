"""Models to be saved as SavedModels: some whose inside can be shown, some whose inside cannot, one without Keras."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any


def _ids(keras: Any, length: int | None = None, dtype: str = "int32") -> Any:
    return keras.Input((length,), dtype=dtype, name="ids")


def doubled(keras: Any) -> Any:
    """A product takes the mask off, and the mean reads the pads."""
    layers, ids = keras.layers, _ids(keras)
    x = layers.Embedding(30, 6, mask_zero=True, name="emb")(ids)
    return keras.Model(ids, layers.Dense(2)(layers.GlobalAveragePooling1D(name="gap")(x * 2)))


def recurrent(keras: Any) -> Any:
    ids = _ids(keras)
    x = keras.layers.Embedding(30, 6, name="emb")(ids)
    return keras.Model(ids, keras.layers.Dense(2)(keras.layers.LSTM(5, name="lstm")(x)))


def table(keras: Any) -> Any:
    """A vocabulary is a table that the graph only refers to."""
    return _looked_up(keras, None)


def table_of_one_length(keras: Any) -> Any:
    return _looked_up(keras, 8)


def _looked_up(keras: Any, length: int | None) -> Any:
    layers, ids = keras.layers, _ids(keras, length, "int64")
    x = layers.Embedding(50, 4)(layers.IntegerLookup(vocabulary=list(range(3, 40)))(ids))
    return keras.Model(ids, layers.Flatten()(x) if length else layers.GlobalAveragePooling1D()(x))


def text(keras: Any) -> Any:
    layers, words = keras.layers, keras.Input((None,), dtype="string", name="words")
    x = layers.Embedding(5, 4)(layers.StringLookup(vocabulary=["a", "b"])(words))
    return keras.Model(words, layers.GlobalAveragePooling1D()(x))


def save_module(path: Path, name: str) -> None:
    """A ``tf.Module`` with functions inside functions and two outputs that come in no order of their names."""
    tf = import_module("tensorflow")
    spec = [tf.TensorSpec((None, None), tf.int32, name=n) for n in ("input_ids", "attention_mask")]

    class Pooled(tf.Module):
        def __init__(self) -> None:
            self.table = tf.Variable(tf.random.stateless_normal((40, 5), (1, 2)))
            self.head = tf.Variable(tf.random.stateless_normal((5, 3), (3, 4)))

        @tf.function
        def summed(self, x: Any) -> Any:
            return tf.reduce_sum(x, 1)

        @tf.function(input_signature=spec)
        def masked(self, input_ids: Any, attention_mask: Any) -> Any:
            x, mask = self.words(input_ids, attention_mask)
            return {"states": x, "logits": (self.summed(x) / self.summed(mask)) @ self.head}

        @tf.function(input_signature=spec)
        def careless(self, input_ids: Any, attention_mask: Any) -> Any:
            x, _ = self.words(input_ids, attention_mask)
            return {"states": x, "logits": tf.reduce_mean(x, 1) @ self.head}

        @tf.function
        def words(self, input_ids: Any, attention_mask: Any) -> Any:
            mask = tf.cast(attention_mask, tf.float32)[..., None]
            return tf.gather(self.table, input_ids) * mask, mask

    module = Pooled()
    tf.saved_model.save(module, str(path), signatures={"serving_default": getattr(module, name)})
