"""Real steps that equal what Keras masks: a value that frames can hold, a sentinel, an id that recorded inputs use."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import maskcheck

pytest.importorskip("keras")
pytestmark = pytest.mark.slow

CHILD = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras, maskcheck
from keras import layers

def frames(value):
    given = keras.Input((None, 5), name="frames")
    return keras.Model(given, layers.Dense(3)(layers.LSTM(8)(layers.Masking(value)(given))))

def words():
    given = keras.Input((None,), dtype="int32", name="ids")
    return keras.Model(given, layers.Dense(3)(layers.LSTM(8)(layers.Embedding(30, 12, mask_zero=True)(given))))

def described(model, **settings):
    keras.utils.set_random_seed(0)
    report = maskcheck.audit(model, **settings).model
    row = next(r for r in report.passport if r.twin == "valid" and r.variant.endswith("in use"))
    told = [(f.rule, f.severity.value, f.site.name) for f in report.findings]
    near = [r.status.value for r in report.passport if r.variant == "near miss"]
    return {"outcome": report.outcome.value, "status": row.status.value, "told": told, "near": near}

folder = sys.argv[1]
found = {}
for name, model in {"zero": frames(0.0), "sentinel": frames(-999.0), "words": words()}.items():
    path = f"{folder}/{name}.keras"
    model.save(path)
    found[name] = described(path)
found["zero, recorded"] = described(f"{folder}/zero.keras", inputs=f"{folder}/frames.npz")
found["words, recorded"] = described(f"{folder}/words.keras", inputs=f"{folder}/ids.npz")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict:
    folder = tmp_path_factory.mktemp("keras")
    rng = np.random.default_rng(0)
    frames, ids = rng.standard_normal((4, 9, 5)).astype("float32"), rng.integers(1, 30, (4, 9))
    frames[1, 3], frames[2, 6:] = 0, 0
    ids[2, 3], ids[1, 5:] = 0, 0
    np.savez(folder / "frames.npz", frames=frames)
    np.savez(folder / "ids.npz", ids=ids)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, str(folder)],
        capture_output=True,
        text=True,
        cwd=Path(maskcheck.__file__).parent.parent,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return json.loads(run.stdout.strip().splitlines()[-1])


def test_none_of_it_decides_the_verdict(found: dict) -> None:
    assert {name: seen["outcome"] for name, seen in found.items()} == dict.fromkeys(found, "clean")


@pytest.mark.parametrize(
    ("name", "status", "told"),
    [
        ("zero", "leaky", [("MC706", "info")]),
        ("sentinel", "clean", []),
        ("words", "clean", []),
        ("zero, recorded", "leaky", [("MC706", "warning")]),
        ("words, recorded", "leaky", [("MC702", "warning")]),
    ],
)
def test_what_is_said_of_steps_that_are_taken_for_padding(found: dict, name: str, status: str, told: list) -> None:
    assert found[name]["status"] == status
    assert [(rule, severity) for rule, severity, _ in found[name]["told"]] == told
    assert all(site.startswith(("masking", "embedding")) for *_, site in found[name]["told"])


def test_pads_that_nearly_hold_the_value_count_as_real(found: dict) -> None:
    assert found["zero"]["near"] == found["sentinel"]["near"] == ["leaky"]
