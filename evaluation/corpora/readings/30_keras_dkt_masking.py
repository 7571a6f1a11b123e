"""Keras DKT: pre-padded with -1 on every feature, Masking(-1) then LSTM and TimeDistributed."""
import os
import tempfile
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

ADDRESS = "https://github.com/lccasagrande/Deep-Knowledge-Tracing/issues/16"
STORY = ("In this DKT the steps of short students hold -1 in every feature and a Masking(mask_value=-1) layer hides them; the issue is about metrics computed on them. "
         "Inputs (students, steps, 24) are one-hot of 12 skills x right/wrong; keras pad_sequences puts the -1 steps in FRONT (pre), answers are the skill probabilities at the real steps.")
LEAKY = False
PLACE = None
CAUSE = "masked steps leave the zero LSTM state untouched, so the first real step starts fresh"
FORMAT = "keras"


def _model():
    import keras
    from keras import layers
    keras.utils.set_random_seed(30)
    inputs = layers.Input((None, 24), name="inputs")
    x = layers.Masking(mask_value=-1.0)(inputs)
    x = layers.LSTM(16, return_sequences=True, bias_initializer="random_uniform", kernel_initializer="random_normal")(x)
    x = layers.LSTM(12, return_sequences=True, kernel_initializer=keras.initializers.RandomNormal(stddev=0.8))(x)
    out = layers.TimeDistributed(layers.Dense(12, activation="sigmoid", kernel_initializer=keras.initializers.RandomNormal(stddev=1.5)), name="outputs")(x)
    return keras.Model(inputs, out, name="DKTModel")


def build(folder):
    path = os.path.join(folder, "dkt.keras")
    _model().save(path)
    return path


def _row(n, rng):
    return np.eye(24, dtype=np.float32)[rng.integers(0, 24, n)]


def _batch(rows, T):
    x = np.full((len(rows), T, 24), -1, np.float32)
    for i, r in enumerate(rows):
        x[i, T - len(r):] = r
    return x


def truth():
    import keras
    with tempfile.TemporaryDirectory() as folder:
        m = keras.saving.load_model(build(folder))
    rng = np.random.default_rng(5)
    run = lambda x: np.asarray(m(x, training=False))
    worst, refs = 0.0, []
    for n in (4, 9, 17):
        row = _row(n, rng)
        ref = run(_batch([row], n))[0]
        refs.append(ref.ravel())
        for extra in (1, 8, 33):
            out = run(_batch([row, _row(n + extra, rng)], n + extra))[0, extra:]
            worst = max(worst, float(np.abs(out - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
