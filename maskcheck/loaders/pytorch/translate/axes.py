"""Axes of reductions, normalisations and of what works along one axis."""

from __future__ import annotations

from maskcheck.ir.settings import Along, Axes, Reduce, Softmax
from maskcheck.loaders.pytorch.translate.call import Call


def reduction(call: Call) -> Reduce:
    """``dim`` is a number or a list; without it, or where it is empty, all axes are reduced."""
    axes = _read_axes(call) or tuple(range(call.rank("self", "input")))
    return Reduce(axes=axes, keeps_axes=bool(call.given.get("keepdim")))


def adaptive_pooling(call: Call) -> Reduce:
    """Pooling to ``output_size`` positions per axis. To one each, of (batch, features, ...), all positions go into it;
    to more, no axis is reduced as a whole.
    """
    sizes, rank = call.given["output_size"], call.rank("self")
    if any(size != 1 for size in sizes):
        return Reduce(axes=None, keeps_axes=True)
    if rank == len(sizes) + 2:
        return Reduce(keeps_axes=True, spatial=True)
    return Reduce(axes=tuple(range(-len(sizes), 0)), keeps_axes=True)


def last_axes(call: Call) -> Reduce:
    """Normalisation over as many last axes as ``normalized_shape`` has entries."""
    return Reduce(axes=tuple(range(-len(call.given["normalized_shape"]), 0)))


def positions(call: Call) -> Reduce:
    """Normalisation of groups of features over all positions; instance normalisation may be given its statistics."""
    return Reduce(spatial=True) if call.given.get("use_input_stats", True) else Reduce(axes=())


def batch_norm(call: Call) -> Reduce:
    """Batch normalisation of (batch, features, ...): over all but the features, or with the statistics it was given."""
    given = call.given
    measured = (
        given.get("training", call.name == "batch_norm_with_update") or call.tensor("running_mean", "mean") is None
    )
    return Reduce(axes=tuple(axis for axis in range(call.rank("input")) if axis != 1) if measured else ())


def named_axes(call: Call) -> Reduce | None:
    """Axes that come or go, or are transformed, where they are told."""
    axes = _read_axes(call)
    return Reduce(axes=axes) if axes else None


def along(call: Call) -> Along | None:
    axis = _read_axis(call)
    return None if axis is None else Along(axis=axis)


def reversal(call: Call) -> Along:
    return Along(axis=_read_axis(call), reverse=True)


def largest(call: Call) -> Along:
    return Along(axis=_read_axis(call), count=call.given["k"])


def softmax(call: Call) -> Softmax:
    return Softmax(axis=_read_axis(call))


def _read_axes(call: Call) -> Axes:
    """The axes that the call names; ``()`` where it names none."""
    found = call.given.get("dim", call.given.get("dims"))
    if isinstance(found, int):
        return (found,)
    return tuple(found) if isinstance(found, list | tuple) and all(isinstance(a, int) for a in found) else ()


def _read_axis(call: Call) -> int | None:
    axes = _read_axes(call)
    return axes[0] if len(axes) == 1 else None
