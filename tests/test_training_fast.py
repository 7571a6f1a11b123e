"""What padding does to training, wrong and mended: PyTorch here, two of Keras in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import evaluation
from evaluation.corpora.training.cases import Case, cases
from evaluation.corpora.training.judge import judge

CHILD = """
import json, sys
from evaluation.corpora.training.cases import cases
from evaluation.corpora.training.judge import judge
print(json.dumps([judge(c) for c in cases() if c.name in sys.argv[1:]]))
"""
KERAS = [f"LOSS-03 metric without the mask/gru/{state}" for state in ("leaky", "mended")]


def agrees(found: dict) -> bool:
    if not found["leaky"]:
        return found["outcome"] == "clean"
    return bool(found["outcome"] == "leaky" and found["right"] and found["causes_right"])


@pytest.mark.parametrize("case", [c for c in cases() if c.fault.framework == "torch"], ids=lambda c: c.name)
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found = judge(case)
    assert found["leaky"] is case.leaky and agrees(found), found


@pytest.mark.slow
def test_keras_agrees_as_well() -> None:
    pytest.importorskip("keras")
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD, *KERAS],
        capture_output=True,
        text=True,
        cwd=Path(evaluation.__file__).parent.parent,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.strip().splitlines()[-1])
    assert [f["leaky"] for f in found] == [True, False]
    assert all(agrees(f) for f in found), found
