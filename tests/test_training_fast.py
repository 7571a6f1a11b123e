"""What padding does to training, wrong and mended: PyTorch here, two of Keras in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

import evaluation
from evaluation.case import Case
from evaluation.corpora.training.corpus import CORPUS
from evaluation.judge import judge
from evaluation.result import parsed

CHILD = """
import json, sys
from evaluation.running import judged
print(json.dumps([judged("training", name) for name in sys.argv[1:]]))
"""
KERAS = [f"LOSS-03 metric without the mask/gru/{state}" for state in ("leaky", "mended")]


@pytest.mark.parametrize("case", [c for c in CORPUS.cases() if c.framework == "torch"], ids=lambda c: c.name)
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found = judge(CORPUS, case)
    assert found.truth.leaky is case.leaks and found.right, found


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
    found = [parsed(line) for line in json.loads(run.stdout.strip().splitlines()[-1])]
    assert [f.truth.leaky for f in found] == [True, False]
    assert all(f.right for f in found), found
