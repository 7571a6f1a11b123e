"""Every layer that keeps, uses up, loses or falsely claims a mask, audited from its file."""

from __future__ import annotations

from typing import Any

import pytest

from tests.loaders import keras_child, keras_table

pytestmark = [pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow"), pytest.mark.slow]


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.ask("table", tmp_path_factory.mktemp("table"))


@pytest.mark.parametrize("name", keras_table.KEEPS)
def test_layers_that_keep_the_mask_are_clean(audited: Any, name: str) -> None:
    found = audited["keeps"][name]
    assert (found["outcome"], found["findings"]) == ("clean", [])
    assert not {"dropped", "ignored"} & {fate for fate, _ in found["journey"].values()}


@pytest.mark.parametrize("name", keras_table.CONSUMES)
def test_layers_that_use_the_mask_up_are_clean(audited: Any, name: str) -> None:
    found = audited["consumes"][name]
    assert found["outcome"] == "clean"
    assert "used up" in {fate for fate, _ in found["journey"].values()}


@pytest.mark.parametrize("name", keras_table.CLAIMS)
def test_layers_that_claim_the_mask_and_leak_are_origins(audited: Any, name: str) -> None:
    found = audited["claims"][name]
    assert found["outcome"] == "leaky"
    assert found["findings"][0]["site"] == keras_table.CLAIMS[name][1]


@pytest.mark.parametrize("name", ["GroupNormalization", "UnitNormalization time", "LayerNormalization time"])
def test_a_mask_that_is_passed_on_and_not_heeded_is_ignored(audited: Any, name: str) -> None:
    assert audited["claims"][name]["journey"]["it"] == ["ignored", False]


@pytest.mark.parametrize("name", keras_table.WARNED)
def test_layers_that_lose_the_mask_with_a_warning_are_the_cause(audited: Any, name: str) -> None:
    found, loser = audited["warned"][name], keras_table.WARNED[name][1]
    assert found["journey"][loser] == ["dropped", True]
    assert found["outcome"] == "leaky"
    assert found["findings"][0]["cause"] == loser


@pytest.mark.parametrize("name", keras_table.FALSE_ALARM)
def test_a_warning_without_a_loss_is_no_finding(audited: Any, name: str) -> None:
    found, layer = audited["false alarm"][name], keras_table.FALSE_ALARM[name][1]
    assert found["journey"][layer] == ["passed on", True]
    assert (found["outcome"], found["findings"]) == ("clean", [])


@pytest.mark.parametrize("name", keras_table.SILENT)
def test_operations_that_lose_the_mask_silently_are_named(audited: Any, name: str) -> None:
    found, loser = audited["silent"][name], keras_table.SILENT[name][1]
    assert found["journey"][loser] == ["dropped", False]
    assert found["outcome"] == "leaky"
    assert found["findings"][0]["cause"] == loser
