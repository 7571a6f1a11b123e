"""A part of the Keras corpus in every run; ``python -m evaluation keras_mechanisms`` runs it all."""

from __future__ import annotations

import pytest

from evaluation.result import parsed
from evaluation.score import score, wrong
from tests.loaders import keras_child

pytestmark = [pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"), pytest.mark.slow]


def test_the_fast_part_loses_nothing() -> None:
    results = [parsed(line) for line in keras_child.told_by("tests.keras_mechanisms_child")]
    found = score(results)
    assert found.missed == 0 and found.false_alarms == 0, wrong(results)
    assert found.origins == found.leaks >= 12, wrong(results)
    assert found.causes == found.faults, wrong(results)
