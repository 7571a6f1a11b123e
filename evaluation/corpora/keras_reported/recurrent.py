"""Recurrent models: masks that were never set, were lost on the way, or do not reach one direction."""

from __future__ import annotations

from typing import Any

from evaluation.corpora.keras_reported.registry import BATCH, feats, ids, report


@report("RNN-01", origin="lstm", x=feats(BATCH, "time", 6))
def one_hot_lstm(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/4605: padded with zeros, and no Masking layer in front of the LSTM."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((None, 6))])
    if mended:
        model.add(layers.Masking(0.0))
    model.add(layers.LSTM(8))
    model.add(layers.Dense(5, activation="softmax"))
    return model


@report("RNN-02", harmless=True, words=ids(BATCH, "time"))
def sum_tagger(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/4594: worse with padding, but the mask arrives everywhere."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(40, 8, mask_zero=True),
            layers.Bidirectional(layers.LSTM(6, return_sequences=True), merge_mode="sum"),
            layers.TimeDistributed(layers.Dense(3, activation="softmax")),
        ]
    )


@report("KER-08", origin="lstm", cause="merged", a=feats(BATCH, "time", 4), b=feats(BATCH, "time", 4))
def summed_streams(mended: bool) -> Any:
    """https://github.com/keras-team/keras/pull/2413: the sum of a masked and an unmasked stream carries no mask."""
    import keras
    from keras import layers

    a, b = keras.Input((None, 4), name="a"), keras.Input((None, 4), name="b")
    first = layers.Masking(0.0, name="masked_a")(a) if mended else a
    merged = layers.Add(name="merged")([first, layers.Masking(0.0, name="masked_b")(b)])
    x = layers.LSTM(8, name="lstm")(layers.Dense(8, activation="tanh", name="joint")(merged))
    return keras.Model([a, b], layers.Dense(2, name="out")(x))


@report("KER-09", origin="gru", cause="concatenate", a=feats(BATCH, "time", 4), b=feats(BATCH, "time", 4))
def joined_streams(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/4148: joined with an unmasked stream, every step counts as real."""
    import keras
    from keras import layers

    a, b = keras.Input((None, 4)), keras.Input((None, 4))
    masked = layers.LSTM(4, return_sequences=True)(layers.Masking()(a))
    other = layers.Masking()(b) if mended else b
    merged = layers.Concatenate(axis=-1)([masked, other])
    return keras.Model([a, b], layers.Dense(2)(layers.GRU(6)(merged)))


@report("KER-01", origin="tagger", cause="concatenate", words=ids(BATCH, "time"), tags=ids(BATCH, "time", vocab=12))
def word_and_tag(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/1070: two masked embeddings joined by an operation have no mask."""
    import keras
    from keras import layers

    words = keras.Input((None,), dtype="int32", name="words")
    tags = keras.Input((None,), dtype="int32", name="tags")
    w = layers.Embedding(40, 8, mask_zero=True, name="word_embedding")(words)
    t = layers.Embedding(12, 3, mask_zero=True, name="tag_embedding")(tags)
    both = layers.Concatenate(name="joined")([w, t]) if mended else keras.ops.concatenate([w, t], axis=-1)
    x = layers.Bidirectional(layers.GRU(6, return_sequences=True), name="tagger")(both)
    return keras.Model([words, tags], layers.Dense(4, activation="softmax", name="entity")(x))


@report(
    "KER-09",
    origin="lstm_1",
    cause="concatenate",
    fixed=True,
    text=ids(BATCH, "time"),
    title=ids(BATCH, "other"),
)
def repeated_title(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/3138: a title without a mask beside the words."""
    import keras
    from keras import layers

    text, title = keras.Input((12,), dtype="int32"), keras.Input((None,), dtype="int32")
    shared = layers.Embedding(40, 8, mask_zero=True)
    encoded = layers.RepeatVector(12)(layers.LSTM(5)(shared(title)))
    real = keras.ops.not_equal(text, 0) if mended else None
    x = layers.LSTM(8)(layers.concatenate([encoded, shared(text)]), mask=real)
    return keras.Model([text, title], layers.Dense(1, activation="sigmoid")(x))


@report("RNN-09", origin="backward merged", words=ids(BATCH, "time"))
def backward_not_turned(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/6022: the output of a backward layer begins with the pads' steps."""
    import keras
    from keras import layers

    words = keras.Input((None,), dtype="int32", name="words")
    x = layers.Embedding(40, 8, mask_zero=True, name="embedding")(words)
    forward = layers.LSTM(6, return_sequences=True, name="forward")(x)
    backward = layers.LSTM(6, return_sequences=True, go_backwards=True, name="backward")(x)
    if mended:
        backward = keras.ops.flip(backward, axis=1)
    both = layers.Concatenate(name="merged")([forward, backward])
    return keras.Model(words, layers.TimeDistributed(layers.Dense(4), name="tags")(both))


@report("RNN-10", origin="rnn", left=True, x=feats(BATCH, "time", 5))
def biases_in_front(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/1300: zeros in front still move the state, by the biases."""
    import keras
    from keras import layers

    model = keras.Sequential([keras.Input((None, 5))])
    if mended:
        model.add(layers.Masking())
    model.add(layers.RNN([layers.SimpleRNNCell(6), layers.GRUCell(6)], return_sequences=True))
    model.add(layers.Dense(2))
    return model


@report("RNN-10", harmless=True, left=True, x=feats(BATCH, "time", 3, pad=-100.0))
def elu_steps(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/10763: a network at each step; Keras 3 is right."""
    import keras
    from keras import layers

    x = keras.Input((None, 3))
    inner = keras.Sequential([keras.Input((3,)), layers.Dense(5), layers.Activation("elu")])
    hidden = layers.TimeDistributed(inner)(layers.Masking(mask_value=-100.0)(x))
    return keras.Model(x, layers.LSTM(6)(hidden))


@report("KER-03", harmless=True, x=feats(BATCH, "time", 4, pad=-1.0))
def repeated_code(mended: bool) -> Any:
    """https://github.com/rstudio/keras3/issues/1191: RepeatVector drops the mask behind an encoder that has used it."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((None, 4)),
            layers.Masking(-1.0, name="masking"),
            layers.LSTM(10, return_sequences=True, name="encoder_1"),
            layers.LSTM(5, name="encoder_2"),
            layers.RepeatVector(8, name="bottleneck"),
            layers.LSTM(10, return_sequences=True, name="decoder"),
            layers.TimeDistributed(layers.Dense(4), name="reconstruction"),
        ]
    )


@report("RNN-13", origin="document", words=ids(BATCH, "time", "other"))
def empty_sentences(mended: bool) -> Any:
    """https://github.com/keras-team/keras/issues/5212: words are masked within sentences, empty sentences are not."""
    import keras
    from keras import layers

    sentence = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            layers.Embedding(40, 8, mask_zero=True, name="word_vectors"),
            layers.GRU(6, name="sentence"),
        ]
    )
    words = keras.Input((None, None), dtype="int32", name="words")
    sentences = layers.TimeDistributed(sentence, name="sentences")(words)
    real = keras.ops.any(keras.ops.not_equal(words, 0), axis=-1) if mended else None
    document = layers.GRU(6, name="document")(sentences, mask=real)
    return keras.Model(words, layers.Dense(3, name="scores")(document))


@report("RNN-02", origin="char_encoder char_lstm", characters=ids(BATCH, "time", "other", vocab=20))
def delft_characters(mended: bool) -> Any:
    """https://github.com/kermitt2/delft/pull/231: the character encoder runs through the pads of each word."""
    import keras
    from keras import layers

    characters = keras.Input((None, None), dtype="int32", name="characters")
    embedded = layers.Embedding(20, 6, mask_zero=mended, name="char_embedding")(characters)
    encoder = layers.Bidirectional(layers.LSTM(5), name="char_lstm")
    x = layers.TimeDistributed(encoder, name="char_encoder")(embedded)
    real = keras.ops.any(keras.ops.not_equal(characters, 0), axis=-1)
    x = layers.Bidirectional(layers.LSTM(6, return_sequences=True), name="word_lstm")(x, mask=real)
    return keras.Model(characters, layers.Dense(4, name="labels")(x))


@report("RNN-02", origin="bilstm crf", saved=False, x=feats(BATCH, "time", 6))
def embedded_outside(mended: bool) -> Any:
    """https://github.com/keras-team/keras-contrib/issues/132: vectors without Masking, to a BiLSTM and a CRF."""
    import keras
    from keras import layers, ops

    class Messages(layers.Layer):
        """One step of a chain's forward algorithm."""

        def __init__(self, tags: int) -> None:
            super().__init__()
            self.tags = self.state_size = self.output_size = tags

        def build(self, shape: Any) -> None:
            self.chain = self.add_weight(name="chain", shape=(self.tags, self.tags), initializer="glorot_uniform")

        def call(self, emission: Any, states: Any) -> Any:
            reached = ops.logsumexp(ops.expand_dims(states[0], -1) + self.chain, axis=1) + emission
            return reached, [reached]

    x = keras.Input((None, 6), name="x")
    masked = layers.Masking(0.0, name="masking")(x) if mended else x
    hidden = layers.Bidirectional(layers.LSTM(5, return_sequences=True), name="bilstm")(masked)
    emissions = layers.Dense(4, name="emissions")(hidden)
    return keras.Model(x, layers.RNN(Messages(4), name="crf")(emissions))
