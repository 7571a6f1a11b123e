"""Keras: Masking(-999) in front of Conv1D blocks and a recurrent head."""
import os
import tempfile
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

ADDRESS = "https://github.com/keras-team/keras/issues/411"
STORY = ("Users put Masking in front of Conv1D and recurrent layers (mask_value=-99999.99 in the thread) and find that Conv1D does not support masking. "
         "Sensor sequences (n, T, 6) are padded at the end with -999 on all channels; two Conv1D 'same' layers, then a bidirectional GRU whose last states give the regression.")
LEAKY = True
PLACE = "conv1d"
CAUSE = "Conv1D ignores / drops the mask: padded steps become bias values read by later layers"
FORMAT = "keras"


def _model():
    import keras
    from keras import layers
    keras.utils.set_random_seed(29)
    inputs = layers.Input((None, 6), name="sensor")
    x = layers.Masking(mask_value=-999.0, name="masking")(inputs)
    x = layers.Conv1D(12, 5, padding="same", activation="relu", bias_initializer="random_uniform", name="conv1d")(x)
    x = layers.Conv1D(12, 5, padding="same", activation="relu", bias_initializer="random_uniform", name="conv1d_1")(x)
    x = layers.Bidirectional(layers.GRU(10, bias_initializer="random_uniform"), name="bigru")(x)
    x = layers.Dense(8, activation="tanh", name="dense")(x)
    out = layers.Dense(1, name="rul")(x)
    return keras.Model(inputs, out, name="masked_cnn_gru")


def build(folder):
    path = os.path.join(folder, "cnn_gru.keras")
    _model().save(path)
    return path


def truth():
    import keras
    with tempfile.TemporaryDirectory() as folder:
        m = keras.saving.load_model(build(folder))
    rng = np.random.default_rng(5)
    run = lambda x: np.asarray(m(x, training=False))
    worst, refs = 0.0, []
    for n in (8, 15, 24, 11, 30):
        row = rng.standard_normal((1, n, 6)).astype(np.float32)
        ref = run(row)[0]
        refs.append(ref)
        for extra in (2, 9, 40):
            x = np.concatenate([np.pad(row, ((0, 0), (0, extra), (0, 0)), constant_values=-999.0),
                                rng.standard_normal((1, n + extra, 6)).astype(np.float32)])
            worst = max(worst, float(np.abs(run(x)[0] - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
