"""A part of the reported Keras models in every run; ``python -m evaluation.corpora.keras_reported`` runs them all."""

from __future__ import annotations

import pytest

from evaluation.score import score, wrong
from tests.loaders import keras_child

pytestmark = [pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"), pytest.mark.slow]


@pytest.fixture(scope="module")
def results() -> dict[str, dict]:
    return {result["name"]: result for result in keras_child.told_by("tests.keras_reported_child")}


def test_the_fast_part_loses_nothing(results: dict[str, dict]) -> None:
    proved = [result for result in results.values() if "leaky" in result]
    found = score(proved)
    assert found.missed == 0 and found.false_alarms == 0, wrong(proved)
    assert found.origins == found.leaks >= 5, wrong(proved)
    assert found.causes == found.faults, wrong(proved)


def test_a_recurrent_layer_that_is_applied_step_by_step_is_recurrent(results: dict[str, dict]) -> None:
    assert results["delft_characters reported live"]["lines"] == {"char_encoder": "MC302"}


def test_a_sum_over_a_product_with_a_variable_is_seen(results: dict[str, dict]) -> None:
    """TensorFlow takes another way where an operand is no tensor yet; what was made of it had no history."""
    assert results["attention_on_top reported live"]["lines"] == {"attention": "MC109"}
