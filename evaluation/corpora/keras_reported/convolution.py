"""Convolutions, alone and in front of recurrent layers."""

from __future__ import annotations

from typing import Any

from evaluation.corpora.keras_reported.registry import BATCH, feats, ids, report


@report("KER-03", origin="gru", cause="conv1d", x=feats(BATCH, "time", 2, pad=-9.0))
def masked_conv_gru(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/411: the convolution drops the mask that two GRUs behind it need."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 2))
    y = layers.Conv1D(6, 5, padding="same")(layers.Masking(-9.0)(x))
    real = ops.any(ops.not_equal(x, -9.0), axis=-1) if mended else None
    y = layers.GRU(6)(layers.GRU(6, return_sequences=True)(y, mask=real), mask=real)
    return keras.Model(x, layers.Dense(1)(y))


@report("CONV-01", origin="conv_1", characters=ids(BATCH, "time", vocab=30))
def character_convolution(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/6150: the pad's vector is read like a letter's."""
    import keras
    from keras import layers, ops

    characters = keras.Input((None,), dtype="int32", name="characters")
    real = ops.not_equal(characters, 0)
    x = layers.Embedding(30, 6, name="letters")(characters)
    if mended:
        x = ops.where(ops.expand_dims(real, -1), x, 0.0)
    x = layers.Conv1D(8, 3, padding="same", activation="relu", name="conv_1")(x)
    x = layers.LSTM(6, name="lstm")(x, mask=real)
    return keras.Model(characters, layers.Dense(2, name="out")(x))


@report("CONV-02", origin="conv_2", words=ids(BATCH, "time"))
def convolution_stack(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/12475: masked once, the second convolution reads biases."""
    import keras
    from keras import layers, ops

    words = keras.Input((None,), dtype="int32", name="words")
    real = ops.expand_dims(ops.not_equal(words, 0), -1)
    x = layers.Embedding(40, 6, name="embedding")(words)
    x = layers.Conv1D(8, 3, padding="same", activation="tanh", name="conv_1")(ops.where(real, x, 0.0))
    if mended:
        x = ops.where(real, x, 0.0)
    x = layers.Conv1D(8, 3, padding="same", activation="tanh", name="conv_2")(x)
    best = layers.GlobalMaxPooling1D(name="max_pool")(ops.where(real, x, -1e9))
    return keras.Model(words, layers.Dense(1, activation="sigmoid", name="out")(best))


@report("POOL-05", origin="get_item", x=feats(BATCH, "time", 3))
def tcn_last_step(mended: bool) -> Any:
    """https://github.com/philipperemy/keras-tcn/issues/234: masks in front of a TCN that returns its last column."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 3), name="x")
    y = layers.Masking(0.0, name="masking")(x)
    for rate in (1, 2, 4):
        conv = layers.Conv1D(6, 2, padding="causal", dilation_rate=rate, activation="relu", name=f"dilated_{rate}")
        y = layers.Add(name=f"skip_{rate}")([layers.Conv1D(6, 1, name=f"matching_{rate}")(y), conv(y)])
    if mended:
        count = ops.sum(ops.cast(ops.any(ops.not_equal(x, 0.0), axis=-1), "int32"), axis=1)
        last = ops.squeeze(ops.take_along_axis(y, ops.reshape(count - 1, (-1, 1, 1)), axis=1), 1)
    else:
        last = y[:, -1]
    return keras.Model(x, layers.Dense(1, name="out")(last))


@report("CONV-08", harmless=True, x=feats(BATCH, "time", 3))
def tcn_labels(mended: bool) -> Any:
    """https://github.com/philipperemy/keras-tcn/issues/89: no mask, but causal, and pads come last."""
    import keras
    from keras import layers

    x = keras.Input((None, 3))
    y = layers.Masking(0.0)(x)
    for rate in (1, 2):
        y = layers.Conv1D(6, 3, padding="causal", dilation_rate=rate, activation="relu")(y)
    return keras.Model(x, layers.Dense(4, activation="softmax")(y))


@report("CONV-08", origin="dilated_2", left=True, x=feats(BATCH, "time", 3))
def tcn_padded_in_front(mended: bool) -> Any:
    """https://github.com/philipperemy/keras-tcn/issues/240: in front, the second convolution reads biases."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 3), name="x")
    real = ops.any(ops.not_equal(x, 0.0), axis=-1, keepdims=True)
    y = layers.Conv1D(6, 2, padding="causal", activation="tanh", name="dilated_1")(x)
    if mended:
        y = ops.where(real, y, 0.0)
    y = layers.Conv1D(6, 2, padding="causal", dilation_rate=2, activation="tanh", name="dilated_2")(y)
    return keras.Model(x, layers.Dense(1, name="out")(y))


@report("KER-06+CONV-01", origin="conv pool flatten dense", fixed=True, x=feats(BATCH, "time", 4, pad=20.0))
def masked_cnn(mended: bool) -> Any:
    """https://github.com/keras-team/tf-keras/issues/585: nobody behind the Masking layer knows of its mask."""
    import keras
    from keras import layers, ops

    x = keras.Input((12, 4), name="x")
    y = layers.Masking(20.0, name="masking")(x)
    padding = "same" if mended else "valid"
    y = layers.Conv1D(6, 3, padding=padding, activation="gelu", name="conv")(y)
    y = layers.Dropout(0.3, name="dropout")(y)
    if mended:
        real = ops.any(ops.not_equal(x, 20.0), axis=-1, keepdims=True)
        y = layers.GlobalMaxPooling1D(name="pool")(ops.where(real, y, -1e9))
    else:
        y = layers.Flatten(name="flatten")(layers.MaxPooling1D(2, name="pool")(y))
    return keras.Model(x, layers.Dense(2, name="dense")(y))


@report("KER-12", origin="lstm", cause="masking", x=feats(BATCH, "time", 6, 6, 1, pad=-2.0))
def dummy_images(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/10028: a dummy image's features are not what is masked."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 6, 6, 1), name="crops")
    y = layers.TimeDistributed(layers.Conv2D(4, 3, activation="relu"), name="cnn")(x)
    y = layers.TimeDistributed(layers.GlobalAveragePooling2D(), name="average")(y)
    y = layers.TimeDistributed(layers.Dense(5, activation="tanh"), name="features")(y)
    if mended:
        y = layers.LSTM(6, name="lstm")(y, mask=ops.any(ops.not_equal(x, -2.0), axis=(2, 3, 4)))
    else:
        y = layers.LSTM(6, name="lstm")(layers.Masking(0.0, name="masking")(y))
    return keras.Model(x, layers.Dense(3, name="out")(y))


@report("RNN-01", origin="conv_lstm2d", x=feats(BATCH, "time", 5, 5, 1))
def skipped_frames(mended: bool) -> Any:
    """https://github.com/tensorflow/tensorflow/issues/48678: without the Masking layer, which does not fit, it runs."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 5, 5, 1))
    real = ops.any(ops.not_equal(x, 0.0), axis=(2, 3, 4)) if mended else None
    y = layers.ConvLSTM2D(4, 3, activation="tanh", padding="same")(x, mask=real)
    y = layers.Flatten()(layers.MaxPooling2D(2, padding="same")(y))
    return keras.Model(x, layers.Dense(1, activation="sigmoid")(y))


@report("POOL-10", origin="squeeze", x=feats(BATCH, "time", 3))
def squeezed_activity(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/16267: masks, convolutions and a gate from the mean."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 3), name="time_series_activity")
    real = ops.any(ops.not_equal(x, 0.0), axis=-1)
    y = layers.Conv1D(8, 3, activation="relu", padding="same", name="con_l1")(layers.Masking(name="input_mask")(x))
    squeezed = layers.GlobalAveragePooling1D(name="squeeze")(y, mask=real if mended else None)
    gate = layers.Dense(8, activation="sigmoid", name="excite")(
        layers.Dense(4, activation="relu", name="reduce")(squeezed)
    )
    y = layers.Multiply(name="scale")([y, layers.Reshape((1, 8), name="gate")(gate)])
    y = layers.LSTM(6, return_sequences=True, name="lstm_l5")(y)
    return keras.Model(x, layers.Dense(4, activation="softmax", name="activity")(y))
