"""One call of a model: feeds as tensors, nested as it wants them, and its results by name."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import Array, Feeds
from maskcheck.loaders.keras.signature import Signature, output_names
from maskcheck.loaders.keras.tensors import read, tensors_in


class Caller:
    """Calls ``model`` for inference, one thread at a time."""

    def __init__(self, model: Any, signature: Signature) -> None:
        self._model = model
        self._signature = signature
        self._lock = threading.RLock()

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the inputs, in order."""
        return tuple(spec.name for spec in self._signature.inputs)

    def tensors_of(self, feeds: Feeds) -> list[Any]:
        """The feeds in the order of the inputs. Raises ``RunError`` where inputs are missing, or unknown."""
        known = {spec.name for spec in self._signature.inputs}
        if known != set(feeds):
            raise RunError(
                f"The model takes {', '.join(sorted(known))}, and was given {', '.join(feeds) or 'nothing'}."
            )
        convert = import_module("keras").ops.convert_to_tensor
        return [convert(np.asarray(feeds[s.name]), dtype=s.dtype) for s in self._signature.inputs]

    def nest(self, feeds: Feeds) -> Any:
        """The feeds as the model wants them nested. Raises ``RunError``, see ``tensors_of``."""
        return self._signature.pack(self.tensors_of(feeds))

    def call(self, tensors: list[Any]) -> Any:
        """What the model answers, nested as it is. Raises ``RunError``."""
        with self.alone():
            try:
                return self._model(self._signature.pack(tensors), training=False)
            except Exception as error:
                raise RunError(shorten(error)) from error

    def by_name(self, result: Any) -> dict[str, Array]:
        """The values of all answers."""
        return {name: read(t) for name, t in self.named(result)}

    def named(self, result: Any) -> Iterator[tuple[str, Any]]:
        """The tensors of an answer, each with its name."""
        yield from zip(output_names(self._model, result), tensors_in(result), strict=True)

    def close(self) -> None:
        """Let go of the model."""
        self._model = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other threads from the model, and quiet."""
        with self._lock, quiet():
            yield


def is_entrance(frame: FrameType) -> bool:
    """Whether ``frame`` calls the model. What lies outside is whoever audits it."""
    return frame.f_code is Caller.call.__code__


@contextmanager
def quiet() -> Iterator[None]:
    """Keras warns of masks that are lost whenever they are; the report says so once, with the place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def shorten(error: BaseException) -> str:
    """The first informative line of a backend's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if text.startswith("Exception encountered when calling") and len(lines) > 1:
        text = lines[1].replace("\x1b[1m", "").replace("\x1b[0m", "")
    return text[:300]
