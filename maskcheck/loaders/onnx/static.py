"""Suspicious things the graph shows without being run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Along, Attention, Fill, Recurrence
from maskcheck.ir.static_fact import FactKind, StaticFact
from maskcheck.loaders.onnx.constants import Constants
from maskcheck.loaders.onnx.graph import OnnxGraph, OnnxNode

_WEAK = -1000.0
_WEAKEST = -1.0
"""Fills between these two are meant to mask and do not; a fill nearer to zero is ordinary arithmetic."""

_HALF_LOWEST = -65504.0


def static_facts(
    graph: OnnxGraph,
    constants: Constants,
    sites: Sequence[Site],
    uses: Sequence[InputUse],
) -> tuple[StaticFact, ...]:
    """Everything noticed, inputs first and then site by site."""
    facts = list(_unused(graph, uses))
    for node, site in zip(graph.nodes, sites, strict=True):
        for group in (_recurrent, _attention, _lengths, _fill, _frozen_mask, _quantisation):
            facts += group(node, site, constants)
    facts += _mask_index(graph, sites)
    return tuple(facts)


def _unused(graph: OnnxGraph, uses: Sequence[InputUse]) -> Iterator[StaticFact]:
    read = {use.input for use in uses}
    for name in graph.inputs:
        if name in read or _reaches_output(name, graph):
            continue
        seen = "only its shape is read" if name in graph.consumers else "no operator reads it"
        yield StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail=f"input {name!r}: {seen}")


def _reaches_output(name: str, graph: OnnxGraph) -> bool:
    """Whether values of ``name`` arrive at an output by being moved alone."""
    queue, seen = [name], {name}
    while queue:
        key = queue.pop()
        if key in graph.outputs:
            return True
        readers = (node for node in graph.consumers.get(key, ()) if node.op not in ("Shape", "Size"))
        fresh = {made for node in readers for made in node.makes} - seen
        seen |= fresh
        queue += fresh
    return False


def _recurrent(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    match site.settings:
        case Recurrence(lengths=None, direction=direction):
            yield StaticFact(
                kind=FactKind.NO_LENGTHS, site=site.name, detail=f"{node.op} ({direction}) without sequence_lens"
            )


def _attention(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    match site.settings:
        case Attention(takes_mask=True, has_mask=False):
            yield StaticFact(kind=FactKind.NO_MASK, site=site.name, detail=f"{node.op} is given no mask")
        case Attention(mask=str(), fill=float() as value) if value > _WEAK:
            yield StaticFact(kind=FactKind.WEAK_FILL, site=site.name, detail=f"{node.op} masks with {value:g}")


def _lengths(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    match site.settings:
        case (Recurrence() | Attention() | Along()) as told if told.lengths is not None:
            lengths = told.lengths
        case _:
            return
    if node.operator == "Attention":
        yield StaticFact(kind=FactKind.KEY_LENGTHS, site=site.name, detail="Attention is given nonpad_kv_seqlen")
    if constants.is_constant(lengths):
        fixed = constants.integers(lengths)
        yield StaticFact(
            kind=FactKind.BAKED_LENGTH, site=site.name, detail=f"{node.op} reads constant lengths {list(fixed or ())}"
        )


def _fill(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    """Fills of selections and additive masks that are too weak, or that half precision turns into -inf."""
    masks = site.operation is Operation.WHERE or any(_one_minus(name, constants) for name in node.inputs)
    for value in _fills(site):
        if masks and _WEAK < value < _WEAKEST and not _integer_fill(node, constants):
            yield StaticFact(kind=FactKind.WEAK_FILL, site=site.name, detail=f"{node.op} fills with {value:g}")
        half = any(_is_half(name, constants) for name in node.inputs)
        if half and value < _HALF_LOWEST:
            yield StaticFact(
                kind=FactKind.HALF_FILL, site=site.name, detail=f"{node.op} fills a float16 tensor with {value:g}"
            )


def _fills(site: Site) -> tuple[float, ...]:
    """What a selection puts in, or a product multiplies by."""
    match site.operation, site.settings:
        case Operation.WHERE, Fill(values=values):
            return values
        case Operation.MULTIPLY, Fill(value=float() as value):
            return (value,)
    return ()


def _frozen_mask(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    """A constant that hides the same keys for every query: the padding of the traced example. A triangle does not."""
    operands = {"Add": (0, 1), "Where": (0,)}.get(node.op, ()) if node.default else ()
    for position in operands:
        value = constants.value(node.input(position)) if node.input(position) else None
        if value is None or value.ndim == 0 or value.dtype.kind not in "fb":
            continue
        if value.dtype.kind == "b" and not _hides(site):
            continue
        hidden = ~value if value.dtype.kind == "b" else value <= _WEAK
        rest = value[~hidden]
        additive = value.dtype.kind == "b" or (rest.size > 0 and not rest.any())
        alike = hidden.ndim < 2 or bool((hidden == hidden[..., :1, :]).all())
        if additive and alike and 0 < hidden.sum() < hidden.size:
            columns = int(hidden.reshape(-1, hidden.shape[-1]).sum(axis=-1).max())
            yield StaticFact(
                kind=FactKind.BAKED_LENGTH,
                site=site.name,
                detail=f"{node.op} lays a constant mask on it, which hides up to {columns} of "
                f"{hidden.shape[-1]} columns",
            )


def _hides(site: Site) -> bool:
    """Whether the only constant of the site is one that removes a score."""
    fill = site.settings.value if isinstance(site.settings, Fill) else None
    return fill is not None and fill <= _WEAK


def _one_minus(name: str, constants: Constants) -> bool:
    """Whether ``name`` is ``1 - x``, the way additive masks begin."""
    node = constants.graph.producers.get(name)
    return node is not None and node.op == "Sub" and constants.fill(node.input(0)) == 1.0


def _integer_fill(node: OnnxNode, constants: Constants) -> bool:
    values = [constants.value(name) for name in node.inputs]
    return any(v is not None and v.dtype.kind in "iu" for v in values)


def _is_half(name: str, constants: Constants) -> bool:
    from onnx import TensorProto

    tensor = constants.graph.initializers.get(name)
    if tensor is not None:
        return bool(tensor.data_type == TensorProto.FLOAT16)
    value = constants.value(name)
    return value is not None and value.dtype == "float16"


def _quantisation(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    if site.kind is Kind.QUANTIZE:
        yield StaticFact(
            kind=FactKind.DYNAMIC_QUANTIZATION,
            site=site.name,
            detail=f"{node.op} takes its scale from the whole tensor",
        )


def _mask_index(graph: OnnxGraph, sites: Sequence[Site]) -> Iterator[StaticFact]:
    """Attention that reads positions of the first pad (one number per row) instead of a mask."""
    for node, site in zip(graph.nodes, sites, strict=True):
        match site.settings:
            case Attention(mask_rank=1):
                yield StaticFact(
                    kind=FactKind.MASK_INDEX,
                    site=site.name,
                    detail=f"{node.op} reads one length per row instead of a mask",
                )
