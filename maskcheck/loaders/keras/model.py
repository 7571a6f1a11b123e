"""``KerasModel``: a model file of Keras or a live model, run as it is and traced call by call."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.core.training import Step, Targets
from maskcheck.ir.dependence import find_dependence
from maskcheck.ir.input_use import InputUse
from maskcheck.loaders import factory
from maskcheck.loaders.keras import backend
from maskcheck.loaders.keras.calling import Caller, quiet, shorten
from maskcheck.loaders.keras.custom import custom_objects, operations
from maskcheck.loaders.keras.files import make_readable, make_weights_readable, read_config
from maskcheck.loaders.keras.first_look import look
from maskcheck.loaders.keras.output_keys import OutputKeys
from maskcheck.loaders.keras.precision import copy_in_precision
from maskcheck.loaders.keras.recorder import Recorder, record_run
from maskcheck.loaders.keras.safety import foreign_objects, refuse
from maskcheck.loaders.keras.signature import output_names, signature_of
from maskcheck.loaders.keras.tensors import read
from maskcheck.loaders.keras.training import step as training_step
from maskcheck.loaders.keras.training import targets as training_targets

_CHUNK = 4 * 2**20


def load(path: Path, settings: Settings) -> KerasModel:
    """Open a .keras or .h5 file, or weights for the model that the factory builds.

    Raises:
        LoadError: Keras is missing, the file is damaged, it brings code that nobody vouched for, or it holds weights
            and there is no factory, or one whose model they do not fit.
        UsageError: the factory's name leads nowhere.
    """
    keras = backend.require_keras(path)
    custom = custom_objects(settings.custom_objects)
    hdf5 = not zipfile.is_zipfile(path)
    config = read_config(path)
    if config is None:
        return KerasModel(_fill_weights(path, settings), str(path), "keras-weights", _sha256(path))
    foreign = foreign_objects(config, custom)
    if foreign and not settings.trust:
        raise refuse(path, foreign, code=any("." not in name for name in foreign))
    known = operations() | custom if hdf5 else custom
    try:
        with quiet(), make_readable(path, config) as file:
            model = keras.saving.load_model(
                file, custom_objects=known, compile=settings.training, safe_mode=not settings.trust
            )
    except Exception as error:
        raise LoadError(
            f"{path}: Keras cannot load this model: {shorten(error)}",
            hint="Layers of your own come with --custom-objects package.module or path/to/file.py.",
        ) from error
    return KerasModel(model, str(path), "keras-h5" if hdf5 else "keras", _sha256(path))


def _fill_weights(path: Path, settings: Settings) -> Any:
    """The factory's model with the weights of the file."""
    if settings.factory is None:
        raise LoadError(
            f"{path}: this file holds weights but no model.",
            hint="Name the function that builds it: --factory package.module:function. Or save the whole model.",
        )
    model = factory.build(settings.factory)
    if not isinstance(model, import_module("keras").Model):
        raise LoadError(
            f"The factory {settings.factory} returned {type(model).__name__}, not a Keras model.",
            hint="Return the keras.Model, built: call a subclassed one once.",
        )
    try:
        with quiet(), make_weights_readable(path) as file:
            model.load_weights(file)
    except Exception as error:
        raise LoadError(
            f"{path}: these weights do not fit the model of {settings.factory}: {shorten(error)}",
            hint="Let the factory build the model with the settings it was trained with.",
        ) from error
    return model


class KerasModel:
    """Implements ``maskcheck.core.model.Model`` over a live ``keras.Model``.

    Keys of tensors are the path of the layer that made them and the how many-th call it was; outputs go by their own
    names. One short run of the model shows how its inputs are used and what becomes of its masks; where no length can
    be found at which it runs, nothing is known of that.

    Raises:
        LoadError: the model was never built, so that its inputs are unknown.
    """

    def __init__(self, model: Any, path: str = "model", format_: str = "keras", sha256: str | None = None) -> None:
        self._model = model
        weights = {id(v) for v in model.weights}
        self._seeds = [(v, np.array(read(v.value))) for v in model.variables if id(v) not in weights]
        self._signature = signature_of(model)
        self._caller = Caller(model, self._signature)
        self._keys = OutputKeys([spec.name for spec in self._signature.inputs])
        self._look = look(self._caller, self._signature.inputs, self._keys)
        self._outputs = self._look.outputs or _specs_of(output_names(model, []))
        self._info = ModelInfo(
            path=path,
            format=format_,
            sha256=sha256,
            framework="keras",
            versions=backend.versions(),
            precision=str(model.compute_dtype or "float32"),
            static=self._look.static,
            size_bytes=sum(int(np.prod(w.shape)) * 4 for w in model.weights),
            journey=self._look.journey,
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def inputs(self) -> tuple[TensorSpec, ...]:
        return self._signature.inputs

    @property
    def outputs(self) -> tuple[TensorSpec, ...]:
        return self._outputs

    @property
    def uses(self) -> tuple[InputUse, ...]:
        return self._look.uses

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Call the model for inference and return its outputs by name. Raises ``RunError``."""
        return self._caller.by_name(self._caller.call(self._caller.tensors_of(feeds)))

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Call the model and record every layer; see ``Model.trace``. Raises ``RunError``."""
        keys = self._keys.keys()
        changed = {keys.get(key, key): np.asarray(value) for key, value in (patches or {}).items()}
        wanted = None if record is None else frozenset(keys.get(key, key) for key in record)
        recorder = Recorder(changed, wanted, attention=record is None)
        return self._trace_of(recorder, record_run(recorder, self._caller, feeds))

    def _trace_of(self, recorder: Recorder, result: Any) -> Trace:
        """What the recorder wrote down, with outputs under their own names."""
        builder, answers = recorder.builder, list(self._caller.named(result))
        outputs = self._caller.by_name(result)
        self._keys.learn(builder, answers)
        sites = (*map(self._keys.rename, builder.sites), *self._keys.hand_through(builder, answers))
        return Trace(
            sites,
            {**outputs, **{self._keys.name_of(key): value for key, value in builder.tensors.items()}},
            outputs,
            find_dependence(sites, [spec.name for spec in self.inputs]).shape_only,
            attention=recorder.attention,
        )

    def targets(self, feeds: Feeds, loss: Any, seed: int) -> Targets:
        """Draw labels; see ``Trainable.targets``. The loss is the compiled one. Raises ``RunError``."""
        with self._caller.alone():
            return training_targets(self._model, self._call_in_training(feeds), self._names_of, seed)

    def step(self, feeds: Feeds, targets: Mapping[str, Array], loss: Any, *, training: bool) -> Step:
        """One training step; see ``Trainable.step``. Raises ``RunError``."""
        labels = list(targets.values())
        with self._caller.alone():
            try:
                call = self._call_in_training(feeds)
                return training_step(self._model, call, labels, self._caller.by_name, training=training)
            except RunError:
                raise
            except Exception as error:
                raise RunError(shorten(error)) from error

    def _call_in_training(self, feeds: Feeds) -> Callable[[bool], Any]:
        tensors = self._caller.nest(feeds)
        return lambda training: self._model(tensors, training=training)

    def _names_of(self, result: Any) -> list[str]:
        return list(output_names(self._model, result))

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        """A fixed length of a Keras model is part of its layers' weights and shapes, and is left as it is."""
        return None

    def recast(self, precision: str) -> KerasModel | None:
        """A copy in another precision, made from the model's configuration."""
        with quiet():
            copy = copy_in_precision(self._model, precision)
            return None if copy is None else KerasModel(copy, self._info.path, self._info.format)

    def close(self) -> None:
        """Let go of the model; some layers count on with their seeds in inference as well, so these are put back."""
        for variable, value in self._seeds:
            variable.assign(value)
        self._model = None
        self._caller.close()


def _specs_of(names: Iterable[str]) -> tuple[TensorSpec, ...]:
    return tuple(TensorSpec(name, "float32", None) for name in names)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
