"""Mechanisms that occur in Keras: what a user writes between an embedded, masked sequence and a head; and its mending.

``leaky`` and ``mended`` get ``k`` (the module ``keras``), ``x`` (batch, time, 8), which carries a mask, and ``m``
(batch, time), the same mask as a tensor of booleans. Layers called ``it`` are where padding gets in, those called
``lost`` are where the mask was lost before; operations between layers go by the names Keras gives them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Change = Callable[[Any, Any, Any], Any]
WIDTH, LOW = 8, -1e9
LAYER, GIVEN, NOTHING = "layer", "given", "nothing"


@dataclass(frozen=True, slots=True)
class Pair:
    """``origin`` and ``cause`` are names of sites; where ``origin`` is empty it is the host's pooling layer.

    ``tail`` is what the host puts behind: ``LAYER`` a pooling layer that reads the mask the change left, ``GIVEN`` a
    mean over the mask that was given, ``NOTHING`` a head, for changes that pool themselves. ``fixed``: the change needs
    sequences of one length.
    """

    id: str
    name: str
    rules: tuple[str, ...]
    leaky: Change
    mended: Change
    origin: str = ""
    cause: str = ""
    tail: str = LAYER
    fixed: bool = False


def keep(k: Any, m: Any) -> Any:
    return k.ops.expand_dims(k.ops.cast(m, k.config.floatx()), -1)


def masked_mean(k: Any, x: Any, m: Any) -> Any:
    return k.ops.sum(x * keep(k, m), axis=1) / k.ops.sum(keep(k, m), axis=1)


def number(k: Any, seen: Any) -> Any:
    return k.ops.cast(seen, k.config.floatx())


def keys(k: Any, m: Any) -> Any:
    """(batch, 1, keys)."""
    return k.ops.expand_dims(m, 1)


def scores(k: Any, x: Any) -> Any:
    return k.ops.matmul(k.layers.Dense(WIDTH)(x), k.ops.transpose(k.layers.Dense(WIDTH)(x), (0, 2, 1)))


def attend(k: Any, x: Any, weights: Any) -> Any:
    return k.ops.matmul(weights, k.layers.Dense(WIDTH)(x))


def filled(k: Any, x: Any, seen: Any, value: float) -> Any:
    return k.ops.where(seen, scores(k, x), k.ops.cast(value, k.config.floatx()))


def ramp(k: Any, x: Any, last: Any) -> Any:
    steps = k.ops.cumsum(k.ops.ones_like(x[:, :, :1]), axis=1)
    return x + k.ops.sin(6 * steps / last)


def linear(k: Any, x: Any, mapped: Any) -> Any:
    q = k.ops.elu(k.layers.Dense(WIDTH)(x)) + 1
    context = k.ops.matmul(k.ops.transpose(mapped, (0, 2, 1)), k.layers.Dense(WIDTH)(x))
    total = k.ops.sum(mapped, axis=1, keepdims=True)
    return k.ops.matmul(q, context) / k.ops.sum(q * total, axis=-1, keepdims=True)


def halved(k: Any, m: Any) -> Any:
    return k.ops.max(k.layers.MaxPooling1D(2, padding="same")(keep(k, m)), axis=-1) > 0


def biased(k: Any, x: Any) -> Any:
    return k.layers.Conv1D(WIDTH, 3, padding="same", activation="relu", bias_initializer="ones")(x)


def clustered(k: Any, x: Any, shares: Any) -> Any:
    held = k.ops.matmul(k.ops.transpose(shares, (0, 2, 1)), x)
    return k.ops.matmul(shares, k.ops.tanh(held * 0.1))


def _densified(k: Any, x: Any, m: Any) -> Any:
    """Rows of unequal length made dense again, as wide as before: ``to_tensor`` knows of no mask."""
    import tensorflow as tf

    class Dense(k.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, inputs: Any, seen: Any) -> Any:
            return tf.ragged.boolean_mask(inputs, seen).to_tensor(shape=tf.shape(inputs))

        def compute_output_shape(self, inputs_shape: Any, seen_shape: Any) -> Any:
            return inputs_shape

    return Dense(name="lost")(x, m)


def _two_dense(k: Any) -> Any:
    """A layer whose inner layers warn that they destroy the mask; its own is handed on."""

    class TwoDense(k.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.supports_masking = True
            self.inner = k.layers.EinsumDense("abc,cd->abd", (None, WIDTH), activation="relu", bias_axes="d")
            self.outer = k.layers.Dense(WIDTH)

        def call(self, inputs: Any) -> Any:
            return self.outer(self.inner(inputs))

    return TwoDense()


def _activation(k: Any, early: bool) -> Any:
    """A layer of somebody's own that says it supports masking, before or after its base class is set up."""

    class Activation(k.layers.Layer):  # type: ignore[misc, name-defined]
        def __init__(self, **given: Any) -> None:
            if early:
                self.supports_masking = True
            super().__init__(**given)
            if not early:
                self.supports_masking = True

        def call(self, inputs: Any) -> Any:
            return k.ops.tanh(inputs)

    return Activation(name="lost" if early else "kept")


def _encoder(k: Any) -> Any:
    x = k.Input((None, WIDTH))
    return k.Model(x, k.layers.LSTM(WIDTH, return_sequences=True)(x), name="encoder")


def _saved(k: Any, x: Any) -> Any:
    """The encoder from a SavedModel, whose outputs carry no mask."""
    with tempfile.TemporaryDirectory() as folder:
        _encoder(k).export(folder, verbose=False)
        return k.layers.TFSMLayer(folder, call_endpoint="serve", name="lost")(x)


def _doubling(k: Any, careful: bool) -> Any:
    x = k.Input((None, WIDTH))
    return k.Model(x, k.layers.Rescaling(2.0)(x) if careful else x * 2, name="inner")


POOL = ("MC101", "MC302", "MC944")
"""The host of words pools by a mean, the host of frames by a recurrent layer."""
ATTENDS = ("MC201", "MC205", "MC944")

PAIRS = (
    Pair(
        "KER-01", "times two", POOL, lambda k, x, m: x * 2, lambda k, x, m: k.layers.Rescaling(2.0)(x), "", "multiply"
    ),
    Pair("KER-01", "relu", POOL, lambda k, x, m: k.ops.relu(x), lambda k, x, m: k.layers.ReLU()(x), "", "relu"),
    Pair(
        "KER-02",
        "residual",
        POOL,
        lambda k, x, m: x + k.layers.MultiHeadAttention(2, 4)(x, x),
        lambda k, x, m: k.layers.Add()([x, k.layers.MultiHeadAttention(2, 4)(x, x)]),
        "",
        "add",
    ),
    Pair(
        "KER-03",
        "einsum dense",
        POOL,
        lambda k, x, m: k.layers.EinsumDense("btd,de->bte", (None, WIDTH), name="lost")(x),
        lambda k, x, m: k.layers.Dense(WIDTH)(x),
        "",
        "lost",
    ),
    Pair(
        "KER-04",
        "RMS normalization",
        POOL,
        lambda k, x, m: k.layers.RMSNormalization(name="lost")(x),
        lambda k, x, m: k.layers.LayerNormalization()(x),
        "",
        "lost",
    ),
    Pair(
        "KER-05",
        "global maximum",
        ("MC103",),
        lambda k, x, m: k.layers.GlobalMaxPooling1D(name="it")(x),
        lambda k, x, m: k.ops.max(k.ops.where(k.ops.expand_dims(m, -1), x, LOW), axis=1),
        "it",
        tail=NOTHING,
    ),
    Pair(
        "KER-06",
        "flatten",
        ("MC704",),
        lambda k, x, m: k.layers.Dense(WIDTH, name="it")(k.layers.Flatten(name="lost")(x)),
        lambda k, x, m: k.layers.GlobalAveragePooling1D()(x),
        "it",
        "lost",
        tail=NOTHING,
        fixed=True,
    ),
    Pair(
        "KER-07",
        "lambda",
        POOL,
        lambda k, x, m: k.layers.Lambda(lambda t: t * 2, name="lost")(x),
        lambda k, x, m: k.layers.Lambda(lambda t: t * 2, mask=lambda i, mask: mask)(x),
        "",
        "lost",
    ),
    Pair(
        "KER-08",
        "one branch without a mask",
        POOL,
        lambda k, x, m: k.layers.Add()([x, k.layers.Conv1D(WIDTH, 1, name="lost")(x)]),
        lambda k, x, m: k.layers.Add()([x, k.layers.Dense(WIDTH)(x)]),
        "",
        "lost",
    ),
    Pair(
        "KER-09",
        "joined twice",
        (),
        lambda k, x, m: k.layers.Concatenate(axis=1)([x, x]),
        lambda k, x, m: k.layers.Concatenate(axis=-1)([x, x]),
    ),
    Pair(
        "KER-10",
        "support declared too early",
        POOL,
        lambda k, x, m: _activation(k, True)(x),
        lambda k, x, m: _activation(k, False)(x),
        "",
        "lost",
    ),
    Pair(
        "KER-11",
        "mask on the query only",
        ATTENDS,
        lambda k, x, m: k.layers.MultiHeadAttention(2, 4, name="it")(x, x * 1.0),
        lambda k, x, m: k.layers.MultiHeadAttention(2, 4)(x, x),
        "it",
        "multiply",
    ),
    Pair(
        "KER-13",
        "encoder from a SavedModel",
        POOL,
        lambda k, x, m: _saved(k, x),
        lambda k, x, m: _encoder(k)(x),
        "",
        "lost",
    ),
    Pair(
        "KER-16",
        "ragged made dense",
        ("MC303",),  # to_tensor fills with zeros, and the layer runs on through them
        lambda k, x, m: k.layers.LSTM(WIDTH, name="it")(_densified(k, x, m)),
        lambda k, x, m: k.layers.LSTM(WIDTH)(_densified(k, x, m), mask=m),
        "it",
        "lost",
        tail=NOTHING,
    ),
    Pair(
        "KER-14",
        "each step by itself",
        (),
        lambda k, x, m: k.layers.TimeDistributed(k.layers.Dense(WIDTH))(x),
        lambda k, x, m: k.layers.TimeDistributed(k.layers.LayerNormalization())(x),
    ),
    Pair(
        "KER-15",
        "sub-model with an operator",
        POOL,
        lambda k, x, m: _doubling(k, False)(x),
        lambda k, x, m: _doubling(k, True)(x),
        "",
        "multiply",
    ),
    Pair(
        "KER-18",
        "a warning without a loss",
        (),
        lambda k, x, m: k.layers.SpectralNormalization(k.layers.Dense(WIDTH))(x),
        lambda k, x, m: k.layers.Dense(WIDTH)(x),
    ),
    Pair(
        "ATT-01",
        "no mask",
        ATTENDS,
        lambda k, x, m: attend(k, x, k.ops.softmax(scores(k, x))),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW))),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-02",
        "inverted",
        ("MC202",),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, k.ops.logical_not(keys(k, m)), LOW))),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW))),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-03",
        "a fill that is nothing",
        ("MC206",),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), 1e-9))),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW))),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-05",
        "after the softmax",
        ("MC209",),
        lambda k, x, m: attend(k, x, k.ops.softmax(scores(k, x)) * number(k, keys(k, m))),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW))),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-06",
        "softmax over queries",
        ("MC203",),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW), axis=1)),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW), axis=2)),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-09",
        "mask on the queries",
        ("MC204",),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, k.ops.expand_dims(m, -1), LOW))),
        lambda k, x, m: attend(k, x, k.ops.softmax(filled(k, x, keys(k, m), LOW))),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-11",
        "zero and one added",
        ("MC206", "MC207"),
        lambda k, x, m: attend(k, x, k.ops.softmax(scores(k, x) + number(k, keys(k, m)))),
        lambda k, x, m: attend(k, x, k.ops.softmax(scores(k, x) + (number(k, keys(k, m)) - 1) * 1e9)),
        "softmax",
        tail=GIVEN,
    ),
    Pair(
        "ATT-23",
        "linear attention",
        ("MC215",),
        lambda k, x, m: linear(k, x, k.ops.elu(k.layers.Dense(WIDTH)(x)) + 1),
        lambda k, x, m: linear(k, x, (k.ops.elu(k.layers.Dense(WIDTH)(x)) + 1) * keep(k, m)),
        "matmul sum",
        tail=GIVEN,
    ),
    Pair(
        "ATT-31",
        "attention pooling by layers",
        ("MC109", "MC944"),
        lambda k, x, m: k.layers.Dot(axes=1)([k.layers.Softmax(axis=1, name="it")(k.layers.Dense(1)(x * 1.0)), x]),
        lambda k, x, m: k.layers.Dot(axes=1)(
            [k.ops.softmax(k.ops.where(k.ops.expand_dims(m, -1), k.layers.Dense(1)(x), LOW), axis=1), x]
        ),
        "it",
        tail=NOTHING,
    ),
    Pair("POOL-01", "mean", ("MC101",), lambda k, x, m: k.ops.mean(x, axis=1), masked_mean, "mean", tail=NOTHING),
    Pair(
        "POOL-02",
        "sum over the padded length",
        ("MC102",),
        lambda k, x, m: k.ops.mean(x * keep(k, m), axis=1),
        masked_mean,
        "mean",
        tail=NOTHING,
    ),
    Pair(
        "POOL-04",
        "maximum of zeros",
        ("MC104",),
        lambda k, x, m: k.ops.max(x * keep(k, m), axis=1),
        lambda k, x, m: k.ops.max(x + (keep(k, m) - 1) * 1e9, axis=1),
        "max",
        tail=NOTHING,
    ),
    Pair(
        "POOL-05",
        "last column",
        ("MC105",),
        lambda k, x, m: x[:, -1],
        lambda k, x, m: k.layers.LSTM(WIDTH)(x),
        "get_item",
        tail=NOTHING,
    ),
    Pair(
        "POOL-09",
        "mean and deviation",
        ("MC110", "MC101", "MC504"),
        lambda k, x, m: k.ops.concatenate([k.ops.mean(x, axis=1), k.ops.std(x, axis=1)], axis=-1),
        lambda k, x, m: k.ops.concatenate(
            [masked_mean(k, x, m), masked_mean(k, (x - k.ops.expand_dims(masked_mean(k, x, m), 1)) ** 2, m)], axis=-1
        ),
        "mean std",
        tail=NOTHING,
    ),
    Pair(
        "POOL-10",
        "squeeze and excitation",
        ("MC111", "MC101"),
        lambda k, x, m: x * k.layers.Dense(WIDTH, activation="sigmoid")(k.ops.mean(x, axis=1, keepdims=True)),
        lambda k, x, m: x * k.layers.Dense(WIDTH, activation="sigmoid")(k.ops.expand_dims(masked_mean(k, x, m), 1)),
        "mean",
        tail=GIVEN,
    ),
    Pair(
        "POOL-11",
        "windows of two",
        ("MC112",),
        lambda k, x, m: masked_mean(k, k.layers.MaxPooling1D(2, padding="same", name="it")(x), halved(k, m)),
        lambda k, x, m: masked_mean(
            k, k.layers.MaxPooling1D(2, padding="same")(k.ops.where(k.ops.expand_dims(m, -1), x, LOW)), halved(k, m)
        ),
        "it",
        tail=NOTHING,
    ),
    Pair(
        "RNN-08",
        "final state",
        ("MC302", "MC944"),
        lambda k, x, m: k.layers.GRU(WIDTH, name="it")(k.ops.tanh(x)),
        lambda k, x, m: k.layers.GRU(WIDTH)(k.layers.Activation("tanh")(x)),
        "it",
        "tanh",
        tail=NOTHING,
    ),
    Pair(
        "RNN-02",
        "both ways",
        ("MC301", "MC302", "MC944"),
        lambda k, x, m: k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), name="it")(x * 1.0),
        lambda k, x, m: k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(x),
        "it",
        "multiply",
        tail=GIVEN,
    ),
    Pair(
        "RNN-03",
        "zeroed, not skipped",
        ("MC303", "MC301"),
        lambda k, x, m: k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True), name="it")(x * keep(k, m)),
        lambda k, x, m: k.layers.Bidirectional(k.layers.LSTM(4, return_sequences=True))(x),
        "it",
        tail=GIVEN,
    ),
    Pair(
        "RNN-04",
        "last of zeros",
        ("MC305", "MC105"),
        lambda k, x, m: k.layers.LSTM(WIDTH, return_sequences=True, zero_output_for_mask=True)(x)[:, -1],
        lambda k, x, m: k.layers.LSTM(WIDTH)(x),
        "get_item",
        tail=NOTHING,
    ),
    Pair(
        "RNN-04",
        "state of zeros",
        ("MC305",),
        lambda k, x, m: k.layers.LSTM(WIDTH, zero_output_for_mask=True, name="it")(x),
        lambda k, x, m: k.layers.LSTM(WIDTH)(x),
        "it",
        tail=NOTHING,
    ),
    Pair(
        "RNN-09",
        "backwards",
        ("MC307", "MC301", "MC944", "MC302"),
        lambda k, x, m: k.ops.flip(k.layers.GRU(WIDTH, return_sequences=True, name="it")(k.ops.flip(x, 1)), 1),
        lambda k, x, m: k.layers.GRU(WIDTH, return_sequences=True)(x),
        "it",
        "flip",
        tail=GIVEN,
    ),
    Pair(
        "CONV-01",
        "unmasked convolution",
        ("MC401", "MC402", "MC944"),
        lambda k, x, m: k.layers.Conv1D(WIDTH, 5, padding="same", name="it")(x),
        lambda k, x, m: k.layers.Conv1D(WIDTH, 5, padding="same")(x * keep(k, m)),
        "it",
        tail=GIVEN,
    ),
    Pair(
        "CONV-02",
        "refilled by biases",
        ("MC402",),
        lambda k, x, m: k.layers.Conv1D(WIDTH, 3, padding="same", name="it")(biased(k, x * keep(k, m))),
        lambda k, x, m: k.layers.Conv1D(WIDTH, 3, padding="same")(biased(k, x * keep(k, m)) * keep(k, m)),
        "it",
        tail=GIVEN,
    ),
    Pair(
        "NORM-05",
        "group normalization",
        ("MC501",),
        lambda k, x, m: k.layers.GroupNormalization(2, name="it")(x),
        lambda k, x, m: k.layers.LayerNormalization()(x),
        "it",
    ),
    Pair(
        "NORM-03",
        "unit length over time",
        ("MC502",),
        lambda k, x, m: k.layers.UnitNormalization(axis=1, name="it")(x),
        lambda k, x, m: k.layers.UnitNormalization(axis=-1)(x),
        "it",
    ),
    Pair(
        "NORM-04",
        "standardised over time",
        ("MC504",),
        lambda k, x, m: k.ops.tanh(x - k.ops.mean(x, axis=1, keepdims=True)),
        lambda k, x, m: k.ops.tanh(x - k.ops.expand_dims(masked_mean(k, x, m), 1)),
        "mean",
        tail=GIVEN,
    ),
    Pair(
        "POS-06",
        "relative time",
        ("MC603", "MC605"),
        lambda k, x, m: ramp(k, x, k.ops.sum(k.ops.ones_like(x[:, :, :1]), axis=1, keepdims=True)),
        lambda k, x, m: ramp(k, x, k.ops.sum(keep(k, m), axis=1, keepdims=True)),
        "add",
        tail=GIVEN,
    ),
    Pair(
        "MIX-02",
        "reversed sum",
        ("MC307", "MC923"),
        lambda k, x, m: k.ops.flip(k.ops.cumsum(k.ops.flip(x, 1), 1), 1) * 0.3,
        lambda k, x, m: k.ops.flip(k.ops.cumsum(k.ops.flip(x * keep(k, m), 1), 1), 1) * 0.3,
        "cumsum flip",
        tail=GIVEN,
    ),
    Pair(
        "MIX-04",
        "clusters",
        ("MC924", "MC215"),  # the softmax is inside the Dense layer
        lambda k, x, m: clustered(k, x, k.layers.Dense(3, activation="softmax")(x)),
        lambda k, x, m: clustered(k, x, k.layers.Dense(3, activation="softmax")(x) * keep(k, m)),
        "matmul",
        tail=GIVEN,
    ),
    Pair(
        "CL-03",
        "causal attention",
        (),
        lambda k, x, m: k.layers.MultiHeadAttention(2, 4)(x * 1.0, x * 1.0, use_causal_mask=True),
        lambda k, x, m: k.layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True),
        tail=GIVEN,
    ),
    Pair(
        "CL-04",
        "causal convolution and forward LSTM",
        (),
        lambda k, x, m: k.layers.Conv1D(WIDTH, 3, padding="causal")(x * 1.0),
        lambda k, x, m: k.layers.LSTM(WIDTH, return_sequences=True)(x * 1.0),
        tail=GIVEN,
    ),
    Pair(
        "CL-07",
        "masked recurrent layers",
        (),
        lambda k, x, m: k.layers.Bidirectional(k.layers.GRU(4, return_sequences=True))(x),
        lambda k, x, m: k.layers.SimpleRNN(WIDTH, return_sequences=True)(x),
    ),
    Pair(
        "CL-09",
        "masked pooling",
        (),
        lambda k, x, m: k.layers.GlobalAveragePooling1D()(x),
        lambda k, x, m: k.layers.Bidirectional(k.layers.LSTM(4))(x),
        tail=NOTHING,
    ),
    Pair(
        "CL-11",
        "batch normalization",
        (),
        lambda k, x, m: k.layers.BatchNormalization()(x),
        lambda k, x, m: k.layers.Dropout(0.3)(x),
    ),
    Pair(
        "CL-18",
        "warnings that the mask is destroyed",
        (),
        lambda k, x, m: k.layers.MultiHeadAttention(2, 4)(x, x),
        lambda k, x, m: _two_dense(k)(x),
    ),
)
