"""One Keras model in four forms gives one verdict and one cause: .keras, .h5, SavedModel, and ONNX from torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import maskcheck

pytest.importorskip("keras")
pytest.importorskip("torch")
pytestmark = pytest.mark.slow
ROOT = Path(maskcheck.__file__).parent.parent

MODELS = """
import os, sys, json
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
from keras import layers
folder = sys.argv[1]

def embedded(length, masked):
    ids = keras.Input((length,), dtype="int32", name="ids")
    return ids, layers.Embedding(30, 6, mask_zero=masked)(ids)

def built(name):
    keras.utils.set_random_seed(0)
    ids, x = embedded(12 if name == "flatten" else None, name in ("masked mean", "convolution"))
    if name == "flatten":
        x = layers.Flatten()(x)
    elif name == "convolution":
        x = layers.Conv1D(6, 3, padding="same")(x)
    else:
        x = layers.GlobalAveragePooling1D()(x)
    return keras.Model(ids, layers.Dense(2)(x))

NAMES = ("flatten", "plain mean", "masked mean", "convolution")
"""

SAVE = """
import maskcheck
found = {}
for name in NAMES:
    model = built(name)
    model.save(f"{folder}/{name}.keras")
    model.save(f"{folder}/{name}.h5")
    model.export(f"{folder}/{name}", verbose=False)
    for path in (f"{name}.keras", f"{name}.h5", name):
        report = maskcheck.audit(f"{folder}/{path}", trust=True, samples=2).model
        errors = [(f.rule, f.site.operator if f.site else None) for f in report.findings if f.severity == "error"]
        found[path] = [report.outcome.value, errors]
print("RESULT" + json.dumps(found))
"""

EXPORT = """
import numpy as np
for name in NAMES:
    model = keras.saving.load_model(f"{folder}/{name}.keras", compile=False)
    model(np.ones((2, 12), "int32"))
    model.export(f"{folder}/{name}.onnx", format="onnx", verbose=False)
"""

WANTED = {
    "flatten": ("leaky", "MC704"),
    "plain mean": ("leaky", "MC101"),
    "masked mean": ("clean", None),
    "convolution": ("leaky", "MC401"),
}


def child(text: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", MODELS + text, str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=400,
        env={**os.environ, **environment},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("forms")
    lines = child(SAVE, folder, KERAS_BACKEND="tensorflow").splitlines()
    result: dict[str, Any] = json.loads(next(x for x in lines if x.startswith("RESULT")).removeprefix("RESULT"))
    child(EXPORT, folder, KERAS_BACKEND="torch")
    for name in WANTED:
        report = maskcheck.audit(folder / f"{name}.onnx", samples=2).model
        errors = [(f.rule, f.site.operator if f.site else None) for f in report.findings if f.severity == "error"]
        result[f"{name}.onnx"] = [report.outcome.value, errors]
    return result


@pytest.mark.parametrize("name", WANTED)
@pytest.mark.parametrize("ending", [".keras", ".h5", "", ".onnx"], ids=["keras", "h5", "saved model", "onnx"])
def test_all_forms_agree(found: dict[str, Any], name: str, ending: str) -> None:
    outcome, errors = found[name + ending]
    assert (outcome, errors[0][0] if errors else None) == WANTED[name]
    assert len(errors) <= 1


@pytest.mark.parametrize("name", ["flatten", "plain mean", "convolution"])
def test_a_saved_model_names_an_operator_inside(found: dict[str, Any], name: str) -> None:
    _, errors = found[name]
    assert errors[0][1] == {"flatten": "MatMul", "plain mean": "Mean", "convolution": "Conv2D"}[name]
