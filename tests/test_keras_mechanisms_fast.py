"""A part of the Keras corpus in every run; ``python -m benchmarks.keras_mechanisms`` runs it all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.scores import score, wrong
from tests.loaders import keras_child

pytestmark = [pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"), pytest.mark.slow]


def test_the_fast_part_loses_nothing() -> None:
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "tests.keras_mechanisms_child"]
    root = Path(__file__).parents[1]
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    results = json.loads(done.stdout.splitlines()[-1])
    found = score(results)
    assert found.missed == 0 and found.false_alarms == 0, wrong(results)
    assert found.origins == found.leaks >= 12, wrong(results)
    assert found.causes == found.faults, wrong(results)
