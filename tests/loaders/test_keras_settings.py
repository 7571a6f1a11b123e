"""What layers, operations and operators of Keras do, read into operations and settings that all frameworks share."""

from __future__ import annotations

from typing import Any

import pytest

from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Compare
from tests.loaders import keras_child, keras_settings
from tests.loaders.keras_settings import LAYERS, OPERATIONS, OPERATORS, Case

pytestmark = pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow")

WHOLE = LAYERS | OPERATIONS


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = str(tmp_path_factory.mktemp("settings"))
    return keras_settings.unpacked(keras_child.told_by("tests.loaders.keras_settings", folder))


def expected(case: Case) -> tuple[str, Any]:
    return case.operation.value, case.settings


@pytest.mark.parametrize("name", WHOLE)
def test_layers_and_operations_of_a_live_model(found: Any, name: str) -> None:
    assert found["live"][name] == expected(WHOLE[name])


def test_a_file_says_the_same_as_the_live_model(found: Any) -> None:
    assert found["saved"] == found["live"]


def test_the_mask_of_an_embedding_is_a_comparison_of_its_ids(found: Any) -> None:
    compared = Compare(value=0.0, operand="ids")
    assert found["live"][keras_settings.MASK] == (Op.NOT_EQUAL.value, compared)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("way", ["eager", "frozen"])
def test_operators_called_eagerly_and_in_a_frozen_graph(found: Any, way: str, name: str) -> None:
    assert found[way][name] == expected(OPERATORS[name])


def test_settings_belong_to_their_operation(found: Any) -> None:
    assert found["strange"] == []
