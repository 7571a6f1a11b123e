"""Functions that users would name with --factory, to fill with the weights of ``keras_guide.functional``."""

from __future__ import annotations

from typing import Any


def functional() -> Any:
    import keras

    from tests.loaders import keras_guide

    return keras_guide.functional(keras)


def masking() -> Any:
    """Another model, which these weights do not fit."""
    import keras

    from tests.loaders import keras_guide

    return keras_guide.masking(keras)


def nothing() -> Any:
    return None
