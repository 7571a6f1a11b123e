"""Two compiled Keras models with their losses and metrics, and the plain test of them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

WORDS, CLASSES, ROWS, LENGTH = 40, 4, 6, 9


def _each(y: Any, p: Any) -> tuple[Any, Any]:
    return keras.losses.sparse_categorical_crossentropy(y, p), ops.cast(ops.not_equal(y, 0), "float32")


def real_steps(y: Any, p: Any) -> Any:
    each, mask = _each(y, p)
    return ops.sum(each * mask) / ops.sum(mask)


def all_steps(y: Any, p: Any) -> Any:
    each, mask = _each(y, p)
    return ops.mean(each * mask)


class ShareRight(keras.metrics.Metric):
    """A metric of its own, which does not look at the weights it is given."""

    def __init__(self, name: str = "share_right") -> None:
        super().__init__(name=name)
        self.right = self.add_weight(shape=(), initializer="zeros", name="right")
        self.count = self.add_weight(shape=(), initializer="zeros", name="count")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        right = ops.equal(ops.cast(y_true, "int64"), ops.cast(ops.argmax(y_pred, -1), "int64"))
        self.right.assign_add(ops.sum(ops.cast(right, "float32")))
        self.count.assign_add(ops.cast(ops.size(right), "float32"))

    def result(self) -> Any:
        return self.right / self.count


def build(fault: str, host: str, leaky: bool) -> Any:
    keras.utils.set_random_seed(4)
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.Embedding(WORDS, 8, mask_zero=True)(ids)
    x = (layers.LSTM if host == "lstm" else layers.GRU)(8, return_sequences=True)(x)
    if host == "gru":
        x = layers.LayerNormalization()(x)
    own = fault == "own mean over all steps"
    lost = (fault == "mask lost before the loss" and leaky) or own
    x = x * 2.0 if lost else layers.Activation("tanh")(x)
    model = keras.Model(ids, layers.Dense(CLASSES, activation="softmax")(x))
    loss = (all_steps if leaky else real_steps) if own else "sparse_categorical_crossentropy"
    measured: dict[str, Any] = {} if own else {"weighted_metrics": ["accuracy"]}
    if fault == "metric without the mask" and leaky:
        measured = {"metrics": [ShareRight()]}
    model.compile("adam", loss, **measured)
    return model


def difference(fault: str, host: str, leaky: bool) -> float:
    """How far loss and metrics of a padded batch are from the unpadded one's, as Keras evaluates them."""
    model = build(fault, host, leaky)
    rng = np.random.default_rng(0)
    ids, labels = rng.integers(1, WORDS, (ROWS, LENGTH)), rng.integers(1, CLASSES, (ROWS, LENGTH))
    plain = model.evaluate(ids, labels, verbose=0, batch_size=ROWS, return_dict=True)
    worst = 0.0
    for pads in (1, 4, 9):
        wide = ((0, 0), (0, pads))
        padded = model.evaluate(np.pad(ids, wide), np.pad(labels, wide), verbose=0, batch_size=ROWS, return_dict=True)
        worst = max([worst, *(abs(padded[k] - plain[k]) / max(abs(plain[k]), 1e-6) for k in plain)])
    return worst
