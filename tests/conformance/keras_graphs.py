"""The graphs as Keras models; ``python -m tests.conformance.keras_graphs FOLDER`` prints what the loader says amiss.

TensorFlow and torch must not meet in one process, so this one has TensorFlow alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
from keras import layers, ops

from maskcheck import loaders
from maskcheck.core.model import Model
from maskcheck.core.settings import Settings
from maskcheck.loaders.live import wrap
from tests.conformance.questions import FRAMES, IDS, MASK, QUESTIONS, ROWS
from tests.conformance.reading import WIDTH, failures

_JOURNEY = (("facts",), "the journey of the mask tells what every layer did with it")
_LAYERS = {"fused attention without a mask": _JOURNEY, "recurrence in both directions": _JOURNEY}
_APART = (("steps", "uses", "facts"), "a graph holds the operators that the layer is made of")
UNSHOWN: dict[str, dict[str, tuple[tuple[str, ...], str]]] = {
    "live": _LAYERS,
    "keras": _LAYERS,
    "savedmodel": {
        "fused attention": _APART,
        "fused attention without a mask": _APART,
        "recurrence in both directions": (("steps", "facts"), "a loop over steps, which is one site"),
        "convolution": (("steps",), "TensorFlow has convolutions over images only: the kernel is (1, 3)"),
        "layer norm": (("steps",), "written out as means, squares and roots"),
    },
}
"""By way and name: parts of a question that a format cannot show, and why."""


def ids() -> Any:
    return keras.Input((None,), dtype="int32", name=IDS)


def frames() -> Any:
    return keras.Input((None, WIDTH), name=FRAMES)


def mask() -> Any:
    return keras.Input((None,), dtype="bool", name=MASK)


def table(given: Any) -> Any:
    return layers.Embedding(ROWS, WIDTH, name="table")(given)


def lookup() -> keras.Model:
    given = ids()
    return keras.Model(given, ops.mean(table(given), axis=1))


def compared() -> keras.Model:
    given = ids()
    real = ops.expand_dims(ops.cast(ops.not_equal(given, 0), "float32"), -1)
    return keras.Model(given, ops.sum(table(given) * real, axis=1) / ops.sum(real, axis=1))


def scores(fill: float) -> keras.Model:
    x, real = frames(), mask()
    products = ops.matmul(x, ops.transpose(x, (0, 2, 1)))
    kept = ops.where(ops.expand_dims(real, 1), products, fill)
    return keras.Model([x, real], ops.matmul(ops.softmax(kept, axis=-1), x))


def fused(masked: bool) -> keras.Model:
    x, real = frames(), mask()
    attention = layers.MultiHeadAttention(1, 3, name="attention")
    if not masked:
        return keras.Model(x, attention(x, x))
    return keras.Model([x, real], attention(x, x, attention_mask=ops.expand_dims(real, 1)))


def recurrence() -> keras.Model:
    x = frames()
    return keras.Model(x, layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x))


def convolution() -> keras.Model:
    x = frames()
    return keras.Model(x, layers.ReLU()(layers.Conv1D(5, 3, padding="same")(x)))


def of_frames(function: Callable[[Any], Any]) -> keras.Model:
    x = frames()
    return keras.Model(x, function(x))


def unread() -> keras.Model:
    x, real = frames(), mask()
    return keras.Model([x, real], ops.mean(x, axis=1))


@keras.saving.register_keras_serializable("conformance")
class Places(layers.Layer):
    """Adds an embedding of the column to every step."""

    def build(self, shape: Any) -> None:
        self.places = self.add_weight(shape=(50, WIDTH), name="places")

    def call(self, x: Any) -> Any:
        return x + ops.take(self.places, ops.arange(ops.shape(x)[1]), axis=0)


def columns() -> keras.Model:
    given = ids()
    return keras.Model(given, ops.mean(Places()(table(given)), axis=1))


GRAPHS: dict[str, Callable[[], keras.Model]] = {
    "lookup": lookup,
    "ids compared with the pad id": compared,
    "masked scores": lambda: scores(-1e9),
    "timidly masked scores": lambda: scores(-10.0),
    "fused attention": lambda: fused(True),
    "fused attention without a mask": lambda: fused(False),
    "recurrence in both directions": recurrence,
    "convolution": convolution,
    "maximum over time": lambda: of_frames(lambda x: ops.max(x, axis=1)),
    "running sum": lambda: of_frames(lambda x: ops.cumsum(x, axis=1)),
    "layer norm": lambda: of_frames(lambda x: layers.LayerNormalization()(x)),
    "last step": lambda: of_frames(lambda x: layers.Dense(2)(x[:, -1])),
    "a mask that nothing reads": unread,
    "positions by column": columns,
}


def live(model: keras.Model, folder: Path) -> Model:
    return wrap(model)


def file(model: keras.Model, folder: Path) -> Model:
    path = folder / "model.keras"
    model.save(path)
    return loaders.load(path, Settings(trust=True))  # one graph has a layer of its own


def saved_model(model: keras.Model, folder: Path) -> Model:
    model.export(folder / "saved", verbose=False)
    return loaders.load(folder / "saved", Settings(trust=True))


WAYS: dict[str, Callable[[keras.Model, Path], Model]] = {"live": live, "keras": file, "savedmodel": saved_model}


def amiss(way: str, name: str, folder: Path) -> list[str]:
    keras.utils.set_random_seed(0)
    folder.mkdir(parents=True)
    without, _ = UNSHOWN.get(way, {}).get(name, ((), ""))
    return failures(WAYS[way](GRAPHS[name](), folder), QUESTIONS[name], without=frozenset(without))


def main(folder: Path) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for way in WAYS:
        for i, name in enumerate(QUESTIONS):
            try:
                found.setdefault(way, {})[name] = amiss(way, name, folder / f"{way}{i}")
            except Exception as error:
                found.setdefault(way, {})[name] = [f"{type(error).__name__}: {error}"]
    return found


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
