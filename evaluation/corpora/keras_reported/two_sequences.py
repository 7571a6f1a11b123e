"""Two sequences: comparing, translating, attending from one to the other."""

from __future__ import annotations

from typing import Any

from evaluation.corpora.keras_reported.registry import BATCH, feats, ids, report


@report(
    "RNN-02", origin="bidirectional bidirectional_1", first=feats(BATCH, "time", 5), second=feats(BATCH, "other", 5)
)
def siamese_manhattan(mended: bool) -> Any:
    """https://github.com/LuJunru/Sentences_Pair_Similarity_Calculation_Siamese_LSTM/issues/5: no Masking."""
    import keras
    from keras import layers, ops

    encoder = keras.Sequential([keras.Input((None, 5))])
    if mended:
        encoder.add(layers.Masking())
    encoder.add(layers.Bidirectional(layers.LSTM(5, return_sequences=True)))
    encoder.add(layers.Bidirectional(layers.LSTM(5)))
    first, second = keras.Input((None, 5)), keras.Input((None, 5))
    distance = ops.sum(ops.abs(encoder(first) - encoder(second)), axis=1, keepdims=True)
    return keras.Model([first, second], ops.exp(-distance))


@report("ATT-19", origin="attention_weights", source=ids(BATCH, "time"), target=ids(BATCH, "other"))
def translation_attention(mended: bool) -> Any:
    """https://github.com/tensorflow/docs/pull/1610: zeros behind the source get weights in the decoder's attention."""
    import keras
    from keras import layers, ops

    source = keras.Input((None,), dtype="int32", name="source")
    target = keras.Input((None,), dtype="int32", name="target")
    x = layers.Embedding(40, 8, mask_zero=True, name="source_embedding")(source)
    encoded, state = layers.GRU(8, return_sequences=True, return_state=True, name="encoder")(x)
    y = layers.Embedding(40, 8, mask_zero=True, name="target_embedding")(target)
    decoded = layers.GRU(8, return_sequences=True, name="decoder")(y, initial_state=state)
    scores = layers.Dot(axes=(2, 2), name="scores")([decoded, encoded])
    if mended:
        scores = ops.where(ops.expand_dims(ops.not_equal(source, 0), 1), scores, -1e9)
    weights = layers.Activation("softmax", name="attention_weights")(scores)
    context = layers.Dot(axes=(2, 1), name="context")([weights, encoded])
    joined = layers.Concatenate(name="joined")([decoded, context])
    return keras.Model([source, target], layers.Dense(40, name="word")(joined))


@report("ATT-31", origin="attention_layer", saved=False, source=ids(BATCH, "time"), target=ids(BATCH, "other"))
def attention_keras(mended: bool) -> Any:
    """https://github.com/thushv89/attention_keras/issues/8: additive attention of a layer that takes no mask."""
    import keras
    from keras import layers, ops

    class AttentionLayer(layers.Layer):
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.w, self.u, self.v = layers.Dense(6), layers.Dense(6), layers.Dense(1)

        def call(self, encoded: Any, decoded: Any, shown: Any) -> Any:
            pairs = ops.tanh(ops.expand_dims(self.w(encoded), 1) + ops.expand_dims(self.u(decoded), 2))
            energy = ops.squeeze(self.v(pairs), -1)
            if mended:
                energy = ops.where(ops.expand_dims(shown, 1), energy, -1e9)
            return ops.matmul(ops.softmax(energy, axis=-1), encoded)

    class Translator(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.source_embedding = layers.Embedding(40, 6, mask_zero=True, name="source_embedding")
            self.target_embedding = layers.Embedding(40, 6, name="target_embedding")
            self.encoder = layers.GRU(8, return_sequences=True, return_state=True, name="encoder")
            self.decoder = layers.GRU(8, return_sequences=True, name="decoder")
            self.attention = AttentionLayer(name="attention_layer")
            self.word = layers.Dense(40, activation="softmax", name="word")

        def call(self, inputs: Any) -> Any:
            source, target = inputs
            encoded, state = self.encoder(self.source_embedding(source))
            decoded = self.decoder(self.target_embedding(target), initial_state=state)
            context = self.attention(encoded, decoded, ops.not_equal(source, 0))
            return self.word(ops.concatenate([decoded, context], axis=-1))

    return Translator()


@report("ATT-19+POOL-01", origin="align pool", first=ids(BATCH, "time"), second=ids(BATCH, "other"))
def aligned_documents(mended: bool) -> Any:
    """https://github.com/sujitpal/eeap-examples/issues/2: weights and means by the padded length of both documents."""
    import keras
    from keras import layers, ops

    first = keras.Input((None,), dtype="int32", name="first")
    second = keras.Input((None,), dtype="int32", name="second")
    embed = layers.Embedding(40, 8, name="embedding")
    a, b = embed(first), embed(second)
    scores = layers.Dot(axes=(2, 2), name="similarity")([a, b])
    if mended:
        scores = ops.where(ops.expand_dims(ops.not_equal(second, 0), 1), scores, -1e9)
    aligned = layers.Dot(axes=(2, 1), name="aligned")([layers.Softmax(name="align")(scores), b])
    compared = layers.Dense(6, activation="relu", name="compare")(layers.Concatenate(name="both")([a, aligned]))
    real = ops.not_equal(first, 0) if mended else None
    pooled = layers.GlobalAveragePooling1D(name="pool")(compared, mask=real)
    return keras.Model([first, second], layers.Dense(2, name="out")(pooled))


@report("KER-11", origin="cross_attention", cause="projected", question=ids(BATCH, "time"), passage=ids(BATCH, "other"))
def value_without_mask(mended: bool) -> Any:
    """https://github.com/keras-team/keras/pull/15390: the query's mask arrives, the value has lost its own."""
    import keras
    from keras import layers

    question = keras.Input((None,), dtype="int32", name="question")
    passage = keras.Input((None,), dtype="int32", name="passage")
    embed = layers.Embedding(40, 8, mask_zero=True, name="embedding")
    q, p = embed(question), embed(passage)
    if mended:
        value = layers.Dense(8, activation="relu", name="projected")(p)
    else:
        value = layers.Conv1D(8, 1, activation="relu", name="projected")(p)
    attended = layers.MultiHeadAttention(2, 4, name="cross_attention")(q, value)
    return keras.Model([question, passage], layers.GlobalAveragePooling1D(name="pool")(attended))
