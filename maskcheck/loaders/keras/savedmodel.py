"""SavedModels: graphs that TensorFlow runs as a whole. They answer, and show nothing of their inside."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError, TraceError
from maskcheck.core.model import Array, Feeds, InputUse, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.loaders.keras.backend import require_keras, versions

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
    return SavedModel(path, loaded, found[name])


class SavedModel:
    """Implements ``maskcheck.core.model.Model``; ``trace`` always raises ``TraceError``."""

    def __init__(self, path: Path, loaded: Any, function: Any) -> None:
        self._loaded: Any = loaded  # owns the variables that the function reads
        self._function: Any = function
        _, arguments = function.structured_input_signature
        self._inputs = tuple(_spec(name, spec) for name, spec in arguments.items())
        self._outputs = tuple(_spec(name, spec) for name, spec in function.structured_outputs.items())
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        self._info = ModelInfo(
            path=str(path),
            format="saved-model",
            sha256=None,
            framework="keras",
            versions=versions(),
            size_bytes=size,
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._outputs

    @property
    def uses(self) -> tuple[InputUse, ...]:
        return ()

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Call the signature and return its outputs by name. Raises ``RunError``."""
        tensorflow = import_module("tensorflow")
        missing = [s.name for s in self._inputs if s.name not in feeds]
        if missing:
            raise RunError(f"The model was given the wrong inputs: missing input {', '.join(missing)}.")
        fed = {s.name: tensorflow.constant(np.asarray(feeds[s.name], dtype=s.dtype)) for s in self._inputs}
        try:
            return {name: np.asarray(value) for name, value in self._function(**fed).items()}
        except Exception as error:
            raise RunError(str(error).splitlines()[0][:300] if str(error) else type(error).__name__) from error

    def trace(
        self, feeds: Feeds, patches: Mapping[str, Array] | None = None, record: Collection[str] | None = None
    ) -> Trace:
        """Raise ``TraceError``: the inside of a SavedModel's graph is not observed."""
        raise TraceError("The inside of a SavedModel cannot be observed; audit the .keras file for layers.")

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        """The graph's shapes are fixed when it is saved."""
        return None

    def recast(self, precision: str) -> None:
        """The graph computes in the precision it was saved in."""
        return None

    def close(self) -> None:
        """Let go of the graph."""
        self._function = self._loaded = None


def _spec(name: str, spec: Any) -> TensorSpec:
    if spec.shape.rank is None:
        return TensorSpec(name, spec.dtype.name, None)
    axes: list[int | str | None] = list(spec.shape.as_list())
    if axes and axes[0] is None:
        axes[0] = "batch"
    return TensorSpec(name, spec.dtype.name, tuple(axes))
