"""The models of the guide on masking and padding, each with the verdict it deserves."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loaders import keras_child, keras_guide

pytestmark = [pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"), pytest.mark.slow]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.ask("guide", tmp_path_factory.mktemp("guide"))


@pytest.mark.parametrize("name", keras_guide.CLEAN)
def test_masked_models_are_clean(audited: Any, name: str) -> None:
    found = audited[name]
    assert (found["outcome"], found["findings"]) == ("clean", [])


@pytest.mark.parametrize("name", keras_guide.LEAKY)
def test_models_that_lose_the_mask_leak_where_they_should(audited: Any, name: str) -> None:
    _, rule, origin, cause = keras_guide.LEAKY[name]
    first = audited[name]["findings"][0]
    assert audited[name]["outcome"] == "leaky"
    assert (first["rule"], first["site"]) == (rule, origin)
    assert first["cause"] == cause
    assert first["share"] == pytest.approx(1.0, abs=0.05)


def test_an_operator_in_the_users_own_layer_is_placed_in_its_source(audited: Any) -> None:
    assert audited["averaging layer"]["findings"][0]["line"]


def test_attention_takes_the_mask_from_the_residual(audited: Any) -> None:
    journey = audited["two blocks"]["journey"]
    assert journey["attention_0"][0] == "used and passed on"
    assert journey["residual_0"] == ["dropped", False]
    assert journey["attention_1"][0] == "no mask"
