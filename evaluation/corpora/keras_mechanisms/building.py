"""Pair x host x leaky or mended x form. Nothing of Keras is imported before a model is built."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.corpora.keras_mechanisms.pairs import GIVEN, LAYER, PAIRS, WIDTH, Pair

LENGTH, WORDS, FEATURES = 9, 40, 6
FORMS = ("live", ".keras")
LIVE_ONLY = ("KER-07", "KER-10", "KER-13", "KER-16", "CL-18")
"""A Lambda and a SavedModel inside a file would have to be trusted, and a layer of one's own named."""


@dataclass(frozen=True, slots=True)
class Case:
    """``key`` names the pair: the functions of a pair cannot travel to another process."""

    key: str
    host: str
    leaky: bool
    condition: str

    @property
    def pair(self) -> Pair:
        return next(pair for pair in PAIRS if pair.name == self.key)

    @property
    def name(self) -> str:
        state = "leaky" if self.leaky else "mended"
        return f"{self.pair.id} {self.pair.name}/{self.host}/{state}/{self.condition}"


def cases() -> Iterator[Case]:
    for pair in PAIRS:
        for host in ("words", "frames"):
            for leaky in (True, False):
                forms = FORMS[:1] if pair.id in LIVE_ONLY else FORMS
                yield from (Case(pair.name, host, leaky, form) for form in forms)


def build(case: Case, floatx: str = "float32") -> Any:
    import keras

    keras.backend.clear_session()
    keras.config.set_floatx(floatx)
    keras.utils.set_random_seed(4)
    read, x, m = _words(keras, case.pair.fixed) if case.host == "words" else _frames(keras, case.pair.fixed)
    y = (case.pair.leaky if case.leaky else case.pair.mended)(keras, x, m)
    if case.pair.tail == LAYER:
        pool = keras.layers.GlobalAveragePooling1D if case.host == "words" else keras.layers.LSTM
        y = pool(**({} if case.host == "words" else {"units": WIDTH}), name="pool")(y)
    elif case.pair.tail == GIVEN:
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


def inputs(case: Case, rows: int = 3) -> np.ndarray:
    """Rows without padding, or of fixed length with three pads."""
    draw = np.random.default_rng(6)
    if case.host == "words":
        made = draw.integers(1, WORDS, (rows, LENGTH)).astype(np.int32)
    else:
        made = draw.normal(size=(rows, LENGTH, FEATURES)).astype(np.float32)
    return padded(made, 3) if case.pair.fixed else made


def padded(batch: np.ndarray, pads: int, front: int = 0) -> np.ndarray:
    widths = [(0, 0), (front, pads - front), *[(0, 0)] * (batch.ndim - 2)]
    return np.pad(batch, widths)
