"""Runs the rules' Keras snippets in a process of its own, for TensorFlow and torch must not meet in one.

``python -m tests.unit.rules.snippet_keras`` prints what `differences` returns, as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.loaders.keras_child import ROOT

RULES = {"MC706": ("inputs", "mask"), "MC944": ("ids",)}
"""The rules whose snippets are Keras, and the inputs of the models that the snippets build."""


def ask() -> dict[str, dict[str, float]]:
    """Return what `differences` returns in a child process."""
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.unit.rules.snippet_keras"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    return found


def differences() -> dict[str, dict[str, float]]:
    """Return how far padding moves the answer of each Keras rule's leaky and mended snippet."""
    from maskcheck.rules import rule

    return {
        code: {kind: _difference(getattr(rule(code), kind), reads) for kind in ("leaky", "mended")}
        for code, reads in RULES.items()
    }


def _difference(snippet: str, reads: tuple[str, ...]) -> float:
    import keras
    import numpy as np

    keras.config.set_floatx("float64")
    keras.utils.set_random_seed(0)
    names = _names()
    exec(compile(snippet, "<snippet>", "exec"), names)
    model = keras.Model([names[name] for name in reads], names["x"])
    bare, padded = (np.asarray(model([batch[name] for name in reads])) for batch in (_batch(0), _batch(3)))
    return float(np.abs(bare - padded).max())


def _names() -> dict[str, Any]:
    import keras
    import numpy as np

    return {
        "layers": keras.layers,
        "attention": keras.layers.MultiHeadAttention(2, 4),
        "inputs": keras.Input((None, 4)),
        "mask": keras.Input((None,), dtype="bool"),
        "ids": keras.Input((None,), dtype="int64"),
        "mean": np.ones(4),
        "variance": np.full(4, 4.0),
        "units": 5,
        "vocabulary": 20,
        "width": 8,
    }


def _batch(pads: int) -> dict[str, Any]:
    import numpy as np

    generator = np.random.default_rng(0)
    rows = {
        "inputs": 1.0 + generator.normal(size=(2, 7, 4)),
        "mask": np.ones((2, 7), bool),
        "ids": generator.integers(1, 20, size=(2, 7)),
    }
    return {name: np.pad(row, [(0, 0), (0, pads), (0, 0)][: row.ndim]) for name, row in rows.items()}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(differences()) + "\n")
