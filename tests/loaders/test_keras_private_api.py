"""A canary for everything that is used of Keras and TensorFlow without a promise, all of it in one module."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import maskcheck.loaders.keras
from tests.loaders import keras_child, keras_private_api

HERE = Path(maskcheck.loaders.keras.__file__).parent
PRIVATE = re.compile(
    r"keras\.src|tensorflow\.python|_keras_mask|_inputs_struct|_flatten_layers|_compile_loss|_handle_data|\"_id\""
)


@pytest.fixture(scope="module")
def alive() -> Any:
    return keras_child.told_by("tests.loaders.keras_private_api")


@pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow")
@pytest.mark.parametrize("name", keras_private_api.CANARIES)
def test_it_still_means_what_it_did(alive: Any, name: str) -> None:
    assert alive[name]


def test_no_other_module_names_any_of_it() -> None:
    files = [file for file in HERE.rglob("*.py") if PRIVATE.search(file.read_text(encoding="utf-8"))]
    assert [file.relative_to(HERE).as_posix() for file in files] == ["private_api.py"]
