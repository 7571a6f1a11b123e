"""Which axes of a model's inputs may change, found by calling it with other sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from maskcheck.core.model import TensorSpec
from maskcheck.loaders.pytorch.arrays import dtype_name

Axes = frozenset[tuple[str, int]]
Accepts = Callable[[Mapping[str, Any]], bool]


def describe(inputs: Mapping[str, Any], accepts: Accepts, rows: int | None = None) -> tuple[TensorSpec, ...]:
    """Specifications of ``inputs``, with symbols where another size is accepted as well.

    Axes of one size change together. The batch is the first axis, or wherever its size stands in the other inputs;
    ``rows`` is its size where the model's layers tell that time comes first.
    """
    shapes: dict[str, list[int | str | None]] = {name: list(t.shape) for name, t in inputs.items()}
    batch = _batch(inputs, rows)
    if batch and _varies(inputs, batch, accepts):
        _label(shapes, batch, "batch")
    symbols = 0
    free = {(name, a) for name, t in inputs.items() for a in range(t.ndim) if (name, a) not in batch}
    for size in dict.fromkeys(
        inputs[n].shape[a] for n, a in sorted(free, key=lambda x: (list(inputs).index(x[0]), x[1]))
    ):
        alike = {(n, a) for n, a in free if inputs[n].shape[a] == size}
        if _is_square_image(inputs, alike):
            continue
        for group in _groups(inputs, alike):
            if size > 1 and _varies(inputs, group, accepts):
                _label(shapes, group, "seq" if not symbols else f"seq_{symbols + 1}")
                symbols += 1
                break
    _fix_widths(shapes, inputs, free)
    return tuple(TensorSpec(name, dtype_name(t), tuple(shapes[name])) for name, t in inputs.items())


def _batch(inputs: Mapping[str, Any], rows: int | None) -> Axes:
    """The batch axis of every input: the first, unless the other inputs show its size elsewhere."""
    ranked = sorted((t.ndim, i, t) for i, t in enumerate(inputs.values()) if t.ndim)
    if not ranked:
        return frozenset()
    size = ranked[0][2].shape[0]
    if (marked := _rows_marked(inputs)) is not None:
        size = marked
    elif rows is not None and ranked[0][0] >= 3 and any(rows in t.shape[:2] for _, _, t in ranked):
        size = rows
    found = set()
    for name, t in inputs.items():
        axis = next((a for a in range(t.ndim) if t.shape[a] == size), None)
        if axis is not None and (axis == 0 or axis == 1):
            found.add((name, axis))
    return frozenset(found)


def _rows_marked(inputs: Mapping[str, Any]) -> int | None:
    """The number of rows, where a mask among the examples shows that they stand side by side, time first.

    Marks of a row are of one kind up to some step and of the other from there on; between rows they come and go.
    """
    for t in inputs.values():
        if t.ndim != 2 or t.is_floating_point() or t.shape[0] == t.shape[1] or bool(((t != 0) & (t != 1)).any()):
            continue
        along_time, along_rows = ((t.long().diff(dim=axis) != 0).sum(dim=axis) for axis in (0, 1))
        if bool(along_time.any()) and int(along_time.max()) <= 1 < int(along_rows.max()):
            return int(t.shape[1])
    return None


def _fix_widths(
    shapes: dict[str, list[int | str | None]], inputs: Mapping[str, Any], free: Collection[tuple[str, int]]
) -> None:
    """Where several axes of an input may vary, and one of them is told to hold its steps, the others are widths."""
    timed = _steps_marked(inputs)
    for name, tensor in inputs.items():
        varying = [a for n, a in free if n == name and isinstance(shapes[name][a], str)]
        if sum(tensor.shape[a] == timed for a in varying) == 1:
            for axis in varying:
                if tensor.shape[axis] != timed:
                    shapes[name][axis] = tensor.shape[axis]


def _steps_marked(inputs: Mapping[str, Any]) -> int | None:
    """The number of steps, where lengths reach up to it, or a mask of several series shows where its rows end."""
    sizes = {t.shape[axis] for t in inputs.values() if t.is_floating_point() for axis in range(1, t.ndim)}
    for t in inputs.values():
        if (
            t.ndim == 1
            and not t.is_floating_point()
            and len(t) > 1
            and bool((t != t[0]).any())
            and int(t.max()) in sizes
        ):
            return int(t.max())
        if t.ndim != 3 or t.is_floating_point() or t.shape[1] == t.shape[2] or bool(((t != 0) & (t != 1)).any()):
            continue
        changes = [(t.long().diff(dim=axis) != 0).sum(dim=axis) for axis in (1, 2)]
        for axis, other in ((1, 2), (2, 1)):
            if int(changes[axis - 1].max()) == 1 and not bool(changes[other - 1].any()):
                return int(t.shape[axis])
    return None


def _is_square_image(inputs: Mapping[str, Any], axes: set[tuple[str, int]]) -> bool:
    """Whether these are height and width of one image that no mask goes with: resized, not padded."""
    names = {name for name, _ in axes}
    return len(names) == 1 and len(axes) > 1 and len(inputs) > 1 and inputs[next(iter(names))].ndim == 4


def _groups(inputs: Mapping[str, Any], axes: set[tuple[str, int]]) -> Iterable[Axes]:
    """Axes of one size, all together; then, in case two of them are equal by chance, only each input's first."""
    yield frozenset(axes)
    first = {n: min(a for m, a in axes if m == n) for n, _ in axes}
    if len(first) < len(axes):
        yield frozenset(first.items())
        last = {n: max(a for m, a in axes if m == n) for n, _ in axes}
        yield frozenset(last.items())
    if len(axes) > 1:
        for name, axis in sorted(axes):
            # Two inputs of one shape go together: what one of them refuses, the other has no use for.
            alike = any(n != name and a == axis and inputs[n].shape == inputs[name].shape for n, a in axes)
            if not alike:
                yield frozenset({(name, axis)})


def _varies(inputs: Mapping[str, Any], axes: Axes, accepts: Accepts) -> bool:
    size = next(inputs[n].shape[a] for n, a in axes)
    # A size of one says nothing: it is stretched to any other.
    tried = dict.fromkeys(s for s in (size + 1, size - 1, 2 * size, size // 2) if s > 1 and s != size)
    return any(accepts(resize(inputs, axes, s)) for s in tried)


def resize(inputs: Mapping[str, Any], axes: Axes, size: int) -> dict[str, Any]:
    """The inputs with the given axes brought to ``size``, by repeating or dropping their ends.

    Lengths follow an axis that they can be lengths of: one that is at least as long as all of them.
    """
    import torch

    changed = {}
    before = min((inputs[n].shape[a] for n, a in axes), default=0)
    for name, tensor in inputs.items():
        for axis in sorted(a for n, a in axes if n == name):
            tensor = tensor.index_select(axis, torch.arange(size, device=tensor.device) % tensor.shape[axis])
        if tensor.ndim == 1 and not tensor.is_floating_point() and tensor.dtype != torch.bool:
            follows = (name, 0) not in axes and bool((tensor <= before).all())
            tensor = tensor.clamp(max=max(size, 1)) if follows else tensor
        changed[name] = tensor
    return changed


def _label(shapes: dict[str, list[int | str | None]], axes: Axes, symbol: str) -> None:
    for name, axis in axes:
        shapes[name][axis] = symbol
