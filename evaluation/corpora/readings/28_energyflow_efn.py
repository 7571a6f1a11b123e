"""Energy flow network: zero-padded particles cancelled by their zero momentum fraction, no mask anywhere."""
import os
import tempfile
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

ADDRESS = "https://github.com/thaler-lab/EnergyFlow/issues/21"
STORY = ("'Energyflow without zero padding': the author explains that zero padding of events is an implementation detail with no bearing on the network. "
         "zs (n, particles) are momentum fractions and phats (n, particles, 2) angles, both padded with zeros; the latent is sum_i z_i * Phi(p_i), so the biases of Phi on padded particles are multiplied by zero.")
LEAKY = False
PLACE = None
CAUSE = "padded particles have weight z = 0 in the energy-weighted sum"
FORMAT = "keras"


def _model():
    import keras
    from keras import layers
    keras.utils.set_random_seed(28)
    zs = layers.Input((None,), name="zs")
    phats = layers.Input((None, 2), name="phats")
    x = phats
    for i, n in enumerate((16, 16, 12)):
        x = layers.TimeDistributed(layers.Dense(n, activation="relu", bias_initializer="random_uniform"), name=f"tdist_{i}")(x)
    x = layers.Dot(axes=1, name="sum")([zs, x])
    for i, n in enumerate((16, 12)):
        x = layers.Dense(n, activation="relu", name=f"dense_{i}")(x)
    out = layers.Dense(2, name="output", bias_initializer="random_uniform")(x)
    return keras.Model([zs, phats], out, name="EFN")


def build(folder):
    path = os.path.join(folder, "efn.keras")
    _model().save(path)
    return path


def _row(n, rng):
    z = rng.dirichlet(np.ones(n)).astype(np.float32)
    return z, rng.uniform(-1, 1, (n, 2)).astype(np.float32)


def _batch(rows, T):
    z, p = np.zeros((len(rows), T), np.float32), np.zeros((len(rows), T, 2), np.float32)
    for i, (a, b) in enumerate(rows):
        z[i, :len(a)], p[i, :len(a)] = a, b
    return {"zs": z, "phats": p}


def truth():
    import keras
    with tempfile.TemporaryDirectory() as folder:
        m = keras.saving.load_model(build(folder))
    rng = np.random.default_rng(5)
    run = lambda b: np.asarray(m(b, training=False))
    worst, refs = 0.0, []
    for n in (3, 8, 20, 5, 12):
        row = _row(n, rng)
        ref = run(_batch([row], n))[0]
        refs.append(ref)
        for extra in (1, 9, 40):
            out = run(_batch([row, _row(n + extra, rng)], n + extra))[0]
            worst = max(worst, float(np.abs(out - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
