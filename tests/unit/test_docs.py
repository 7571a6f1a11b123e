"""The documentation says of Keras what the tests assert."""

from __future__ import annotations

from pathlib import Path

import pytest

import maskcheck
from tests.loaders import keras_guide, keras_table

PAGE = (Path(maskcheck.__file__).parent.parent / "docs" / "keras.md").read_text(encoding="utf-8")
TABLES = (keras_table.KEEPS, keras_table.CONSUMES, keras_table.CLAIMS, keras_table.WARNED, keras_table.SILENT)


@pytest.mark.parametrize("name", keras_guide.CLEAN)
def test_clean_models_are_listed(name: str) -> None:
    assert f"| {name} | clean |" in PAGE


@pytest.mark.parametrize("name", keras_guide.LEAKY)
def test_leaky_models_are_listed_with_their_cause(name: str) -> None:
    _, rule, origin, cause = keras_guide.LEAKY[name]
    assert f"| {name} | leaky | [{rule}](rules/{rule}.md) | `{origin}` | `{cause}` |" in PAGE


def test_every_layer_is_listed() -> None:
    flat = " ".join(PAGE.split())
    assert not [name for table in (*TABLES, keras_table.FALSE_ALARM) for name in table if name not in flat]
