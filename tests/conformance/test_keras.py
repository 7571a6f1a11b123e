"""The same graphs as live Keras models, ``.keras`` files and SavedModels."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance.questions import QUESTIONS
from tests.loaders import keras_child

pytestmark = pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow")


@pytest.fixture(scope="module")
def amiss(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.told_by("tests.conformance.keras_graphs", str(tmp_path_factory.mktemp("graphs")))


@pytest.mark.parametrize("name", QUESTIONS)
@pytest.mark.parametrize("way", ["live", "keras", "savedmodel"])
def test_conformance(amiss: Any, way: str, name: str) -> None:
    assert amiss[way][name] == []
