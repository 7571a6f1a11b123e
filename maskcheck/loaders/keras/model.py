"""``KerasModel``: a model file of Keras or a live model, run as it is and traced call by call."""

from __future__ import annotations

import hashlib
import threading
import warnings
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from maskcheck.core.errors import LoadError, RunError
from maskcheck.core.model import Array, Feeds, ModelInfo, TensorSpec
from maskcheck.core.settings import Settings
from maskcheck.core.trace import Trace
from maskcheck.core.training import Step, Targets
from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse
from maskcheck.ir.operation import Operation
from maskcheck.loaders import factory
from maskcheck.loaders.keras import backend
from maskcheck.loaders.keras.custom import custom_objects, operations
from maskcheck.loaders.keras.files import read_config, readable, readable_weights
from maskcheck.loaders.keras.hooks import watching
from maskcheck.loaders.keras.journey import MaskJourneyRecorder
from maskcheck.loaders.keras.precision import recast
from maskcheck.loaders.keras.recorder import Recorder
from maskcheck.loaders.keras.safety import foreign_objects, refuse
from maskcheck.loaders.keras.signature import output_names, signature_of
from maskcheck.loaders.keras.tensors import is_tensor as _is_tensor
from maskcheck.loaders.keras.tensors import leaves, read
from maskcheck.loaders.keras.training import step as training_step
from maskcheck.loaders.keras.training import targets as training_targets
from maskcheck.loaders.keras.uses import Uses

_LENGTHS = (9, 16, 37, 131, 521)
"""Lengths tried for axes of any length, until the model accepts one."""

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
        return KerasModel(_filled(path, settings), str(path), "keras-weights", _sha256(path))
    foreign = foreign_objects(config, custom)
    if foreign and not settings.trust:
        raise refuse(path, foreign, code=any("." not in name for name in foreign))
    known = operations() | custom if hdf5 else custom
    try:
        with _quiet(), readable(path, config) as file:
            model = keras.saving.load_model(
                file, custom_objects=known, compile=settings.training, safe_mode=not settings.trust
            )
    except Exception as error:
        raise LoadError(
            f"{path}: Keras cannot load this model: {_shortened(error)}",
            hint="Layers of your own come with --custom-objects package.module or path/to/file.py.",
        ) from error
    return KerasModel(model, str(path), "keras-h5" if hdf5 else "keras", _sha256(path))


def _filled(path: Path, settings: Settings) -> Any:
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
        with _quiet(), readable_weights(path) as file:
            model.load_weights(file)
    except Exception as error:
        raise LoadError(
            f"{path}: these weights do not fit the model of {settings.factory}: {_shortened(error)}",
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
        self._lock = threading.RLock()
        weights = {id(v) for v in model.weights}
        self._seeds = [(v, np.array(read(v.value))) for v in model.variables if id(v) not in weights]
        self._signature = signature_of(model)
        self._names: dict[str, str] = {}
        journey, uses = MaskJourneyRecorder(), Uses()
        self._outputs = self._look(journey, uses)
        self._uses = uses.found
        size = sum(int(np.prod(w.shape)) * 4 for w in model.weights)
        self._info = ModelInfo(
            path=path,
            format=format_,
            sha256=sha256,
            framework="keras",
            versions=backend.versions(),
            precision=str(model.compute_dtype or "float32"),
            static=journey.facts(),
            size_bytes=size,
            journey=journey.steps,
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
        return self._uses

    # ------------------------------------------------------------------ running

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """Call the model for inference and return its outputs by name. Raises ``RunError``."""
        result = self._called(self._fed(feeds))
        return self._by_name(result)

    def trace(
        self,
        feeds: Feeds,
        patches: Mapping[str, Array] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        """Call the model and record every layer; see ``Model.trace``. Raises ``RunError``."""
        keys = {name: key for key, name in self._names.items()}
        changed = {keys.get(key, key): np.asarray(value) for key, value in (patches or {}).items()}
        wanted = None if record is None else frozenset(keys.get(key, key) for key in record)
        recorder = Recorder(changed, wanted, attention=record is None)
        result = self._recorded(recorder, self._fed(feeds))
        outputs = self._by_name(result)
        self._name_outputs(recorder, result, outputs)
        builder = recorder.builder
        sites = [self._renamed(site) for site in builder.sites]
        tensors = {self._names.get(key, key): value for key, value in builder.tensors.items()}
        sites += self._handed_through(recorder, result, outputs)
        return Trace(
            tuple(sites),
            {**outputs, **tensors},
            outputs,
            frozenset(self._names.get(key, key) for key in builder.shape_only),
            attention=recorder.attention,
        )

    def targets(self, feeds: Feeds, loss: Any, seed: int) -> Targets:
        """Draw labels; see ``Trainable.targets``. The loss is the compiled one. Raises ``RunError``."""
        with self._lock, _quiet():
            return training_targets(self._model, self._caller(feeds), self._names_of, seed)

    def step(self, feeds: Feeds, targets: Mapping[str, Array], loss: Any, *, training: bool) -> Step:
        """One training step; see ``Trainable.step``. Raises ``RunError``."""
        with self._lock, _quiet():
            try:
                labels = list(targets.values())
                return training_step(self._model, self._caller(feeds), labels, self._by_name, training=training)
            except RunError:
                raise
            except Exception as error:
                raise RunError(_shortened(error)) from error

    def _caller(self, feeds: Feeds) -> Callable[[bool], Any]:
        tensors = self._signature.pack(self._fed(feeds))
        return lambda training: self._model(tensors, training=training)

    def _names_of(self, result: Any) -> list[str]:
        return list(output_names(self._model, result))

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        """A fixed length of a Keras model is part of its layers' weights and shapes, and is left as it is."""
        return None

    def recast(self, precision: str) -> KerasModel | None:
        """A copy in another precision, made from the model's configuration."""
        with _quiet():
            copy = recast(self._model, precision)
            return None if copy is None else KerasModel(copy, self._info.path, self._info.format)

    def close(self) -> None:
        """Let go of the model; some layers count on with their seeds in inference as well, so these are put back."""
        for variable, value in self._seeds:
            variable.assign(value)
        self._model = None

    # ------------------------------------------------------------------ one call

    def _called(self, tensors: list[Any]) -> Any:
        with self._lock, _quiet():
            try:
                return self._model(self._signature.pack(tensors), training=False)
            except Exception as error:
                raise RunError(_shortened(error)) from error

    def _recorded(self, recorder: Recorder, tensors: list[Any]) -> Any:
        entered = [recorder.feed(s.name, t) for s, t in zip(self.inputs, tensors, strict=True)]
        with self._lock, watching(recorder):
            return self._called(entered)

    def _fed(self, feeds: Feeds) -> list[Any]:
        known = {spec.name for spec in self.inputs}
        missing, unknown = sorted(known - set(feeds)), sorted(set(feeds) - known)
        if missing or unknown:
            raise RunError(
                f"The model takes {', '.join(sorted(known))}, and was given {', '.join(feeds) or 'nothing'}."
            )
        convert = import_module("keras").ops.convert_to_tensor
        return [convert(np.asarray(feeds[s.name]), dtype=s.dtype) for s in self.inputs]

    def _by_name(self, result: Any) -> dict[str, Array]:
        found = [t for t in leaves(result) if _is_tensor(t)]
        return {name: read(t) for name, t in zip(output_names(self._model, result), found, strict=True)}

    # ------------------------------------------------------------------ names of outputs

    def _name_outputs(self, recorder: Recorder, result: Any, outputs: Mapping[str, Array]) -> None:
        """Let every output's tensor go by the output's name; they are the same in every run."""
        if self._names:
            return
        inputs = {spec.name for spec in self.inputs}
        for name, tensor in zip(outputs, (t for t in leaves(result) if _is_tensor(t)), strict=True):
            key = recorder.builder.key(tensor)
            if key is not None and key not in inputs and key not in self._names:
                self._names[key] = name

    def _renamed(self, site: Site) -> Site:
        def names(keys: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(self._names.get(key, key) for key in keys)

        return replace(site, inputs=names(site.inputs), outputs=names(site.outputs))

    def _handed_through(self, recorder: Recorder, result: Any, outputs: Mapping[str, Array]) -> Iterator[Site]:
        """Outputs that are inputs, or the same tensor as another output."""
        made = set(self._names.values())
        for name, tensor in zip(outputs, (t for t in leaves(result) if _is_tensor(t)), strict=True):
            key = recorder.builder.key(tensor)
            if name not in made and key is not None:
                yield Site(
                    name=f"output {name}",
                    operator="Identity",
                    operation=Operation.IDENTITY,
                    inputs=(self._names.get(key, key),),
                    outputs=(name,),
                )

    # ------------------------------------------------------------------ the first look

    def _look(self, journey: MaskJourneyRecorder, uses: Uses) -> tuple[TensorSpec, ...]:
        """Run once at the first length that works, and learn outputs, uses and the way of the masks."""
        failure: RunError | None = None
        for length in _LENGTHS if any(None in (s.shape or ()) for s in self.inputs) else _LENGTHS[:1]:
            diary_, uses_ = MaskJourneyRecorder(), Uses()
            recorder = Recorder({}, (), journey=diary_, uses=uses_)
            feeds = {s.name: _sample(s, length) for s in self.inputs}
            try:
                self._called(self._fed(feeds))  # layers that are built by their first call build now
                result = self._recorded(recorder, self._fed(feeds))
            except RunError as error:
                failure = failure or error
                continue
            journey.take(diary_)
            uses.take(uses_)
            outputs = self._by_name(result)
            self._name_outputs(recorder, result, outputs)
            return tuple(TensorSpec(name, value.dtype.name, None) for name, value in outputs.items())
        assert failure is not None
        names = output_names(self._model, [])
        return tuple(TensorSpec(name, "float32", None) for name in names)


def _sample(spec: TensorSpec, length: int) -> Array:
    """Ones, which every table holds and no mask takes for padding."""
    shape = tuple(
        2 if i == 0 and not isinstance(d, int) else d if isinstance(d, int) else length
        for i, d in enumerate(spec.shape or ())
    )
    rng = np.random.default_rng(0)
    if np.issubdtype(np.dtype(spec.dtype), np.floating) and len(shape) >= 3:
        return rng.standard_normal(shape).astype(spec.dtype)
    return np.ones(shape, dtype=spec.dtype)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keras warns of masks that are lost whenever they are; the report says so once, with the place."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _shortened(error: BaseException) -> str:
    """The first informative line of a backend's message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = lines[0] if lines else type(error).__name__
    if text.startswith("Exception encountered when calling") and len(lines) > 1:
        text = lines[1].replace("\x1b[1m", "").replace("\x1b[0m", "")
    return text[:300]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
