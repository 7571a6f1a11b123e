"""Tiny models, one call each, with the operation and the settings that are to be read off them.

``python -m tests.loaders.keras_settings FOLDER`` prints what the loader reads, as JSON. Nothing of Keras or TensorFlow
is imported before.
"""

from __future__ import annotations

import base64
import json
import pickle
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import (
    FAMILIES,
    Along,
    Attention,
    Clip,
    Compare,
    Direction,
    Equation,
    Fill,
    Lookup,
    MaskValue,
    Pad,
    Pick,
    Recurrence,
    Reduce,
    Settings,
    Slice,
    Softmax,
    StepwiseLayer,
    Window,
)

END = 2**31 - 1
LENGTH, WIDTH = 6, 4
MASK = "emb/mask#0"
GIVEN = "not_equal#0"
"""The same mask, as the functional model makes it and hands it over as an argument."""

Found = dict[str, tuple[str, Settings | None]]


@dataclass(frozen=True, slots=True)
class Case:
    """``build`` gets a library and the tensors ``x`` (batch, 6, 4), ``e`` (the same, masked), ``ids`` and ``image``."""

    build: Callable[[Any, Any], Any]
    operation: Op
    settings: Settings | None
    operator: str = ""


def _window(kernel: int, stride: int = 1, **more: Any) -> Window:
    """A window that lays no zeros over an axis of positions, the features last."""
    plain = {"strides": (stride,), "before": (0,), "after": (0,), "channels_last": True}
    return Window(kernel=(kernel,), **(plain | more))


ONE = {"dilations": (1,)}
SAME = {"before": None, "after": None, "same": True}

LAYERS: dict[str, Case] = {
    "embedding": Case(
        lambda k, t: k.layers.Embedding(9, 3, mask_zero=True)(t.ids),
        Op.EMBEDDING,
        Lookup(rows=9, padding=0, ids="ids"),
    ),
    "embedding_unmasked": Case(lambda k, t: k.layers.Embedding(9, 3)(t.ids), Op.EMBEDDING, Lookup(rows=9, ids="ids")),
    "masking": Case(lambda k, t: k.layers.Masking(-1.0)(t.x), Op.MASKING, MaskValue(value=-1.0)),
    "add": Case(lambda k, t: k.layers.Add()([t.x, t.x]), Op.ADD, Fill()),
    "softmax": Case(lambda k, t: k.layers.Softmax(axis=1)(t.x), Op.SOFTMAX, Softmax(axis=1)),
    "activation": Case(lambda k, t: k.layers.Activation("softmax")(t.x), Op.SOFTMAX, Softmax(axis=-1)),
    "mean": Case(lambda k, t: k.layers.GlobalAveragePooling1D()(t.x), Op.MEAN, Reduce(axes=(1,))),
    "max": Case(
        lambda k, t: k.layers.GlobalMaxPooling2D(keepdims=True)(t.image), Op.MAX, Reduce(axes=(1, 2), keeps_axes=True)
    ),
    "layer_norm": Case(lambda k, t: k.layers.LayerNormalization(axis=[1, 2])(t.x), Op.LAYER_NORM, Reduce(axes=(1, 2))),
    "rms_norm": Case(lambda k, t: k.layers.RMSNormalization()(t.x), Op.RMS_NORM, Reduce(axes=(-1,))),
    "batch_norm": Case(lambda k, t: k.layers.BatchNormalization()(t.x), Op.BATCH_NORM, Reduce(axes=())),
    "group_norm": Case(lambda k, t: k.layers.GroupNormalization(2)(t.x), Op.GROUP_NORM, Reduce(axes=(1,))),
    "concatenate": Case(lambda k, t: k.layers.Concatenate(axis=1)([t.x, t.x]), Op.CONCATENATE, Along(axis=1)),
    "flatten": Case(lambda k, t: k.layers.Flatten()(t.x), Op.FLATTEN, Along(axis=1)),
    "convolution": Case(
        lambda k, t: k.layers.Conv1D(4, 3, strides=2, groups=2)(t.x), Op.CONVOLUTION, _window(3, 2, groups=2, **ONE)
    ),
    "same": Case(
        lambda k, t: k.layers.SeparableConv1D(4, 3, padding="same")(t.x), Op.CONVOLUTION, _window(3, **ONE, **SAME)
    ),
    "causal": Case(
        lambda k, t: k.layers.Conv1D(4, 3, padding="causal", dilation_rate=2)(t.x),
        Op.CONVOLUTION,
        _window(3, dilations=(2,), before=(4,), causal=True),
    ),
    "depthwise": Case(
        lambda k, t: k.layers.DepthwiseConv1D(3)(t.x), Op.DEPTHWISE_CONVOLUTION, _window(3, groups=WIDTH, **ONE)
    ),
    "transposed": Case(
        lambda k, t: k.layers.Conv1DTranspose(4, 3, strides=2)(t.x),
        Op.TRANSPOSED_CONVOLUTION,
        _window(3, 2, **ONE),
    ),
    "pool": Case(lambda k, t: k.layers.MaxPooling1D(2, padding="same")(t.x), Op.MAX_POOL, _window(2, 2, **SAME)),
    "pad": Case(
        lambda k, t: k.layers.ZeroPadding1D((2, 1))(t.x), Op.PAD, Pad(before=(0, 2, 0), after=(0, 1, 0), fill=0.0)
    ),
    "pad_image": Case(
        lambda k, t: k.layers.ZeroPadding2D(((1, 2), (3, 4)))(t.image),
        Op.PAD,
        Pad(before=(0, 1, 3, 0), after=(0, 2, 4, 0), fill=0.0),
    ),
    "crop": Case(
        lambda k, t: k.layers.Cropping1D((1, 2))(t.x), Op.SLICE, Slice(axes=(1,), starts=(1,), ends=(-2,), steps=(1,))
    ),
    "lstm": Case(lambda k, t: k.layers.LSTM(3)(t.e), Op.LSTM, Recurrence(mask=GIVEN, returns_sequence=False)),
    "lstm_unmasked": Case(lambda k, t: k.layers.LSTM(3)(t.x), Op.LSTM, Recurrence(returns_sequence=False)),
    "gru": Case(
        lambda k, t: k.layers.GRU(3, return_sequences=True, go_backwards=True, zero_output_for_mask=True)(t.e),
        Op.GRU,
        Recurrence(direction=Direction.REVERSE, mask=GIVEN, zeroes_pads=True, returns_sequence=True),
    ),
    "states": Case(
        lambda k, t: k.layers.SimpleRNN(3, return_sequences=True, return_state=True)(t.x)[0],
        Op.RNN,
        Recurrence(returns_sequence=None),
    ),
    "both_ways": Case(
        lambda k, t: k.layers.Bidirectional(k.layers.LSTM(3))(t.e),
        Op.LSTM,
        Recurrence(direction=Direction.BIDIRECTIONAL, mask=GIVEN, returns_sequence=False),
    ),
    "stepwise": Case(
        lambda k, t: k.layers.TimeDistributed(k.layers.LSTM(3))(t.image), Op.SUBGRAPH, StepwiseLayer(recurrent=True)
    ),
    "stepwise_dense": Case(
        lambda k, t: k.layers.TimeDistributed(k.layers.Dense(3))(t.x), Op.LINEAR, StepwiseLayer(recurrent=False)
    ),
    "self_attention": Case(
        lambda k, t: k.layers.MultiHeadAttention(2, 2)(t.e, t.e, use_causal_mask=True),
        Op.ATTENTION,
        Attention(mask=MASK, mask_rank=2, causal=True),
    ),
    "queries_masked": Case(lambda k, t: k.layers.MultiHeadAttention(2, 2)(t.e, t.x), Op.ATTENTION, Attention()),
    "mask_given": Case(
        lambda k, t: k.layers.GroupQueryAttention(2, 2, 1)(t.x, t.x, attention_mask=t.allowed),
        Op.ATTENTION,
        Attention(mask="allowed", mask_rank=3),
    ),
    "dot_attention": Case(  # its own embedding: other attention takes the mask off the tensor that it reads
        lambda k, t: k.layers.Attention()([t.x, k.layers.Embedding(9, WIDTH, mask_zero=True, name="own")(t.ids)]),
        Op.ATTENTION,
        Attention(mask="own/mask#0", mask_rank=2),
    ),
}
"""Layers, each one site."""

OPERATIONS: dict[str, Case] = {
    "ops_mean": Case(lambda k, t: k.ops.mean(t.x, axis=1, keepdims=True), Op.MEAN, Reduce(axes=(1,), keeps_axes=True)),
    "ops_max": Case(lambda k, t: k.ops.max(t.x, axis=(1, 2)), Op.MAX, Reduce(axes=(1, 2))),
    "ops_argmax": Case(lambda k, t: k.ops.argmax(t.x, axis=-1), Op.ARGMAX, Reduce(axes=(-1,))),
    "ops_softmax": Case(lambda k, t: k.ops.softmax(t.x, axis=1), Op.SOFTMAX, Softmax(axis=1)),
    "ops_times": Case(lambda k, t: t.x * 2.0, Op.MULTIPLY, Fill(values=(2.0,))),
    "ops_less": Case(lambda k, t: 1.0 - t.x, Op.SUBTRACT, Fill(values=(1.0,))),
    "ops_where": Case(lambda k, t: k.ops.where(t.x > 0, t.x, k.ops.ones((1,)) * -1e9), Op.WHERE, Fill(values=(-1e9,))),
    "ops_equal": Case(
        lambda k, t: k.ops.not_equal(t.ids, 0), Op.NOT_EQUAL, Compare(value=0.0, operand="ids", swapped=False)
    ),
    "ops_swapped": Case(
        lambda k, t: k.ops.less_equal(3, t.ids), Op.LESS_OR_EQUAL, Compare(value=3.0, operand="ids", swapped=True)
    ),
    "ops_two": Case(lambda k, t: k.ops.less(t.x, t.x), Op.LESS, Compare()),
    "ops_clip": Case(lambda k, t: k.ops.clip(t.x, 0.0, 6.0), Op.CLIP, Clip(lowest=0.0, highest=6.0)),
    "ops_last": Case(lambda k, t: t.x[:, -1], Op.SELECT, Pick(axis=1, indices=-1)),
    "ops_feature": Case(lambda k, t: t.x[..., 0], Op.SELECT, Pick(axis=-1, indices=0)),
    "ops_slice": Case(
        lambda k, t: t.x[:, 1:5:2, :3],
        Op.SLICE,
        Slice(axes=(1, 2), starts=(1, 0), ends=(5, 3), steps=(2, 1)),
    ),
    "ops_backwards": Case(
        lambda k, t: t.x[:, ::-1], Op.SLICE, Slice(axes=(1,), starts=(-1,), ends=(-END,), steps=(-1,))
    ),
    "ops_new_axis": Case(lambda k, t: t.x[:, None], Op.UNSQUEEZE, Reduce(axes=(1,))),
    "ops_take": Case(lambda k, t: k.ops.take(t.x, [0, 2], axis=1), Op.GATHER, Pick(axis=1, indices=(0, 2))),
    "ops_take_one": Case(lambda k, t: k.ops.take(t.x, 0, axis=1), Op.SELECT, Pick(axis=1, indices=0)),
    "ops_concatenate": Case(lambda k, t: k.ops.concatenate([t.x, t.x], axis=-1), Op.CONCATENATE, Along(axis=-1)),
    "ops_stack": Case(lambda k, t: k.ops.stack([t.x, t.x], axis=1), Op.STACK, Along(axis=1)),
    "ops_split": Case(lambda k, t: k.ops.split(t.x, 2, axis=1)[0], Op.SPLIT, Along(axis=1)),
    "ops_cumsum": Case(lambda k, t: k.ops.cumsum(t.x, axis=1), Op.CUMULATIVE_SUM, Along(axis=1)),
    "ops_flip": Case(lambda k, t: k.ops.flip(t.x, axis=1), Op.FLIP, Along(axis=1)),
    "ops_roll": Case(lambda k, t: k.ops.roll(t.x, 1, axis=1), Op.ROLL, Along(axis=1)),
    "ops_top_k": Case(lambda k, t: k.ops.top_k(t.x, 2)[0], Op.TOP_K, Along(axis=-1, count=2)),
    "ops_pad": Case(
        lambda k, t: k.ops.pad(t.x, [[0, 0], [1, 2], [0, 0]], constant_values=3.0),
        Op.PAD,
        Pad(before=(0, 1, 0), after=(0, 2, 0), fill=3.0),
    ),
    "ops_mirror": Case(
        lambda k, t: k.ops.pad(t.x, [[0, 0], [1, 2], [0, 0]], mode="reflect"),
        Op.PAD,
        Pad(before=(0, 1, 0), after=(0, 2, 0), fill=None, copies=True),
    ),
    "ops_conv": Case(lambda k, t: k.ops.conv(t.x, k.ops.ones((3, WIDTH, 5)), 2), Op.CONVOLUTION, _window(3, 2, **ONE)),
    "ops_pool": Case(lambda k, t: k.ops.average_pool(t.x, 3, 1), Op.AVERAGE_POOL, _window(3)),
    "ops_einsum": Case(lambda k, t: k.ops.einsum("btd,bsd->bts", t.x, t.x), Op.EINSUM, Equation(text="btd,bsd->bts")),
    "ops_expand": Case(lambda k, t: k.ops.expand_dims(t.x, 1), Op.UNSQUEEZE, Reduce(axes=(1,))),
}
"""Operations of ``keras.ops`` between layers."""

OPERATORS: dict[str, Case] = {
    "mean": Case(
        lambda tf, t: tf.reduce_mean(t.x, 1, keepdims=True), Op.MEAN, Reduce(axes=(1,), keeps_axes=True), "Mean"
    ),
    "sum": Case(lambda tf, t: tf.reduce_sum(t.x, [1, 2]), Op.SUM, Reduce(axes=(1, 2)), "Sum"),
    "argmax": Case(lambda tf, t: tf.argmax(t.x, 1), Op.ARGMAX, Reduce(axes=(1,)), "ArgMax"),
    "squeeze": Case(lambda tf, t: tf.squeeze(t.x[:, :1], [1]), Op.SQUEEZE, Reduce(axes=(1,)), "Squeeze"),
    "expand": Case(lambda tf, t: tf.expand_dims(t.x, 1), Op.UNSQUEEZE, Reduce(axes=(1,)), "ExpandDims"),
    "softmax": Case(lambda tf, t: tf.nn.softmax(t.x), Op.SOFTMAX, Softmax(axis=-1), "Softmax"),
    "last": Case(lambda tf, t: t.x[:, -1], Op.SELECT, Pick(axis=1, indices=-1), "StridedSlice"),
    "behind_dots": Case(lambda tf, t: t.x[..., 1], Op.SELECT, Pick(axis=-1, indices=1), "StridedSlice"),
    "slice": Case(
        lambda tf, t: t.x[:, 1::2, :-1],
        Op.SLICE,
        Slice(axes=(1, 2), starts=(1, 0), ends=(END, -1), steps=(2, 1)),
        "StridedSlice",
    ),
    "backwards": Case(
        lambda tf, t: t.x[:, ::-1],
        Op.SLICE,
        Slice(axes=(1,), starts=(-1,), ends=(-END,), steps=(-1,)),
        "StridedSlice",
    ),
    "one_and_more": Case(
        lambda tf, t: t.x[:, 0, 1:],
        Op.SLICE,
        Slice(axes=(1, 2), starts=(0, 1), ends=(1, END), steps=(1, 1)),
        "StridedSlice",
    ),
    "new_axis": Case(lambda tf, t: t.x[:, None], Op.UNSQUEEZE, Reduce(axes=(1,)), "StridedSlice"),
    "begin_and_size": Case(
        lambda tf, t: tf.slice(t.x, [0, 1, 0], [-1, 2, -1]),
        Op.SLICE,
        Slice(axes=(1,), starts=(1,), ends=(3,), steps=(1,)),
        "Slice",
    ),
    "pick": Case(lambda tf, t: tf.gather(t.x, [0, 2], axis=1), Op.GATHER, Pick(axis=1, indices=(0, 2)), "GatherV2"),
    "pick_one": Case(lambda tf, t: tf.gather(t.x, 2, axis=1), Op.SELECT, Pick(axis=1, indices=2), "GatherV2"),
    "lookup": Case(lambda tf, t: tf.gather(t.table, t.ids), Op.EMBEDDING, Lookup(rows=9, ids="ids"), "GatherV2"),
    "times": Case(lambda tf, t: t.x * 2.0, Op.MULTIPLY, Fill(values=(2.0,)), "Mul"),
    "less": Case(lambda tf, t: 1.0 - t.x, Op.SUBTRACT, Fill(values=(1.0,)), "Sub"),
    "where": Case(lambda tf, t: tf.where(t.x > 0, t.x, -1e9), Op.WHERE, Fill(values=(-1e9,)), "SelectV2"),
    "maximum": Case(lambda tf, t: tf.maximum(t.x, 0.5), Op.MAXIMUM, Fill(values=(0.5,)), "Maximum"),
    "equal": Case(lambda tf, t: tf.equal(t.ids, 0), Op.EQUAL, Compare(value=0.0, operand="ids"), "Equal"),
    "swapped": Case(
        lambda tf, t: tf.less_equal(0, t.ids),
        Op.LESS_OR_EQUAL,
        Compare(value=0.0, operand="ids", swapped=True),
        "LessEqual",
    ),
    "joined": Case(lambda tf, t: tf.concat([t.x, t.x], 1), Op.CONCATENATE, Along(axis=1), "ConcatV2"),
    "split": Case(lambda tf, t: tf.split(t.x, 2, axis=1)[0], Op.SPLIT, Along(axis=1), "Split"),
    "cumulative": Case(
        lambda tf, t: tf.cumsum(t.x, 1, reverse=True), Op.CUMULATIVE_SUM, Along(axis=1, reverse=True), "Cumsum"
    ),
    "flipped": Case(lambda tf, t: tf.reverse(t.x, [1]), Op.FLIP, Along(axis=1), "ReverseV2"),
    "rolled": Case(lambda tf, t: tf.roll(t.x, 1, 1), Op.ROLL, Along(axis=1), "Roll"),
    "turned": Case(
        lambda tf, t: tf.reverse_sequence(t.x, t.ids[:, 0], seq_axis=1),
        Op.REVERSE_SEQUENCE,
        Along(axis=1),
        "ReverseSequence",
    ),
    "largest": Case(lambda tf, t: tf.math.top_k(t.x, 2)[0], Op.TOP_K, Along(axis=-1, count=2), "TopKV2"),
    "one_hot": Case(lambda tf, t: tf.one_hot(t.ids, 5), Op.ONE_HOT, Along(axis=-1), "OneHot"),
    "pad": Case(
        lambda tf, t: tf.pad(t.x, [[0, 0], [1, 2], [0, 0]]), Op.PAD, Pad(before=(0, 1, 0), after=(0, 2, 0)), "Pad"
    ),
    "pad_ones": Case(
        lambda tf, t: tf.pad(t.x, [[0, 0], [1, 2], [0, 0]], constant_values=1.0),
        Op.PAD,
        Pad(before=(0, 1, 0), after=(0, 2, 0), fill=1.0),
        "PadV2",
    ),
    "mirror": Case(
        lambda tf, t: tf.pad(t.x, [[0, 0], [1, 2], [0, 0]], mode="REFLECT"),
        Op.PAD,
        Pad(before=(0, 1, 0), after=(0, 2, 0), fill=None, copies=True),
        "MirrorPad",
    ),
    "equation": Case(
        lambda tf, t: tf.einsum("btd,bsd->bts", t.x, t.x), Op.EINSUM, Equation(text="btd,bsd->bts"), "Einsum"
    ),
    "convolution": Case(
        lambda tf, t: tf.nn.conv2d(t.image, t.kernel, (1, 2), "SAME"),
        Op.CONVOLUTION,
        Window(kernel=(3, 2), strides=(1, 2), dilations=(1, 1), same=True, channels_last=True),
        "Conv2D",
    ),
    "pool": Case(
        lambda tf, t: tf.nn.max_pool2d(t.image, (2, 1), (2, 1), "VALID"),
        Op.MAX_POOL,
        Window(kernel=(2, 1), strides=(2, 1), before=(0, 0), after=(0, 0), channels_last=True),
        "MaxPool",
    ),
    "transform": Case(lambda tf, t: tf.abs(tf.signal.rfft(t.x)), Op.FOURIER_TRANSFORM, Reduce(axes=(-1,)), "RFFT"),
}
"""Operators of TensorFlow, called eagerly inside a layer and standing in a frozen graph."""


# ---------------------------------------------------------------------- the child process


def whole_calls(folder: Path) -> dict[str, Found]:
    """Layers and operations of one functional model, live and from its file; and how its mask is made."""
    import keras

    from maskcheck.core.settings import Settings as Options
    from maskcheck.loaders.keras.model import KerasModel, load

    keras.utils.set_random_seed(3)
    inputs = _inputs(keras)
    embed = keras.layers.Embedding(9, WIDTH, mask_zero=True, name="emb")
    tensors = SimpleNamespace(**inputs, e=embed(inputs["ids"]))
    outputs = {name: case.build(keras, tensors) for name, case in (LAYERS | OPERATIONS).items()}
    model = keras.Model(inputs, outputs)
    model.save(folder / "model.keras")
    live, saved = KerasModel(model), load(folder / "model.keras", Options())
    return {"live": _made_by(live), "saved": _made_by(saved)}


def _made_by(model: Any) -> Found:
    """What makes each output; and the mask of the embedding."""
    sites = model.trace(_feeds()).sites
    _check_families(sites)
    makers = {key: site for site in sites for key in site.outputs}
    return {name: _told(makers[name]) for name in (*LAYERS, *OPERATIONS)} | {MASK: _told(makers[MASK])}


def eager(folder: Path) -> Found:
    """Operators inside layers of the user's own."""
    import keras
    import tensorflow as tf

    from maskcheck.loaders.keras.model import KerasModel

    inputs = _inputs(keras)

    class Calling(keras.layers.Layer):
        """One case; nobody asks for the shape of its result."""

        def call(self, given: dict[str, Any]) -> Any:
            return OPERATORS[self.name].build(tf, SimpleNamespace(**given, **_weights(tf)))

        def compute_output_spec(self, given: dict[str, Any]) -> Any:
            return keras.KerasTensor((None,))

    model = keras.Model(inputs, {f"out_{name}": Calling(name=name)(inputs) for name in OPERATORS})
    sites = KerasModel(model).trace(_feeds()).sites
    _check_families(sites)
    return _in_scopes(sites)


def frozen(folder: Path) -> Found:
    """The same operators in the graph of a SavedModel."""
    import tensorflow as tf

    from maskcheck.core.settings import Settings as Options
    from maskcheck.loaders.keras.savedmodel import load

    weights = {name: tf.Variable(value) for name, value in _weights(tf).items()}

    def serve(x: Any, ids: Any, image: Any, allowed: Any) -> Any:
        tensors = SimpleNamespace(x=x, ids=ids, image=image, **weights)
        found = {}
        for name, case in OPERATORS.items():
            with tf.name_scope(name):
                found[f"out_{name}"] = case.build(tf, tensors)
        return found

    module = tf.Module()
    module.weights = list(weights.values())
    spec = {name: tf.TensorSpec((None, *shape), dtype, name=name) for name, (shape, dtype) in _SHAPES.items()}
    served = tf.function(serve, input_signature=[spec[n] for n in ("x", "ids", "image", "allowed")])
    tf.saved_model.save(module, str(folder / "graph"), signatures={"serving_default": served})
    model = load(folder / "graph", Options(trust=True))
    sites = model.trace(_feeds()).sites
    _check_families(sites)
    return _in_scopes(sites)


_SHAPES = {
    "x": ((LENGTH, WIDTH), "float32"),
    "ids": ((LENGTH,), "int32"),
    "image": ((LENGTH, 5, 3), "float32"),
    "allowed": ((LENGTH, LENGTH), "bool"),
}


def _inputs(keras: Any) -> dict[str, Any]:
    return {name: keras.Input(shape, dtype=dtype, name=name) for name, (shape, dtype) in _SHAPES.items()}


def _weights(tf: Any) -> dict[str, Any]:
    return {
        "table": tf.random.stateless_normal((9, 3), (1, 2)),
        "kernel": tf.random.stateless_normal((3, 2, 3, 2), (1, 2)),
    }


def _feeds() -> dict[str, Any]:
    import numpy as np

    generator = np.random.default_rng(0)
    return {name: generator.integers(1, 5, (2, *shape)).astype(dtype) for name, (shape, dtype) in _SHAPES.items()}


def _in_scopes(sites: Iterable[Site]) -> Found:
    """For each case the last site of its operator within its scope."""
    found: Found = {}
    for site in sites:
        case = (site.module or "").split("/")[0]
        if case in OPERATORS and site.operator == OPERATORS[case].operator:
            found[case] = _told(site)
    return found


def _told(site: Site) -> tuple[str, Settings | None]:
    return site.operation.value, site.settings


def _check_families(sites: Iterable[Site]) -> None:
    for site in sites:
        fits = site.settings is None or site.operation in FAMILIES[type(site.settings)]
        assert fits, f"{site.name}: {site.settings} at {site.operation}"


def families(folder: Path) -> list[str]:
    """Sites of whole models whose settings do not belong to their operation."""
    import keras
    import numpy as np

    from maskcheck.loaders.keras.model import KerasModel
    from tests.loaders import keras_guide

    strange: list[str] = []
    for build in (*keras_guide.CLEAN.values(), *(case[0] for case in keras_guide.LEAKY.values())):
        model = KerasModel(build(keras))
        sizes = {"words": (2, 4), "steps": (2, 10, 5), "masking_input": (2, 10, 5)}
        feeds = {s.name: np.ones(sizes.get(s.name, (2, 10)), s.dtype) for s in model.inputs}
        for site in model.trace(feeds).sites:
            if site.settings is not None and site.operation not in FAMILIES[type(site.settings)]:
                strange.append(f"{build.__name__}, {site.name}: {site.settings} at {site.operation}")
    return strange


def read_all(folder: Path) -> dict[str, Any]:
    return {**whole_calls(folder), "eager": eager(folder), "frozen": frozen(folder), "strange": families(folder)}


def unpacked(text: str) -> Any:
    """What the child process found."""
    return pickle.loads(base64.b64decode(text))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    result = base64.b64encode(pickle.dumps(read_all(Path(sys.argv[1])))).decode()
    sys.stdout.write(json.dumps(result) + "\n")
