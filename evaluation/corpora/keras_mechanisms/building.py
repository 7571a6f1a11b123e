"""A pair in a host: the Keras model and its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.corpora.keras_mechanisms.pairs import GIVEN, LAYER, WIDTH, Pair

LENGTH, WORDS, FEATURES = 9, 40, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Hosted:
    """``host`` is ``words`` or ``frames``."""

    pair: Pair
    host: str


def build(hosted: Hosted, mended: bool, floatx: str = "float32") -> Any:
    """Nothing of Keras is imported before."""
    import keras

    pair, in_words = hosted.pair, hosted.host == "words"
    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.utils.set_random_seed(4)
    read, x, m = (_words if in_words else _frames)(keras, pair.fixed)
    y = (pair.mended if mended else pair.leaky)(keras, x, m)
    if pair.tail == LAYER:
        pool = keras.layers.GlobalAveragePooling1D if in_words else keras.layers.LSTM
        y = pool(**({} if in_words else {"units": WIDTH}), name="pool")(y)
    elif pair.tail == GIVEN:
        shown = keras.ops.expand_dims(keras.ops.cast(m, floatx), -1)
        y = keras.ops.sum(y * shown, axis=1) / keras.ops.sum(shown, axis=1)
    return keras.Model(read, keras.layers.Dense(3, name="head")(y))


def _words(keras: Any, fixed: bool) -> tuple[Any, Any, Any]:
    ids = keras.Input((LENGTH + 3 if fixed else None,), dtype="int32", name="ids")
    table = keras.initializers.RandomNormal(stddev=1.0, seed=2)
    x = keras.layers.Embedding(WORDS, WIDTH, mask_zero=True, embeddings_initializer=table, name="emb")(ids)
    return ids, x, keras.ops.not_equal(ids, 0)


def _frames(keras: Any, fixed: bool) -> tuple[Any, Any, Any]:
    frames = keras.Input((LENGTH + 3 if fixed else None, FEATURES), name="frames")
    start = keras.layers.Dense(WIDTH, activation="tanh", bias_initializer="ones", name="start")
    x = start(keras.layers.Masking(0.0, name="masking")(frames))
    return frames, x, keras.ops.any(keras.ops.not_equal(frames, 0.0), axis=-1)


def inputs(hosted: Hosted, rows: int = 3) -> np.ndarray:
    """Rows without padding, or of fixed length with three pads."""
    draw = np.random.default_rng(6)
    if hosted.host == "words":
        made = draw.integers(1, WORDS, (rows, LENGTH)).astype(np.int32)
    else:
        made = draw.normal(size=(rows, LENGTH, FEATURES)).astype(np.float32)
    return padded(made, 3) if hosted.pair.fixed else made


def padded(batch: np.ndarray, pads: int, front: int = 0) -> np.ndarray:
    widths = [(0, 0), (front, pads - front), *[(0, 0)] * (batch.ndim - 2)]
    return np.pad(batch, widths)
