"""Settings that several tables make in the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Along, Compare, Fill, Lookup, Pad, Pick, Reduce, Settings, Slice, Window
from maskcheck.loaders.keras.translate.call import Call, Operand, Translation, integers, is_integer

NO_END = 2**31 - 1
"""The end of an axis, however long it is; its negative is the one before the start."""

WHOLE = (0, NO_END, 1)
"""Start, end and step of a slice that takes all of an axis."""


Function = TypeVar("Function", bound=Callable[..., Any])


def by_name(source: Mapping[Function, str]) -> dict[str, Function]:
    """A table from names to functions, out of one from functions to lists of names."""
    return {name: function for function, names in source.items() for name in names.split()}


_REFINED: dict[tuple[Operation, type], Operation] = {
    (Operation.GATHER, Lookup): Operation.EMBEDDING,
    (Operation.SLICE, Reduce): Operation.UNSQUEEZE,
    (Operation.SLICE, Pick): Operation.GATHER,
}


def refine(operation: Operation, settings: Settings | None) -> Translation:
    """The operation as its settings show it: who picks one position of an axis selects, whatever the operator."""
    if isinstance(settings, Pick) and isinstance(settings.indices, int):
        return Translation(operation=Operation.SELECT, settings=settings)
    return Translation(operation=_REFINED.get((operation, type(settings)), operation), settings=settings)


def fill_among(operands: Iterable[Operand]) -> Fill:
    """The constants among ``operands``."""
    return Fill(values=tuple(number for o in operands if (number := o.number) is not None))


def fill(call: Call) -> Fill:
    return fill_among(call.operands)


def fill_of_choice(call: Call) -> Fill:
    """The constants between which a selection chooses; its condition comes first."""
    return fill_among(call.operands[1:])


def comparison(call: Call) -> Compare:
    left, right = call.operand(0), call.operand(1)
    if right.number is not None:
        return Compare(value=right.number, operand=left.key)
    if left.number is not None:
        return Compare(value=left.number, operand=right.key, swapped=True)
    return Compare()


def along_attribute(call: Call) -> Along:
    return Along(axis=call.integer("axis"))


def gather(table: Operand, ids: Operand, axis: int | None) -> Lookup | Pick:
    """Rows of a constant table picked by what the inputs hold, or positions picked from a computed tensor."""
    if table.key is None and ids.key is not None and not ids.sized:
        return Lookup(rows=_size(table, axis), ids=ids.key)
    scalar = ids.constant is not None and ids.constant.ndim == 0
    return Pick(axis=axis, indices=ids.integer if scalar else ids.integers)


def _size(table: Operand, axis: int | None) -> int | None:
    axis = axis or 0
    return table.shape[axis] if table.shape is not None and -len(table.shape) <= axis < len(table.shape) else None


def cut(key: Sequence[Any]) -> Reduce | Pick | Slice:
    """What ``x[key]`` does: makes new axes, picks positions from one, or takes slices."""
    entries = tuple(_axes_of_entries(key))
    indexed = next(((axis, entry) for axis, entry in entries if not _plain(entry)), None)
    if indexed is not None:
        return Pick(axis=indexed[0], indices=integers(indexed[1]))
    cuts = [(axis, entry) for axis, entry in entries if is_integer(entry) or bounds(entry) != WHOLE]
    new = _new_axes(key)
    if new and not cuts:
        return Reduce(axes=new)
    if len(cuts) == 1 and not new and is_integer(cuts[0][1]):
        return Pick(axis=cuts[0][0], indices=int(cuts[0][1]))
    return slices({axis: bounds(entry) for axis, entry in cuts})


def slices(cuts: Mapping[int, tuple[int, int, int] | None]) -> Slice:
    """Slices by axis, each a start, an end and a step; ``None`` for one that is not known."""
    known = [c for c in cuts.values() if c is not None]
    if len(known) < len(cuts):
        return Slice()
    starts, ends, steps = (tuple(c[i] for c in known) for i in range(3))
    return Slice(axes=tuple(cuts), starts=starts, ends=ends, steps=steps)


def bounds(entry: Any) -> tuple[int, int, int] | None:
    """Start, end and step of a slice or of a single position; ``None`` where they are not plain numbers."""
    if is_integer(entry):
        return int(entry), NO_END if entry == -1 else int(entry) + 1, 1
    if not all(b is None or is_integer(b) for b in (entry.start, entry.stop, entry.step)):
        return None
    step = 1 if entry.step is None else int(entry.step)
    first, last = (0, NO_END) if step > 0 else (-1, -NO_END)
    return first if entry.start is None else int(entry.start), last if entry.stop is None else int(entry.stop), step


def _axes_of_entries(key: Sequence[Any]) -> Iterator[tuple[int, Any]]:
    """Every entry that belongs to an axis of the operand, with that axis: behind dots it counts from the last."""
    owned = [e for e in key if e is not None]
    dots = next((i for i, e in enumerate(owned) if e is Ellipsis), len(owned))
    yield from enumerate(owned[:dots])
    yield from ((dots + 1 + i - len(owned), e) for i, e in enumerate(owned[dots + 1 :]))


def _new_axes(key: Sequence[Any]) -> tuple[int, ...]:
    """The new axes of the result, provided that no entry takes an axis away; behind dots they count from the last."""
    dots = next((i for i, e in enumerate(key) if e is Ellipsis), len(key))
    return tuple(i if i < dots else i - len(key) for i, e in enumerate(key) if e is None)


def _plain(entry: Any) -> bool:
    """Whether an entry of a key is a slice or one position, not a list or a tensor of positions."""
    return isinstance(entry, slice) or is_integer(entry)


def window(
    *,
    kernel: tuple[int, ...] | None,
    strides: tuple[int, ...] | None,
    dilations: tuple[int, ...] | None,
    padding: str,
    groups: int = 1,
    channels_last: bool = True,
) -> Window:
    """A convolution or pooling; ``padding`` is "valid", "same" or "causal". A number alone holds for every axis."""
    rank = len(kernel or strides or ())
    kernel, strides, dilations = (_spread(v, rank) for v in (kernel, strides, dilations))
    before, after = _laid(padding.lower(), kernel, dilations, rank)
    return Window(
        kernel=kernel,
        strides=strides,
        dilations=dilations,
        before=before,
        after=after,
        same=padding.lower() == "same",
        causal=padding.lower() == "causal",
        groups=groups,
        channels_last=channels_last,
    )


def kernel_of(call: Call) -> tuple[int, ...] | None:
    """Sizes along the axes of positions of a kernel (positions ..., features read, features made)."""
    shape = call.operand(1).shape
    return None if shape is None else shape[:-2]


def features_of(call: Call) -> int:
    """How many features a kernel reads; 1 where that is not known."""
    shape = call.operand(1).shape
    return 1 if shape is None else shape[-2]


def groups_of(call: Call, channels_last: bool) -> int:
    """How often the features that a kernel reads fit into those there are."""
    data, kernel = call.operand(0).shape, call.operand(1).shape
    if data is None or kernel is None:
        return 1
    return max((data[-1] if channels_last else data[1]) // kernel[-2], 1)


def _spread(values: tuple[int, ...] | None, rank: int) -> tuple[int, ...] | None:
    return values * rank if values is not None and len(values) == 1 else values


_Laid = tuple[tuple[int, ...] | None, tuple[int, ...] | None]


def _laid(padding: str, kernel: tuple[int, ...] | None, dilations: tuple[int, ...] | None, rank: int) -> _Laid:
    """Zeros laid before and after each axis; ``None`` where that depends on its length, or is not told."""
    none = (0,) * rank
    if padding == "causal" and kernel is not None:
        return tuple((k - 1) * d for k, d in zip(kernel, dilations or (1,) * rank, strict=True)), none
    return (none, none) if padding == "valid" and rank else (None, None)


def pad(widths: Sequence[Sequence[int]] | None, value: float | None = 0.0, *, copies: bool = False) -> Pad:
    """``widths``: for every axis how many positions are laid before it and how many after it."""
    if widths is None:
        return Pad(fill=value, copies=copies)
    before, after = (tuple(int(w[side]) for w in widths) for side in (0, 1))
    return Pad(before=before, after=after, fill=value, copies=copies)
