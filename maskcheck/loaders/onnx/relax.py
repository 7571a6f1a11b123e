"""Make fixed input axes variable, where the rest of the model allows it.

Exporters fix a size by tracing with it. Often only the declaration is fixed, and the operators would take any size;
then the model can be audited at several lengths. Whether that is so is tried out, never assumed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from maskcheck.core.errors import MaskcheckError, RunError
from maskcheck.core.model import Array, Feeds, Model, TensorSpec
from maskcheck.loaders.onnx.skeleton import Skeleton

if TYPE_CHECKING:
    import onnx

_ROUNDING = 1e-6
_OTHER_SIZES = ((-1, -3), (1, 2))
"""By how much axes are shrunk, and grown where they are too short to shrink, to see whether the model still runs."""


class Relaxable(Model, Protocol):
    """A model that is described by a skeleton."""

    @property
    def skeleton(self) -> Skeleton: ...

    def release(self) -> None:
        """Free the runtime's memory; the model can be run again."""
        ...


Opened = TypeVar("Opened", bound=Relaxable)


def relax(
    model: Opened, axes: Mapping[str, Collection[int]], open_skeleton: Callable[[Skeleton], Opened]
) -> Opened | None:
    """Return ``model`` with the given axes of its inputs variable, or ``None`` where that changes its answers.

    ``open_skeleton`` opens the changed skeleton as a model of its own. That model must give the same answers at the
    original size (within rounding) and run at two other sizes.
    """
    wanted = {name: sorted(set(places)) for name, places in axes.items() if places}
    sizes = _sizes(model.inputs, wanted)
    if sizes is None:
        return None
    base = loosen(model.skeleton.model, wanted)
    feeds = {spec.name: sample(spec, spec.shape or ()) for spec in model.inputs if not spec.optional}
    try:
        expected = model.run(feeds)
        model.release()
        loose = open_skeleton(Skeleton(base, model.skeleton.files))
    except MaskcheckError:
        return None
    if _agree(expected, loose, feeds) and _runs_elsewhere(loose, model.inputs, wanted, sizes):
        return loose
    loose.close()
    return None


def loosen(base: onnx.ModelProto, axes: Mapping[str, Collection[int]]) -> onnx.ModelProto:
    """A copy of ``base`` with symbolic sizes on ``axes``, and without the sizes that followed from the fixed ones.

    Axes that had the same size get the same symbol: they were one length to the exporter.
    """
    import onnx

    model = onnx.ModelProto()
    model.CopyFrom(base)
    del model.graph.value_info[:]
    for value in model.graph.input:
        for axis in axes.get(value.name, ()):
            dim = value.type.tensor_type.shape.dim[axis]
            dim.dim_param = "batch" if axis == 0 else f"length_{dim.dim_value}"
    for value in model.graph.output:
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.ClearField("shape")
    return model


def _sizes(specs: tuple[TensorSpec, ...], axes: Mapping[str, list[int]]) -> set[int] | None:
    """The sizes to be made variable; ``None`` where an axis does not exist or is variable already."""
    shapes = {spec.name: spec.shape for spec in specs}
    found: set[int] = set()
    for name, places in axes.items():
        shape = shapes.get(name)
        if shape is None or any(not 0 <= axis < len(shape) for axis in places):
            return None
        chosen = [shape[axis] for axis in places]
        if not all(isinstance(size, int) for size in chosen):
            return None
        found |= {size for size in chosen if isinstance(size, int)}
    return found or None


def _agree(expected: Feeds, loose: Model, feeds: Feeds) -> bool:
    try:
        actual = loose.run(feeds)
    except RunError:
        return False
    return all(_equal(value, actual[name]) for name, value in expected.items())


def _equal(a: Array, b: Array) -> bool:
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind != "f":
        return bool(np.array_equal(a, b))
    scale = float(np.nanmax(np.abs(a), initial=1.0))
    margin = max(_ROUNDING, 4 * float(np.finfo(a.dtype).eps)) * (scale if np.isfinite(scale) else 1.0)
    return bool(np.allclose(a, b, rtol=0.0, atol=margin, equal_nan=True))


def _runs_elsewhere(
    loose: Model, specs: tuple[TensorSpec, ...], axes: Mapping[str, list[int]], sizes: set[int]
) -> bool:
    shrink = min(sizes) > 4
    for step in _OTHER_SIZES[0 if shrink else 1]:
        feeds = {s.name: sample(s, _resize(s, axes.get(s.name, []), step)) for s in specs if not s.optional}
        try:
            loose.run(feeds)
        except RunError:
            return False
    return True


def _resize(spec: TensorSpec, places: list[int], step: int) -> tuple[int | str | None, ...]:
    return tuple(
        size + step if axis in places and isinstance(size, int) else size for axis, size in enumerate(spec.shape or ())
    )


def sample(spec: TensorSpec, shape: tuple[int | str | None, ...]) -> Array:
    """A valid input of ``shape``: ones and zeros for integers, normal numbers for floats; unknown sizes become 2.

    A vector of integers holds ones, because it may be read as lengths.
    """
    sizes = tuple(size if isinstance(size, int) else 2 for size in shape)
    random = np.random.default_rng(0)
    if spec.dtype == "bool":
        return np.ones(sizes, np.bool_)
    dtype = np.dtype(spec.dtype)
    if dtype.kind in "iu":
        values = random.integers(0, 2, sizes) if len(sizes) > 1 else np.ones(sizes)
        if len(sizes) > 1:
            values[..., 0] = 1
        return np.asarray(values, dtype)
    return np.asarray(random.standard_normal(sizes), dtype)
