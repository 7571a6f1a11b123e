"""Settings of operators that pick, cut, look up or add positions."""

from __future__ import annotations

from maskcheck.ir.settings import Lookup, Pad, Pick, Slice
from maskcheck.loaders.onnx.constants import GraphConstants
from maskcheck.loaders.onnx.graph import OnnxNode
from maskcheck.loaders.onnx.translate.node import NodeView, table

Integers = tuple[int, ...]


def is_table_lookup(node: OnnxNode, constants: GraphConstants) -> bool:
    """Whether ``node`` picks rows of a constant table by integers that depend on the inputs."""
    if node.op != "Gather" or not node.default or node.attributes.get("axis", 0) != 0:
        return False
    shape = constants.shape(node.input(0))
    return shape is not None and len(shape) == 2 and node.input(1) in constants.varying


def gather(view: NodeView) -> Lookup | Pick:
    """A lookup where the table is a constant of any rank and the ids are not."""
    axis = view.attribute("axis", 0)
    if is_table_lookup(view.node, view.constants) or _reads_constant(view):
        return _lookup(view, table=0, ids=1, axis=axis)
    return Pick(axis=axis, indices=_indices(view))


def _reads_constant(view: NodeView) -> bool:
    constants, node = view.constants, view.node
    return constants.is_constant(node.input(0)) and node.input(1) in constants.varying


def _lookup(view: NodeView, *, table: int, ids: int, axis: int = 0) -> Lookup:
    """Rows of the table at one position by the ids at another."""
    dims = view.dims(table)
    known = dims is not None and -len(dims) <= axis < len(dims)
    return Lookup(rows=dims[axis] if dims is not None and known else None, ids=view.key(ids))


def _indices(view: NodeView) -> int | Integers | None:
    value = view.constants.value(view.node.input(1))
    if value is None or value.dtype.kind not in "iu":
        return None
    return int(value) if value.ndim == 0 else tuple(int(index) for index in value.reshape(-1))


def gather_elements(view: NodeView) -> Pick:
    """Every position of the result picks for itself, so no list of indices tells what is picked."""
    return Pick(axis=view.attribute("axis", 0))


def gather_many(view: NodeView) -> Pick:
    """Picks along several axes at once."""
    return Pick(axis=None)


def quantised_lookup(view: NodeView) -> Lookup:
    return _lookup(view, table=0, ids=1, axis=view.attribute("gather_axis", 0))


def embedding_norm(view: NodeView) -> Lookup:
    """Words, segments and positions at once; the two latter may be left out."""
    words = _lookup(view, table=2, ids=0)
    places = {1: 4, 8: 3} if view.node.op == "EmbedLayerNormalization" else {1: 4}
    others = tuple(_lookup(view, table=at, ids=ids) for ids, at in places.items() if view.key(ids))
    return Lookup(rows=words.rows, ids=words.ids, others=others, mask=view.key(7))


def one_hot(view: NodeView) -> Lookup:
    depth = view.number(1)
    return Lookup(rows=None if depth is None else int(depth), ids=view.key(0))


def cut(view: NodeView) -> Slice:
    """Bounds are attributes before opset 10, operands since; axes and steps may be left out."""
    starts, ends = view.given("starts", 1), view.given("ends", 2)
    axes = view.given("axes", 3, _all_of(starts or ends))
    count = len(starts or ends or axes or ())
    return Slice(axes=axes, starts=starts, ends=ends, steps=view.given("steps", 4, (1,) * count or None))


def _all_of(bounds: Integers | None) -> Integers | None:
    return None if bounds is None else tuple(range(len(bounds)))


def pad(view: NodeView) -> Pad:
    before, after = _amounts(view)
    if view.attribute("mode", "constant") != "constant":
        return Pad(before=before, after=after, fill=None, copies=True)
    fill = view.number(2) if view.key(2) else float(view.attribute("value", 0.0))
    return Pad(before=before, after=after, fill=fill)


def _amounts(view: NodeView) -> tuple[Integers | None, Integers | None]:
    """What is laid before and after every axis of the tensor, whichever axes the operator names."""
    amounts = view.given("paddings" if view.opset < 2 else "pads", 1)
    if amounts is None:
        return None, None
    half = len(amounts) // 2
    before, after = amounts[:half], amounts[half:]
    return (_spread(view, before), _spread(view, after)) if view.key(3) else (before, after)


def _spread(view: NodeView, amounts: Integers) -> Integers | None:
    axes, rank = view.integers(3), view.rank(0)
    if axes is None or not rank:
        return None
    by_axis = {axis % rank: amount for axis, amount in zip(axes, amounts, strict=False)}
    return tuple(by_axis.get(axis, 0) for axis in range(rank))


def fit(view: NodeView) -> Pad:
    """Cuts or fills up with zeros, by as much as the sizes ask for."""
    return Pad()


MAKERS = table(
    {
        gather: ("Gather", ""),
        gather_elements: ("GatherElements", ""),
        gather_many: ("GatherND", "GatherND"),
        quantised_lookup: ("", "GatherBlockQuantized"),
        embedding_norm: ("", "EmbedLayerNormalization QEmbedLayerNormalization"),
        one_hot: ("OneHot", ""),
        cut: ("Slice DynamicSlice", "DynamicSlice"),
        pad: ("Pad", "Pad"),
        fit: ("CenterCropPad", ""),
    }
)
