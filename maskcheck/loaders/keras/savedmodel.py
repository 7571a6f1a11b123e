"""SavedModels: graphs that TensorFlow runs as a whole, and whose inside a flat copy shows where one can be made."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError, TraceError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders.keras.backend import require_keras, versions
from maskcheck.loaders.keras.frozen_graph.inside import Inside

_SIGNATURES = ("serving_default", "serve")


def load(path: Path, settings: Settings) -> SavedModel:
    """Open the SavedModel in the folder ``path``.

    Raises:
        LoadError: it is not trusted, TensorFlow is missing, or nothing in it can be called with named tensors.
    """
    if not settings.trust:
        raise LoadError(
            f"{path}: a SavedModel is a program: its graph may read and write files.",
            hint="If you trust where it comes from, add --trust; or audit the .keras file it was exported from.",
        )
    require_keras(path)
    try:
        tensorflow = import_module("tensorflow")
        loaded = tensorflow.saved_model.load(str(path))
    except Exception as error:
        raise LoadError(f"{path}: TensorFlow cannot load this SavedModel: {str(error)[:300]}") from error
    found = dict(loaded.signatures)
    name = next((n for n in _SIGNATURES if n in found), next(iter(found), None))
    if name is None:
        raise LoadError(f"{path}: this SavedModel has no signature to call.", hint="Export it with model.export(path).")
    model = SavedModel(path, loaded, found[name])
    texts = [spec.name for spec in model.inputs if spec.dtype == "string"]
    if texts:
        raise LoadError(
            f"{path}: this SavedModel reads text ({', '.join(texts)}), whose padding is made inside of it.",
            hint="Export the part that reads numbers, behind the vocabulary.",
        )
    return model


class SavedModel:
    """Implements ``maskcheck.core.model.Model``.

    ``run`` calls the signature, ``trace`` a copy of it without calls of functions and without variables. Where there is
    none, as with tables of words, ``trace`` raises ``TraceError``, and nothing is known of how inputs are used.
    """

    def __init__(self, path: Path, loaded: Any, function: Any) -> None:
        self._loaded: Any = loaded  # owns the variables that the function reads
        self._function: Any = function
        _, arguments = function.structured_input_signature
        self._inputs = tuple(_spec(name, spec) for name, spec in arguments.items())
        self._outputs = tuple(_spec(name, spec) for name, spec in function.structured_outputs.items())
        self._path = path

    @cached_property
    def info(self) -> ModelInfo:
        """Made where it is asked for, as the inside is, of which it tells what looks suspicious."""
        return ModelInfo(
            path=str(self._path),
            format="saved-model",
            sha256=None,
            framework="keras",
            versions=versions(),
            static=self._inside.facts if isinstance(self._inside, Inside) else (),
            size_bytes=sum(file.stat().st_size for file in self._path.rglob("*") if file.is_file()),
        )

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._outputs

    @property
    def uses(self) -> tuple[InputUse, ...]:
        return self._inside.uses if isinstance(self._inside, Inside) else ()

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Call the signature and return its outputs by name. Raises ``RunError``."""
        tensorflow = import_module("tensorflow")
        fed = {name: tensorflow.constant(value) for name, value in self._feeds_of(feeds).items()}
        try:
            return {name: np.asarray(value) for name, value in self._function(**fed).items()}
        except Exception as error:
            raise RunError(str(error).splitlines()[0][:300] if str(error) else type(error).__name__) from error

    def trace(
        self, feeds: Feeds, patches: Mapping[str, Array] | None = None, record: Collection[str] | None = None
    ) -> Trace:
        """Run the flat copy; see ``Model.trace``. Raises ``RunError`` and ``TraceError``."""
        if isinstance(self._inside, TraceError):
            raise TraceError(self._inside.message)
        return self._inside.trace(self._feeds_of(feeds), patches or {}, record)

    @cached_property
    def _inside(self) -> Inside | TraceError:
        """The copy, or why there is none."""
        try:
            return Inside(self._function, _ranks(self._inputs), [s.name for s in self._outputs])
        except TraceError as error:
            return error

    def _feeds_of(self, feeds: Feeds) -> dict[str, Array]:
        """Feeds of the declared types. Raises ``RunError`` for inputs that are missing."""
        missing = [s.name for s in self._inputs if s.name not in feeds]
        if missing:
            raise RunError(f"The model was given the wrong inputs: missing input {', '.join(missing)}.")
        return {s.name: np.asarray(feeds[s.name], dtype=s.dtype) for s in self._inputs}

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        """The graph's shapes are fixed when it is saved."""
        return None

    def recast(self, precision: str) -> None:
        """The graph computes in the precision it was saved in."""
        return None

    def close(self) -> None:
        """Let go of the graph."""
        if isinstance(inside := self.__dict__.get("_inside"), Inside):  # made only where it was asked for
            inside.close()
        self._function = self._loaded = None


def _ranks(inputs: Iterable[TensorSpec]) -> dict[str, int | None]:
    return {spec.name: None if spec.shape is None else len(spec.shape) for spec in inputs}


def _spec(name: str, spec: Any) -> TensorSpec:
    if spec.shape.rank is None:
        return TensorSpec(name, spec.dtype.name, None)
    axes: list[int | str | None] = list(spec.shape.as_list())
    if axes and axes[0] is None:
        axes[0] = "batch"
    return TensorSpec(name, spec.dtype.name, tuple(axes))
