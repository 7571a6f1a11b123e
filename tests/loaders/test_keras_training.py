"""``--training`` for compiled Keras models, in one process that holds TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import maskcheck

pytest.importorskip("keras")
pytestmark = pytest.mark.slow
ROOT = Path(maskcheck.__file__).parent.parent

CHILD = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, maskcheck
from keras import layers, ops

def tagger(lose=False, loss="sparse_categorical_crossentropy", out=4, activation="softmax", metric="accuracy"):
    keras.utils.set_random_seed(0)
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.Embedding(40, 8, mask_zero=True)(ids)
    x = layers.LSTM(8, return_sequences=True, dropout=0.2)(x)
    x = layers.BatchNormalization()(x)
    x = x * 2.0 if lose else x
    model = keras.Model(ids, layers.Dense(out, activation=activation)(x))
    model.compile("adam", loss, weighted_metrics=[metric])
    return model

def losses(y, p):
    return keras.losses.sparse_categorical_crossentropy(y, p), ops.cast(ops.not_equal(y, 0), "float32")

def real_steps(y, p):
    per_step, mask = losses(y, p)
    return ops.sum(per_step * mask) / ops.sum(mask)

def all_steps(y, p):
    per_step, mask = losses(y, p)
    return ops.mean(per_step * mask)

def pooled():
    ids = keras.Input((None,), dtype="int32", name="ids")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(40, 8, mask_zero=True)(ids))
    model = keras.Model(ids, layers.Dense(1, activation="sigmoid")(x))
    model.compile("adam", "binary_crossentropy", metrics=["accuracy"])
    return model

def plain():
    model = tagger()
    return keras.Model(model.inputs, model.outputs)

def described(report):
    rows = {r.variant: [r.status.value, r.reason] for r in report.passport if r.twin == "training"}
    errors = {f.rule: f.root_cause.reason if f.root_cause else "" for f in report.findings if f.severity == "error"}
    return {"outcome": report.outcome.value, "rows": rows, "errors": errors}

cases = {
    "masked by keras": tagger(),
    "mask lost": tagger(lose=True),
    "own, real steps": tagger(loss=real_steps),
    "own, all steps": tagger(lose=True, loss=all_steps),
    "numbers": tagger(loss="mse", out=3, activation=None, metric="mae"),
    "one-hot": tagger(loss="categorical_crossentropy"),
    "pooled": pooled(),
    "not compiled": plain(),
}
found = {}
for name, model in cases.items():
    before = [v.numpy().copy() for v in model.variables]
    found[name] = described(maskcheck.audit(model, training=True, samples=2).model)
    found[name]["left alone"] = all((a == v.numpy()).all() for a, v in zip(before, model.variables))
path = sys.argv[1] + "/tagger.keras"
cases["mask lost"].save(path)
found["saved"] = described(maskcheck.audit(path, training=True, samples=2).model)
found["saved, not asked"] = described(maskcheck.audit(path, samples=2).model)
print("RESULT" + json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("keras")
    done = subprocess.run(
        [sys.executable, "-c", CHILD, str(folder)], capture_output=True, text=True, cwd=ROOT, timeout=300
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
    assert lines, done.stderr[-3000:]
    result: dict[str, Any] = json.loads(lines[-1].removeprefix("RESULT"))
    return result


@pytest.mark.parametrize("name", ["masked by keras", "own, real steps", "numbers", "one-hot", "pooled"])
def test_clean(found: dict[str, Any], name: str) -> None:
    assert found[name]["errors"] == {} and found[name]["outcome"] == "clean"
    assert {status for status, _ in found[name]["rows"].values()} == {"clean"}
    assert {"loss", "gradient"} < set(found[name]["rows"]), "the metric is there as well"


@pytest.mark.parametrize("name", ["mask lost", "saved"])
def test_a_mask_that_was_lost_unmasks_the_loss_and_the_metrics(found: dict[str, Any], name: str) -> None:
    assert found[name]["outcome"] == "leaky" and list(found[name]["errors"]) == ["MC962", "MC963"]
    assert all("Multiply drops the mask" in cause for cause in found[name]["errors"].values())


def test_a_loss_masked_by_hand_and_averaged_over_all_steps(found: dict[str, Any]) -> None:
    assert "MC961" in found["own, all steps"]["errors"]


def test_a_model_that_was_not_compiled_says_what_to_do(found: dict[str, Any]) -> None:
    status, reason = found["not compiled"]["rows"]["loss"]
    assert status == "untested" and "model.compile" in reason and found["not compiled"]["outcome"] == "clean"


def test_training_is_looked_at_when_asked_only(found: dict[str, Any]) -> None:
    assert found["saved, not asked"]["outcome"] == "clean" and found["saved, not asked"]["rows"] == {}


def test_weights_statistics_and_seeds_stay(found: dict[str, Any]) -> None:
    assert all(case["left alone"] for case in found.values() if "left alone" in case)
