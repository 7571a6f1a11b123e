"""A part of the reported Keras models in every run; ``python -m evaluation keras_reported`` runs them all."""

from __future__ import annotations

import pytest

from evaluation.result import parsed
from evaluation.score import score, wrong
from tests.loaders import keras_child

pytestmark = [pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"), pytest.mark.slow]


@pytest.fixture(scope="module")
def results() -> dict:
    return keras_child.told_by("tests.keras_reported_child")


def test_the_fast_part_loses_nothing(results: dict) -> None:
    proved = [parsed(line) for line in results["judged"]]
    found = score(proved)
    assert found.missed == 0 and found.false_alarms == 0, wrong(proved)
    assert found.origins == found.leaks >= 5, wrong(proved)
    assert found.causes == found.faults, wrong(proved)


def test_a_recurrent_layer_that_is_applied_step_by_step_is_recurrent(results: dict) -> None:
    assert results["heard"]["delft_characters reported live"]["named"] == {"char_encoder": "MC302"}


def test_a_sum_over_a_product_with_a_variable_is_seen(results: dict) -> None:
    """TensorFlow takes another way where an operand is no tensor yet; what was made of it had no history."""
    judged = {line["name"]: parsed(line) for line in results["judged"]}
    assert judged["attention_on_top reported live"].said.named == {"attention": "MC109"}
