"""What an audit of a Keras file costs against its floor: import Keras, load the file, run the same batches.

``python -m benchmarks.keras_cost`` lets audit and floor alternate, each in a process of its own, and prints their
ratios; seconds are for orientation. ``--depths`` are those of transformer encoders.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def build(name: str, path: Path) -> None:
    """Save a model that masks its padding: an LSTM, or an encoder of as many layers as its name says."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.Embedding(1000, 64, mask_zero=True)(ids)
    if name == "lstm":
        x = layers.LSTM(64)(x)
    else:
        mask = keras.ops.expand_dims(keras.ops.not_equal(ids, 0), 1)
        for _ in range(int(name)):
            x = layers.LayerNormalization()(x + layers.MultiHeadAttention(4, 16)(x, x, attention_mask=mask))
            x = layers.LayerNormalization()(x + layers.Dense(64)(layers.Dense(256, activation="gelu")(x)))
        x = x[:, 0]
    keras.Model(ids, layers.Dense(3)(x)).save(path)


def audited(path: Path, batches: Path) -> None:
    """Audit the file, keeping the batches that its model ran, those of traces included."""
    from maskcheck import audit
    from maskcheck.loaders.keras.model import KerasModel

    calls: list[np.ndarray] = []
    original = KerasModel._fed

    def kept(self: KerasModel, feeds):  # type: ignore[no-untyped-def]
        calls.append(np.asarray(feeds["ids"], "int32"))
        return original(self, feeds)

    KerasModel._fed = kept  # type: ignore[method-assign]
    report = audit(path).model
    print(report.outcome.value)
    np.savez(batches, *calls)


def floor(path: Path, batches: Path) -> None:
    import keras

    model = keras.saving.load_model(path, compile=False)
    with np.load(batches) as calls:
        for call in calls.values():
            model(keras.ops.convert_to_tensor(call), training=False)


def timed(what: str, path: Path, batches: Path) -> tuple[float, str]:
    """Seconds of a process of its own, and what it printed last."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "benchmarks.keras_cost", "--child", what, str(path), str(batches)]
    started = time.perf_counter()
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    return time.perf_counter() - started, (done.stdout.split() or [""])[-1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--depths", type=int, nargs="*", default=[3, 6, 12, 24])
    parser.add_argument("--models", nargs="*", default=["lstm"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", nargs=3)
    options = parser.parse_args()
    if options.child:
        what, path, batches = options.child
        {"audit": audited, "floor": floor}[what](Path(path), Path(batches))
        return
    for name in (*options.models, *map(str, options.depths)):
        with tempfile.TemporaryDirectory() as folder:
            path, batches = Path(folder) / "model.keras", Path(folder) / "batches.npz"
            build(name, path)
            measured = [(timed("audit", path, batches), timed("floor", path, batches)) for _ in range(options.rounds)]
            with np.load(batches) as calls:
                forwards = len(calls.files)
        ratios = [a[0] / f[0] for a, f in measured]
        audit_s = statistics.median(a[0] for a, _ in measured)
        floor_s = statistics.median(f[0] for _, f in measured)
        print(
            f"{name}: {measured[0][0][1]}, {forwards} forwards, audit {audit_s:.1f} s, floor {floor_s:.1f} s, ratio "
            f"{statistics.median(ratios):.2f} [{min(ratios):.2f} - {max(ratios):.2f}]",
            flush=True,
        )


if __name__ == "__main__":
    main()
