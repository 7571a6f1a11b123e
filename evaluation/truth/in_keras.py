"""Answers of Keras models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from evaluation.truth.loader import Array


def asked(model: Any) -> Callable[[Mapping[str, Array]], list[Array]]:
    """A model as a function of arrays."""
    return lambda inputs: answers(model, inputs)


def answers(model: Any, inputs: Mapping[str, Array]) -> list[Array]:
    """Called as it is: ``predict`` traces a graph, in which TimeDistributed keeps the steps of an earlier call."""
    import keras

    given = [x.astype(keras.config.floatx()) if x.dtype.kind == "f" else x for x in inputs.values()]
    found = model(given if len(given) > 1 else given[0], training=False)
    return [np.asarray(x) for x in (found if isinstance(found, list | tuple) else [found])]
