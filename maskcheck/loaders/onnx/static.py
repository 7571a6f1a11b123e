"""Suspicious things the graph shows without being run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from maskcheck.core.model import InputUse, StaticFact
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.loaders.onnx.constants import Constants
from maskcheck.loaders.onnx.graph import OnnxGraph, OnnxNode
from maskcheck.loaders.onnx.sites import BIAS_OPERAND, LENGTHS_OPERAND, MASK_OPERAND

_WEAK = -1000.0
_WEAKEST = -1.0
"""Fills between these two are meant to mask and do not; a fill nearer to zero is ordinary arithmetic."""

_HALF_LOWEST = -65504.0


def static_facts(
    graph: OnnxGraph,
    constants: Constants,
    sites: Sequence[Site],
    uses: Sequence[InputUse],
    ranks: Mapping[str, int | None],
) -> tuple[StaticFact, ...]:
    """Everything noticed, inputs first and then site by site."""
    facts = list(_unused(graph, uses))
    for node, site in zip(graph.nodes, sites, strict=True):
        for group in (_recurrent, _attention, _lengths, _fill, _frozen_mask, _quantisation):
            facts += group(node, site, constants)
    facts += _mask_index(graph, ranks)
    return tuple(facts)


def _unused(graph: OnnxGraph, uses: Sequence[InputUse]) -> Iterator[StaticFact]:
    read = {use.input for use in uses}
    for name in graph.inputs:
        if name in read or _reaches_output(name, graph):
            continue
        seen = "only its shape is read" if name in graph.consumers else "no operator reads it"
        yield StaticFact("unused-input", None, f"input {name!r}: {seen}")


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
    recurrent = site.kind is Kind.RECURRENT or node.op == "DynamicQuantizeLSTM"
    if recurrent and site.attributes.get("has_sequence_lens") is False:
        direction = node.attributes.get("direction", "forward")
        yield StaticFact("no-sequence-lens", site.name, f"{node.op} ({direction}) without sequence_lens")


def _attention(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    operation = node.operator
    if operation not in MASK_OPERAND or site.kind is not Kind.ATTENTION:
        return
    operands = (MASK_OPERAND[operation], BIAS_OPERAND.get(operation), LENGTHS_OPERAND.get(operation))
    if not any(p is not None and node.input(p) for p in operands):
        yield StaticFact("attention-without-mask", site.name, f"{node.op} is given no mask")
    value = site.attributes.get("mask_filter_value")
    if site.attributes.get("has_mask") and isinstance(value, float) and value > _WEAK:
        yield StaticFact("weak-fill", site.name, f"{node.op} masks with {value:g}")


def _lengths(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    position = LENGTHS_OPERAND.get(node.operator)
    if position is None or not node.input(position):
        return
    if node.operator == "Attention":
        yield StaticFact("kv-lengths", site.name, "Attention is given nonpad_kv_seqlen")
    if constants.is_constant(node.input(position)):
        fixed = constants.integers(node.input(position))
        yield StaticFact("baked-length", site.name, f"{node.op} reads constant lengths {list(fixed or ())}")


def _fill(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    """Fills of selections and additive masks that are too weak, or that half precision turns into -inf."""
    if not node.default or node.op not in ("Where", "Mul"):
        return
    values = site.attributes.get("fills") or [site.attributes.get("fill")]
    masks = node.op == "Where" or any(_one_minus(name, constants) for name in node.inputs)
    for value in values:
        if not isinstance(value, (int, float)):
            continue
        if masks and _WEAK < value < _WEAKEST and not _integer_fill(node, constants):
            yield StaticFact("weak-fill", site.name, f"{node.op} fills with {value:g}")
        half = any(_is_half(name, constants) for name in node.inputs)
        if half and value < _HALF_LOWEST:
            yield StaticFact("half-fill", site.name, f"{node.op} fills a float16 tensor with {value:g}")


def _frozen_mask(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    """A constant that hides the same keys for every query: the padding of the traced example. A triangle does not."""
    operands = {"Add": (0, 1), "Where": (0,)}.get(node.op, ()) if node.default else ()
    for position in operands:
        value = constants.value(node.input(position)) if node.input(position) else None
        if value is None or value.ndim == 0 or value.dtype.kind not in "fb":
            continue
        fill = site.attributes.get("fill")
        if value.dtype.kind == "b" and not (isinstance(fill, int | float) and fill <= _WEAK):
            continue
        hidden = ~value if value.dtype.kind == "b" else value <= _WEAK
        rest = value[~hidden]
        additive = value.dtype.kind == "b" or (rest.size > 0 and not rest.any())
        alike = hidden.ndim < 2 or bool((hidden == hidden[..., :1, :]).all())
        if additive and alike and 0 < hidden.sum() < hidden.size:
            columns = int(hidden.reshape(-1, hidden.shape[-1]).sum(axis=-1).max())
            yield StaticFact(
                "baked-length",
                site.name,
                f"{node.op} lays a constant mask on it, which hides up to {columns} of {hidden.shape[-1]} columns",
            )


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


_DYNAMIC = frozenset({"DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM"})


def _quantisation(node: OnnxNode, site: Site, constants: Constants) -> Iterator[StaticFact]:
    if node.op in _DYNAMIC:
        yield StaticFact("dynamic-quantization", site.name, f"{node.op} takes its scale from the whole tensor")


def _mask_index(graph: OnnxGraph, ranks: Mapping[str, int | None]) -> Iterator[StaticFact]:
    """Attention that reads positions of the first pad (one number per row) instead of a mask."""
    for node in graph.nodes:
        position = MASK_OPERAND.get(node.operator)
        name = node.input(position) if position is not None else ""
        if name and ranks.get(name) == 1:
            yield StaticFact("mask-index", node.name, f"{node.op} reads one length per row instead of a mask")
