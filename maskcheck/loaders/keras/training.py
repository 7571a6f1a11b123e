"""One training step of a compiled Keras model, on TensorFlow or PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import Array
from maskcheck.core.training import Step, Targets
from maskcheck.loaders.keras import private_api
from maskcheck.loaders.keras.tensors import leaves, read

PAD = 0
"""The label at pads. Keras carries the mask beside the answers, so that it does not matter to a masked loss."""

_RATES = ("rate", "dropout", "recurrent_dropout", "stddev")
_NOT_COMPILED = "the model is not compiled, so it has no loss: call model.compile(...) before it is saved or audited"


def targets(model: Any, call: Callable[[bool], Any], names: Callable[[Any], list[str]], seed: int) -> Targets:
    """Labels for each output that the compiled loss takes. ``call`` runs the model on an unpadded batch.

    Raises:
        RunError: the model is not compiled, or the loss takes none of the labels that were tried.
    """
    _require_compiled(model)
    result = call(False)
    shapes = [tuple(int(n) for n in read(t).shape) for t in leaves(result)]
    rng = np.random.default_rng(seed)
    failure: Exception | None = None
    for kind in _kinds(model):
        values = [_labels(kind, shape, rng) for shape in shapes]
        try:
            loss = model.compute_loss(y=_pack_like(result, values), y_pred=result, training=False)
            if np.isfinite(float(loss)):
                known = dict(zip(names(result), values, strict=True))
                return Targets(known, PAD, all(value.ndim > 1 and _is_stepwise(kind, value) for value in values))
        except Exception as error:
            failure = failure or error
    why = " ".join(str(failure).split())[:200] if failure else "it is not finite for any of them"
    raise RunError(f"no labels were found that the compiled loss takes: {why}")


def step(model: Any, call: Callable[[bool], Any], labels: list[Array], by_name: Any, *, training: bool) -> Step:
    """Loss, metrics, gradients and outputs of one batch; weights, metrics and rates stay as they were."""
    _require_compiled(model)
    with _leave_alone(model):
        loss, gradients, result = _differentiate(model, call, labels, training)
        metrics = _metrics(model, result, labels)
    return Step(loss, metrics, gradients, by_name(result))


def _require_compiled(model: Any) -> None:
    if not getattr(model, "compiled", False) or not private_api.has_compiled_loss(model):
        raise RunError(_NOT_COMPILED)


def _differentiate(
    model: Any, call: Callable[[bool], Any], labels: list[Array], training: bool
) -> tuple[float, dict[str, Array], Any]:
    backend = import_module("keras").backend.backend()
    variables = model.trainable_variables
    names = [str(getattr(v, "path", v.name)) for v in variables]
    if backend == "tensorflow":
        tf = import_module("tensorflow")
        with tf.GradientTape() as tape:
            result = call(training)
            loss = model.compute_loss(y=_pack_like(result, labels), y_pred=result, training=training)
        found = tape.gradient(loss, [v.value for v in variables])
        grads = [None if g is None else np.asarray(tf.convert_to_tensor(g)) for g in found]
    elif backend == "torch":
        torch = import_module("torch")
        with torch.enable_grad():
            result = call(training)
            loss = model.compute_loss(y=_pack_like(result, labels), y_pred=result, training=training)
            found = torch.autograd.grad(loss, [v.value for v in variables], allow_unused=True)
        grads = [None if g is None else g.detach().cpu().numpy() for g in found]
    else:
        raise RunError(f"gradients cannot be had from the backend {backend}: use tensorflow or torch")
    known = {name: np.array(g) for name, g in zip(names, grads, strict=True) if g is not None}
    return float(read(loss)), known, result


def _metrics(model: Any, result: Any, labels: list[Array]) -> dict[str, float]:
    """The compiled metrics of this batch alone; the running loss is no metric of its own."""
    model.reset_metrics()
    with _no_grad():
        found = model.compute_metrics(None, _pack_like(result, labels), result, sample_weight=None)
    return {name: float(read(value)) for name, value in found.items() if name != "loss" and not name.endswith("_loss")}


def _pack_like(result: Any, values: list[Array]) -> Any:
    """Labels in the structure of the answers."""
    tree, ops = import_module("keras").tree, import_module("keras").ops
    tensors = [ops.convert_to_tensor(value) for value in values]
    return tree.pack_sequence_as(result, tensors)


def _kinds(model: Any) -> list[str]:
    """Kinds of labels, the one that the loss's name asks for first."""
    loss = getattr(model, "loss", None)
    name = str(getattr(loss, "name", None) or getattr(loss, "__name__", None) or loss).lower().replace("_", "")
    if "sparse" in name:
        first = "ids"
    elif "categorical" in name and "binary" not in name:
        first = "one-hot"
    elif any(word in name for word in ("mean", "mse", "mae", "huber", "binary", "hinge", "logcosh", "poisson")):
        first = "numbers"
    else:
        first = "ids"
    return [first, *(kind for kind in ("ids", "numbers", "one-hot") if kind != first)]


def _labels(kind: str, shape: tuple[int, ...], rng: Any) -> Array:
    classes = max(shape[-1], 2)
    if kind == "numbers":
        numbers: Array = rng.integers(0, 2, shape).astype(np.float32)
        return numbers
    ids: Array = rng.integers(1 if classes > 2 else 0, classes, shape[:-1]).astype(np.int32)
    return ids if kind == "ids" else np.eye(shape[-1], dtype=np.float32)[np.minimum(ids, shape[-1] - 1)]


def _is_stepwise(kind: str, value: Array) -> bool:
    return value.ndim > (1 if kind == "ids" else 2)


@contextmanager
def _leave_alone(model: Any) -> Iterator[None]:
    """No dropout and no noise meanwhile; state that a step changes is put back."""
    layers = [layer for layer in private_api.layers_within(model) if layer is not model]
    rates = [
        (layer, name, layer.__dict__[name])
        for layer in layers
        for name in _RATES
        if isinstance(layer.__dict__.get(name), float) and layer.__dict__[name] > 0.0
    ]
    learned = {id(v) for v in model.trainable_variables}
    kept = [v for v in model.variables if id(v) not in learned]  # statistics, and the seeds of dropout
    variables = [*kept, *(v for m in model.metrics for v in m.variables)]
    values = [np.array(read(v.value)) for v in variables]
    try:
        for layer, name, _ in rates:
            object.__setattr__(layer, name, 0.0)
        yield
    finally:
        for layer, name, value in rates:
            object.__setattr__(layer, name, value)
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)


@contextmanager
def _no_grad() -> Iterator[None]:
    keras = import_module("keras")
    if keras.backend.backend() == "torch":
        with import_module("torch").no_grad():
            yield
    else:
        yield
