"""Means, maxima, norms and flattened sequences."""

from __future__ import annotations

from typing import Any

from evaluation.corpora.keras_reported.registry import BATCH, feats, ids, lengths, report


@report("POOL-01", origin="mean", words=ids(BATCH, "time"))
def fasttext(mended: bool) -> Any:
    """https://github.com/keras-team/keras/pull/4026: the mean over all embeddings of a document, pads included."""
    import keras
    from keras import layers

    words = keras.Input((None,), dtype="int32")
    x = layers.Embedding(40, 8, mask_zero=True)(words)
    pooled = layers.GlobalAveragePooling1D()(x) if mended else keras.ops.mean(x, axis=1)
    return keras.Model(words, layers.Dense(1, activation="sigmoid")(pooled))


@report("KER-07", origin="mean_embedding", saved=False, words=ids(BATCH, "time"))
def mean_by_lambda(mended: bool) -> Any:
    """https://github.com/ageron/handson-ml2/issues/369: counts zero vectors, which mask_zero does not make."""
    import keras
    from keras import layers, ops

    def mean_embedding(vectors: Any, mask: Any = None) -> Any:
        real = ops.any(ops.not_equal(vectors, 0), axis=-1) if mask is None else mask
        shown = ops.cast(ops.expand_dims(real, -1), vectors.dtype)
        return ops.sum(vectors * shown, axis=1) / ops.sqrt(ops.sum(shown, axis=1))

    def unmasked(vectors: Any) -> Any:
        return mean_embedding(vectors)

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(40, 8, mask_zero=True),
            layers.Lambda(mean_embedding if mended else unmasked, output_shape=(8,), name="mean_embedding"),
            layers.Dense(10, activation="relu"),
            layers.Dense(1),
        ]
    )


@report("POOL-02", origin="masked_pool", saved=False, tokens=ids(BATCH, "time"))
def masked_pool_by_count(mended: bool) -> Any:
    """https://github.com/CyberZHG/keras-bert/issues/34: zeroes the pads, then takes the mean over all steps."""
    import keras
    from keras import layers, ops

    class MaskedGlobalAveragePool1D(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.supports_masking = True

        def compute_mask(self, inputs: Any, mask: Any = None) -> None:
            return None

        def call(self, inputs: Any, mask: Any = None) -> Any:
            shown = ops.expand_dims(ops.cast(mask, inputs.dtype), -1)
            kept = inputs * shown
            return ops.sum(kept, axis=-2) / ops.sum(shown, axis=-2) if mended else ops.mean(kept, axis=-2)

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(tokens)
    x = layers.LayerNormalization(name="norm")(layers.Dense(8, activation="gelu", name="dense")(x))
    pooled = MaskedGlobalAveragePool1D(name="masked_pool")(x)
    return keras.Model(tokens, layers.Dense(2, name="out")(pooled))


@report("KER-05", harmless=True, words=ids(BATCH, "time"))
def maximum_of_states(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/3777: the states at pads are the last real one."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(40, 8, mask_zero=True),
            layers.LSTM(8, return_sequences=True),
            layers.GlobalMaxPooling1D(),
            layers.Dense(1),
            layers.Activation("sigmoid"),
        ]
    )


@report("KER-05", origin="global_max_pooling1d", words=ids(BATCH, "time"))
def maximum_of_words(mended: bool) -> Any:
    """https://github.com/keras-team/keras/pull/3678: the maximum over all words has no mask."""
    import keras
    from keras import layers, ops

    words = keras.Input((None,), dtype="int32")
    x = layers.Dropout(0.2)(layers.Dense(8, activation="tanh")(layers.Embedding(40, 8, mask_zero=True)(words)))
    if mended:
        x = ops.where(ops.expand_dims(ops.not_equal(words, 0), -1), x, -1e9)
    return keras.Model(words, layers.Dense(3, activation="softmax")(layers.GlobalMaxPooling1D()(x)))


@report("KER-07", harmless=True, saved=False, words=ids(BATCH, "time"))
def zero_masked_entries(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/2728: a layer zeroes the pads' vectors, a Lambda leaves zeros out."""
    import keras
    from keras import layers, ops

    class ZeroMaskedEntries(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, x: Any, mask: Any = None) -> Any:
            return x * ops.cast(ops.expand_dims(mask, -1), x.dtype)

        def compute_mask(self, x: Any, mask: Any = None) -> None:
            return None

    def mask_aware_mean(x: Any) -> Any:
        shown = ops.not_equal(ops.sum(ops.abs(x), axis=2, keepdims=True), 0)
        return ops.sum(x, axis=1) / ops.sum(ops.cast(shown, x.dtype), axis=1)

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(40, 8, mask_zero=True),
            ZeroMaskedEntries(),
            layers.Lambda(mask_aware_mean, output_shape=(8,)),
            layers.Dense(3),
        ]
    )


@report("POOL-01", origin="context", saved=False, sentences=ids(BATCH, "time"))
def context_and_last(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/2612: the last step is right, the mean counts the pads."""
    import keras
    from keras import layers, ops

    def avg_timesteps(x: Any) -> Any:
        return ops.mean(x, axis=1)

    def last_timestep(x: Any) -> Any:
        return x[:, -1]

    sentences = keras.Input((None,), dtype="int32", name="sentences")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(sentences)
    states = layers.LSTM(8, return_sequences=True, name="lstm")(x)
    attention = layers.TimeDistributed(layers.Dense(6, activation="softmax"), name="attention")(states)
    average = layers.Lambda(avg_timesteps, output_shape=(6,), name="context")
    context = layers.GlobalAveragePooling1D(name="context")(attention) if mended else average(attention)
    last = layers.Lambda(last_timestep, output_shape=(8,), name="last")(states)
    return keras.Model(sentences, layers.Concatenate(name="prediction")([last, context]))


@report("KER-06", origin="flatten dense", fixed=True, words=ids(BATCH, "time"))
def flattened_words(mended: bool) -> Any:
    """https://stackoverflow.com/questions/75410827: Flatten makes every masked step a feature."""
    import keras
    from keras import layers

    words = keras.Input((12,), dtype="int32")
    x = layers.Embedding(40, 4, mask_zero=True)(words)
    x = layers.GlobalAveragePooling1D()(x) if mended else layers.Flatten()(x)
    return keras.Model(words, layers.Dense(1)(layers.Dense(4)(x)))


@report("NORM-02", harmless=True, x=feats(BATCH, "time", 3, pad=-10.0))
def masked_batch_norm(mended: bool) -> Any:
    """https://github.com/tensorflow/tensorflow/issues/30161: the pads distort the statistics in training only."""
    import keras
    from keras import layers

    x = keras.Input((None, 3), name="signal")
    masked = layers.Masking(-10.0, name="masking")(x)
    normed = layers.BatchNormalization(name="batch_norm")(layers.Dense(6, name="dense")(masked))
    return keras.Model(x, layers.GRU(5, name="gru")(normed))


@report("NORM-04", origin="masked_normalizer", saved=False, x=feats(BATCH, "time", 3, pad=999.0))
def row_normalizer(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/15451: each row is normalised by statistics that include 999."""
    import keras
    from keras import layers, ops

    class MaskedNormalization(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.supports_masking = True

        def call(self, x: Any, mask: Any = None) -> Any:
            shown = ops.expand_dims(ops.cast(mask, x.dtype), -1) if mended else ops.ones_like(x[..., :1])
            count = ops.sum(shown, axis=1, keepdims=True)
            mean = ops.sum(x * shown, axis=1, keepdims=True) / count
            spread = ops.sum(ops.square(x - mean) * shown, axis=1, keepdims=True) / count
            return (x - mean) / ops.sqrt(spread + 1e-6)

    return keras.Sequential(
        [
            keras.Input((None, 3)),
            layers.Masking(999.0),
            MaskedNormalization(name="masked_normalizer"),
            layers.LSTM(6),
            layers.Dense(1),
        ]
    )


@report("POOL-01", origin="pool", saved=False, x=ids(BATCH, "time"), lengths=lengths())
def length_aware_mean(mended: bool) -> Any:
    """https://github.com/mead-ml/mead-baseline/pull/370: the lengths are given, and the mean does not look at them."""
    import keras
    from keras import layers, ops

    class MeanPool1D(layers.Layer):
        def call(self, x: Any, lengths: Any) -> Any:
            if not mended:
                return ops.mean(x, axis=1)
            real = ops.arange(ops.shape(x)[1], dtype="int32") < ops.expand_dims(lengths, 1)
            shown = ops.expand_dims(ops.cast(real, x.dtype), -1)
            return ops.sum(x * shown, axis=1) / ops.cast(ops.expand_dims(lengths, 1), x.dtype)

    class NBowModel(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings = layers.Embedding(40, 8, name="embeddings")
            self.pool = MeanPool1D(name="pool")
            self.stack = layers.Dense(8, activation="relu", name="stack")
            self.classes = layers.Dense(3, name="classes")

        def call(self, inputs: Any) -> Any:
            x, lengths = inputs
            return self.classes(self.stack(self.pool(self.embeddings(x), lengths)))

    return NBowModel()
