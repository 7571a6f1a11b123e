"""Attention over one sequence, by layers of Keras and by layers of one's own."""

from __future__ import annotations

from typing import Any

from evaluation.corpora.keras_reported.registry import BATCH, feats, ids, mask, report


@report("ATT-31", origin="attention", saved=False, words=ids(BATCH, "time"))
def attention_on_top(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/4962: takes the mask and does not look at it."""
    import keras
    from keras import layers, ops

    class Attention(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.supports_masking = True

        def build(self, shape: Any) -> None:
            self.w = self.add_weight(name="w", shape=(shape[-1],), initializer="ones")

        def call(self, x: Any, mask: Any = None) -> Any:
            a = ops.exp(ops.tanh(ops.sum(x * self.w, axis=-1)))
            if mended:
                a = a * ops.cast(mask, a.dtype)
            a = a / (ops.sum(a, axis=1, keepdims=True) + 1e-7)
            return ops.sum(x * ops.expand_dims(a, -1), axis=1)

        def compute_mask(self, x: Any, mask: Any = None) -> None:
            return None

    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(words)
    states = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="bilstm")(x)
    return keras.Model(words, layers.Dense(3, activation="softmax", name="out")(Attention(name="attention")(states)))


@report("POOL-09", origin="softmax", words=ids(BATCH, "time"))
def attention_from_layers(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/4962: Dense(1), Flatten and a softmax over all steps."""
    import keras
    from keras import layers, ops

    words = keras.Input((None,), dtype="int32")
    states = layers.LSTM(8, return_sequences=True)(layers.Embedding(40, 8, mask_zero=True)(words))
    scores = layers.Dense(1, activation="tanh")(states)
    scores = layers.Reshape((-1,), name="flat")(scores)
    if mended:
        scores = ops.where(ops.not_equal(words, 0), scores, -1e9)
    weights = layers.Activation("softmax", name="softmax")(scores)
    pooled = layers.Dot(axes=(1, 1))([weights, states])
    return keras.Model(words, layers.Dense(3)(pooled))


@report("ATT-02", origin="mha", tokens=ids(BATCH, "time"))
def tutorial_mask(mended: bool) -> Any:
    """https://github.com/tensorflow/text/issues/938: the tutorial's mask is 1 at pads, Keras wants 1 at words."""
    import keras
    from keras import layers, ops

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    compared = ops.not_equal if mended else ops.equal
    padding_mask = ops.expand_dims(compared(tokens, 0), 1)
    x = layers.Embedding(40, 8, name="embedding")(tokens)
    attended = layers.MultiHeadAttention(2, 4, name="mha")(x, x, attention_mask=padding_mask)
    x = layers.LayerNormalization(name="norm_1")(x + attended)
    x = layers.LayerNormalization(name="norm_2")(x + layers.Dense(8, activation="relu", name="ffn")(x))
    return keras.Model(tokens, layers.Dense(40, name="final_layer")(x))


@report(
    "ATT-01",
    origin="attention global_average_pooling1d",
    cause="token_and_position",
    saved=False,
    tokens=ids(BATCH, "time"),
)
def token_and_position(mended: bool) -> Any:
    """https://github.com/keras-team/keras-hub/issues/138: the layer of both embeddings hands no mask on."""
    import keras
    from keras import layers, ops

    class TokenAndPositionEmbedding(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.token = layers.Embedding(40, 8, mask_zero=True)
            self.position = layers.Embedding(32, 8)

        def call(self, x: Any) -> Any:
            return self.token(x) + self.position(ops.arange(ops.shape(x)[-1]))

        def compute_mask(self, x: Any, mask: Any = None) -> Any:
            return self.token.compute_mask(x) if mended else None

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = TokenAndPositionEmbedding(name="token_and_position")(tokens)
    attended = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    real = ops.not_equal(tokens, 0) if mended else None
    x = layers.LayerNormalization(epsilon=1e-6, name="norm")(layers.Add(name="residual")([x, attended]))
    pooled = layers.GlobalAveragePooling1D()(x, mask=real)
    return keras.Model(tokens, layers.Dense(2, activation="softmax", name="out")(pooled))


@report("KER-02", origin="pool", cause="add", tokens=ids(BATCH, "time"))
def residual_by_plus(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/16248: attention has the mask, the sum and the mean do not."""
    import keras
    from keras import layers, ops

    tokens = keras.Input((None,), dtype="int32", name="tokens")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(tokens)
    x = x + layers.MultiHeadAttention(2, 4, name="self_attention")(x, x)
    x = layers.LayerNormalization(name="norm")(x)
    real = ops.not_equal(tokens, 0) if mended else None
    pooled = layers.GlobalAveragePooling1D(name="pool")(x, mask=real)
    return keras.Model(tokens, layers.Dense(1, activation="sigmoid", name="out")(pooled))


@report("KER-18", harmless=True, x=feats(BATCH, "time", 4))
def attention_warns(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/20455: the inner layers warn of a lost mask, which is not lost."""
    import keras
    from keras import layers

    x = keras.Input((None, 4))
    masked = layers.Masking()(x)
    attended = layers.MultiHeadAttention(num_heads=2, key_dim=3)(masked, masked)
    return keras.Model(x, layers.GlobalAveragePooling1D()(attended))


@report("KER-18", harmless=True, words=ids(BATCH, "time"))
def three_masks(mended: bool) -> Any:
    """https://github.com/tensorflow/tensorflow/issues/41294: query, value and key by three layers with masks."""
    import keras
    from keras import layers

    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(words)
    query, value, key = (layers.Dense(8, name=name)(x) for name in ("query", "value", "key"))
    attended = layers.Attention(name="attention")([query, value, key])
    return keras.Model(words, layers.GlobalAveragePooling1D(name="average")(attended))


@report("ATT-01", origin="apply_mha", saved=False, words=ids(BATCH, "time"))
def attention_in_a_function(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/17655: inside a tf.function the tensor carries no mask."""
    import keras
    import tensorflow as tf
    from keras import layers, ops

    class ApplyMHA(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.mha = layers.MultiHeadAttention(2, 4)
            self.supports_masking = True

        def build(self, shape: Any) -> None:
            self.mha.build(shape, shape)

        def call(self, x: Any, mask: Any = None) -> Any:
            given = ops.expand_dims(mask, 1) if mended else None
            attend = tf.function(lambda x: self.mha(query=x, key=x, value=x, attention_mask=given))
            return attend(x)

    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(words)
    return keras.Model(words, layers.Dense(4, name="tags")(ApplyMHA(name="apply_mha")(x)))


@report("KER-06", origin="attention_vec", fixed=True, x=feats(BATCH, "time", 4))
def attention_3d_block(mended: bool) -> Any:
    """https://github.com/philipperemy/keras-attention/issues/24: a Dense layer along time weighs pads too."""
    import keras
    from keras import layers, ops

    x = keras.Input((12, 4), name="x")
    masked = layers.Masking(name="masking")(x)
    states = layers.LSTM(6, return_sequences=True, name="lstm")(masked)
    if mended:
        real = ops.any(ops.not_equal(x, 0.0), axis=-1, keepdims=True)
        a = ops.where(real, layers.Dense(6, name="attention_vec")(states), -1e9)
        a = layers.Softmax(axis=1, name="attention_probs")(a)
    else:
        a = layers.Permute((2, 1), name="steps_last")(states)
        a = layers.Dense(12, activation="softmax", name="attention_vec")(a)
        a = layers.Permute((2, 1), name="attention_probs")(a)
    pooled = ops.sum(layers.Multiply(name="attention_mul")([states, a]), axis=1)
    return keras.Model(x, layers.Dense(1, activation="sigmoid", name="out")(pooled))


@report("ATT-09", origin="attention", x=feats(BATCH, "time", 6), padding=mask(BATCH, "time"))
def query_axis_mask(mended: bool) -> Any:
    """https://github.com/tensorflow/tensorflow/issues/49237: a mask of shape (B, T, S), laid along T."""
    import keras
    from keras import layers, ops

    x = keras.Input((None, 6), name="x")
    padding = keras.Input((None,), dtype="bool", name="padding")
    laid = ops.expand_dims(padding, 1 if mended else 2)
    over_both = ops.logical_and(laid, ops.ones_like(ops.expand_dims(padding, 2 if mended else 1)))
    attended = layers.MultiHeadAttention(2, 4, name="attention")(x, x, attention_mask=over_both)
    normed = layers.LayerNormalization(name="norm")(layers.Add(name="residual")([x, attended]))
    return keras.Model([x, padding], layers.Dense(2, name="out")(normed))
