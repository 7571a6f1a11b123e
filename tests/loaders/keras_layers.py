"""Layers of the user's own, as the guide on masking and padding writes them; and some that get it wrong."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers, ops


class EmbedThenLstm(layers.Layer):
    """Hands the mask over by hand."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.embedding = layers.Embedding(50, 8, mask_zero=True, embeddings_initializer="normal")
        self.lstm = layers.LSTM(6)

    def call(self, inputs: Any) -> Any:
        x = self.embedding(inputs)
        mask = self.embedding.compute_mask(inputs)
        return self.lstm(x, mask=mask)


class TemporalSplit(layers.Layer):
    """Splits a sequence, and its mask, into halves."""

    def call(self, inputs: Any) -> Any:
        return ops.split(inputs, 2, axis=1)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None if mask is None else ops.split(mask, 2, axis=1)


class CustomEmbedding(layers.Layer):
    """Makes a mask of its ids."""

    def __init__(self, input_dim: int, output_dim: int, mask_zero: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero

    def get_config(self) -> dict[str, Any]:
        own = {"input_dim": self.input_dim, "output_dim": self.output_dim, "mask_zero": self.mask_zero}
        return {**super().get_config(), **own}

    def build(self, input_shape: Any) -> None:
        self.embeddings = self.add_weight(
            shape=(self.input_dim, self.output_dim), initializer="random_normal", dtype="float32"
        )

    def call(self, inputs: Any) -> Any:
        return ops.take(self.embeddings, ops.cast(inputs, "int32"), axis=0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.not_equal(inputs, 0) if self.mask_zero else None


class MyActivation(layers.Layer):
    """Passes the mask on, because it says so."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs)


class MyForgetfulActivation(layers.Layer):
    """The same without saying so."""

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs)


class TemporalSoftmax(layers.Layer):
    """Softmax over time that skips masked steps."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any, mask: Any = None) -> Any:
        keep = ops.expand_dims(ops.cast(mask, "float32"), -1)
        exponents = ops.exp(inputs) * keep
        return exponents / ops.sum(exponents * keep, axis=1, keepdims=True)


class Classifier(keras.Model):
    """A subclassed model; ``careless`` scales the embedding with an operator, which loses the mask."""

    def __init__(self, careless: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.careless = careless
        self.embed = layers.Embedding(50, 8, mask_zero=True, embeddings_initializer="normal", name="embed")
        self.lstm = layers.LSTM(6, name="lstm")
        self.head = layers.Dense(3, name="head")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "careless": self.careless}

    def call(self, inputs: Any) -> Any:
        x = self.embed(inputs)
        return self.head(self.lstm(x * 2.0 if self.careless else x))


class Averaging(layers.Layer):
    """Averages every step with the mean of all steps, pads included."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs + ops.mean(inputs, axis=1, keepdims=True)
