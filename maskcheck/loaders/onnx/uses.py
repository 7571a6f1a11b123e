"""How the model's inputs are consumed, seen through operators that keep values."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.settings import Along, Attention, Compare, Lookup, Recurrence, Settings
from maskcheck.loaders.onnx.constants import Constants
from maskcheck.loaders.onnx.dependence import Level
from maskcheck.loaders.onnx.graph import OnnxGraph, OnnxNode
from maskcheck.loaders.onnx.operations import operation_of
from maskcheck.loaders.onnx.translate import Ranks

_KEEPS = frozenset(
    {
        *("Cast", "CastLike", "Identity", "Reshape", "Unsqueeze", "Squeeze", "Expand", "Transpose", "Flatten", "Tile"),
        *("Slice", "Split", "Gather", "GatherND", "GatherElements", "Concat", "Pad", "Optional", "OptionalGetElement"),
    }
)
_SIZES = frozenset({"Shape", "Size"})


@dataclass(frozen=True, slots=True)
class _View:
    """An input as some tensor holds it. ``column`` says that only one column of it is left; ``rank`` may be unknown."""

    key: str
    column: bool
    rank: int | None


def input_uses(graph: OnnxGraph, constants: Constants, sites: Sequence[Site], ranks: Ranks) -> tuple[InputUse, ...]:
    """All uses of all inputs, in the order in which they are met. ``ranks`` gives the inputs' declared ranks."""
    uses: list[InputUse] = []
    settings = {site.name: site.settings for site in sites}
    for name in graph.inputs:
        uses += _of_input(name, graph, constants, settings, ranks.get(name))
    return tuple(dict.fromkeys(uses))


def _of_input(
    name: str, graph: OnnxGraph, constants: Constants, settings: Mapping[str, Settings | None], rank: int | None
) -> list[InputUse]:
    found: list[InputUse] = []
    queue = deque([_View(name, False, rank)])
    seen = {(name, False)}
    while queue:
        view = queue.popleft()
        for node in graph.consumers.get(view.key, ()):
            if node.default and node.op in _SIZES:
                continue
            if (wrapped := _wrapped_ids(node, view.key, graph, constants)) is not None:
                if wrapped and (wrapped, view.column) not in seen:
                    seen.add((wrapped, view.column))
                    queue.append(_View(wrapped, view.column, view.rank))
                continue
            for position in _positions(node, view.key):
                if _keeps(node, position, constants):
                    for following in _following(node, view, constants):
                        if (following.key, following.column) not in seen:
                            seen.add((following.key, following.column))
                            queue.append(following)
                else:
                    found.append(_use(name, node, view, settings[node.name]))
    if any(use.kind is UseKind.COMPARE for use in found):
        found += _kept_rows(name, found, graph, constants)
    return found


def _kept_rows(name: str, found: Sequence[InputUse], graph: OnnxGraph, constants: Constants) -> Iterator[InputUse]:
    """The row of a table that frameworks fill with zeros and never train, which is that of padding."""
    nodes = {node.name: node for node in graph.nodes}
    for use in found:
        node = nodes.get(use.site)
        if use.kind is not UseKind.INDEX or node is None or node.op != "Gather" or node.attributes.get("axis", 0) != 0:
            continue
        table = constants.weight(node.input(0))
        if table is not None and table.ndim == 2 and table.dtype.kind == "f":
            empty = [int(row) for row in np.flatnonzero(table[:, 0] == 0) if not table[row].any()]
            if len(empty) == 1:
                yield InputUse(
                    input=name,
                    kind=UseKind.PADDING,
                    site=use.site,
                    operator=use.operator,
                    value=empty[0],
                    operation=use.operation,
                )


def _wrapped_ids(node: OnnxNode, key: str, graph: OnnxGraph, constants: Constants) -> str | None:
    """The ids behind ``Where(ids < 0, ids + rows, ids)``, by which frameworks let negative indices count from the end.

    ``""`` for the comparison and the addition inside it, which tell nothing of padding; ``None`` for any other node.
    """
    if not node.default:
        return None
    if node.op == "Where":
        return node.makes[0] if _is_wrap(node, key, graph, constants) else None
    if node.op not in ("Less", "Add"):
        return None
    readers = [reader for name in node.makes for reader in graph.consumers.get(name, ())]
    return "" if readers and all(_is_wrap(reader, key, graph, constants) for reader in readers) else None


def _is_wrap(node: OnnxNode, key: str, graph: OnnxGraph, constants: Constants) -> bool:
    if node.op != "Where" or not node.default or node.input(2) != key:
        return False
    below, moved = graph.producers.get(node.input(0)), graph.producers.get(node.input(1))
    if below is None or moved is None or below.op != "Less" or moved.op != "Add":
        return False
    return below.input(0) == key and constants.fill(below.input(1)) == 0 and key in moved.inputs


def _positions(node: OnnxNode, key: str) -> list[int]:
    """Operand positions at which ``node`` reads ``key``; -1 for a reading by its subgraphs."""
    direct = [i for i, name in enumerate(node.inputs) if name == key]
    return direct + ([-1] if key in node.captured else [])


def _keeps(node: OnnxNode, position: int, constants: Constants) -> bool:
    if not node.default or node.op not in _KEEPS:
        return False
    if node.op in ("Gather", "GatherND", "GatherElements"):
        # Data may be picked from by anything that does not depend on content, else positions are chosen by data.
        return position == 0 and constants.dependence.level(node.input(1)) is not Level.DATA
    return position == 0 or node.op == "Concat"


def _following(node: OnnxNode, view: _View, constants: Constants) -> list[_View]:
    column = view.column or _one_column(node, constants)
    return [_View(name, column, _rank(node, view.rank, constants)) for name in node.makes]


def _one_column(node: OnnxNode, constants: Constants) -> bool:
    """Whether ``node`` leaves one column of its operand: what models of tables do to their features."""
    if node.op == "Gather":
        index = constants.value(node.input(1))
        return index is not None and index.size == 1 and node.attributes.get("axis", 0) != 0
    if node.op == "Slice":
        return _slice_width(node, constants) == 1
    if node.op == "Split":
        sizes = constants.integers(node.input(1)) or node.attributes.get("split") or ()
        return len(sizes) > 1 and set(sizes) == {1}
    return False


def _slice_width(node: OnnxNode, constants: Constants) -> int | None:
    """Width of a slice along its only axis, where constants fix it and the axis is not the first."""
    starts = constants.integers(node.input(1)) or node.attributes.get("starts")
    ends = constants.integers(node.input(2)) or node.attributes.get("ends")
    axes = constants.integers(node.input(3)) or node.attributes.get("axes") or (0,)
    if not starts or not ends or len(starts) != 1 or axes[0] == 0:
        return None
    start, end = starts[0], ends[0]
    whole = start < 0 <= end
    return 1 if whole and start == -1 else (None if whole or (start >= 0) != (end >= 0) else end - start)


def _rank(node: OnnxNode, rank: int | None, constants: Constants) -> int | None:
    if node.op == "Reshape":
        shape = constants.integers(node.input(1))
        if shape is not None:
            return len(shape)
        dims = constants.graph.producers.get(node.input(1))
        return len(dims.inputs) if dims is not None and dims.op == "Concat" else None
    if node.op in ("Unsqueeze", "Squeeze"):
        axes = constants.integers(node.input(1)) or node.attributes.get("axes")
        if rank is None or axes is None:
            return None
        return rank + len(axes) * (1 if node.op == "Unsqueeze" else -1)
    if node.op == "Expand":
        shape = constants.integers(node.input(1))
        return None if shape is None or rank is None else max(rank, len(shape))
    if node.op == "Gather":
        index = constants.value(node.input(1))
        return None if rank is None or index is None else rank - 1 + index.ndim
    if node.op == "GatherND":
        return None
    return 2 if node.op == "Flatten" else rank


def _use(name: str, node: OnnxNode, view: _View, settings: Settings | None) -> InputUse:
    kind, value = (UseKind.OTHER, None) if view.column else _meaning(view, settings)
    return InputUse(
        input=name, kind=kind, site=node.name, operator=node.operator, value=value, operation=operation_of(node)
    )


def _meaning(view: _View, settings: Settings | None) -> tuple[UseKind, float | int | None]:
    match settings:
        case Lookup(mask=view.key):
            return UseKind.MASK, view.rank
        case Lookup() if looked_up := [table for table in (settings, *settings.others) if table.ids == view.key]:
            return UseKind.INDEX, looked_up[0].rows
        case Compare(operand=view.key, value=float() as value):
            return UseKind.COMPARE, _whole(value)
        case Recurrence(lengths=view.key) | Attention(lengths=view.key) | Along(lengths=view.key):
            return UseKind.LENGTHS, None
        case Attention(mask=view.key) | Attention(bias=view.key):
            return UseKind.MASK, view.rank
    return UseKind.OTHER, None


def _whole(value: float) -> float | int:
    return int(value) if value.is_integer() else value
