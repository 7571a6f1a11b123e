"""The model's graph as plain Python: nodes in order, and who makes and who reads each tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx

DEFAULT_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxNode:
    """One node.

    ``inputs`` are its operands by position ("" where omitted), ``captured`` what its subgraphs read from outside.
    """

    name: str
    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    captured: tuple[str, ...]
    attributes: Mapping[str, Any]
    proto: onnx.NodeProto
    is_function: bool = False
    random_inside: bool = False

    @property
    def default(self) -> bool:
        """Whether the operator is one of the ONNX standard's own."""
        return self.domain in DEFAULT_DOMAINS and not self.is_function

    @property
    def operator(self) -> str:
        return self.op if self.domain in DEFAULT_DOMAINS else f"{self.domain}.{self.op}"

    @property
    def reads(self) -> tuple[str, ...]:
        """Every tensor the node reads, operands first, without repetition or gaps."""
        return tuple(dict.fromkeys(name for name in (*self.inputs, *self.captured) if name))

    @property
    def makes(self) -> tuple[str, ...]:
        return tuple(name for name in self.outputs if name)

    def input(self, position: int) -> str:
        """The operand at ``position``, "" where it was left out."""
        return self.inputs[position] if position < len(self.inputs) else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxGraph:
    """A model's top-level graph. ``inputs`` are those a caller feeds; ``defaults`` those that may be left out.

    ``sparse`` names the constants that are stored sparsely, whose values are not read here.
    """

    model: onnx.ModelProto
    nodes: tuple[OnnxNode, ...]
    inputs: tuple[str, ...]
    defaults: frozenset[str]
    outputs: tuple[str, ...]
    initializers: Mapping[str, onnx.TensorProto]
    sparse: frozenset[str]
    opset: int


def build(model: onnx.ModelProto) -> OnnxGraph:
    """Read the graph of ``model``; nodes come out in an order in which every tensor is made before it is read."""
    graph = model.graph
    initializers = {t.name: t for t in graph.initializer}
    listed = [v.name for v in graph.input]
    defaults = _defaults(model, listed, initializers)
    functions = {(f.domain, f.name) for f in model.functions}
    return OnnxGraph(
        model=model,
        nodes=_sort(_nodes(graph.node, functions)),
        inputs=tuple(name for name in listed if name not in initializers or name in defaults),
        defaults=defaults,
        outputs=tuple(v.name for v in graph.output),
        initializers=initializers,
        sparse=frozenset(s.values.name for s in graph.sparse_initializer),
        opset=opset_of(model),
    )


def opset_of(model: onnx.ModelProto) -> int:
    """The version of the standard operator set the model uses; 1 where it names none."""
    return max((o.version for o in model.opset_import if o.domain in DEFAULT_DOMAINS), default=1)


def _defaults(model: onnx.ModelProto, listed: list[str], initializers: Mapping[str, Any]) -> frozenset[str]:
    """Inputs with a default value.

    Before IR version 4 every initialiser had to be listed as an input, and some exporters still list them all:
    those are weights, not inputs.
    """
    both = [name for name in listed if name in initializers]
    habit = model.ir_version < 4 or (len(both) > 2 and len(both) == len(initializers))
    return frozenset() if habit else frozenset(both)


def _nodes(protos: Iterable[onnx.NodeProto], functions: set[tuple[str, str]]) -> list[OnnxNode]:
    names: set[str] = {p.name for p in protos if p.name}
    taken: set[str] = set()
    return [_node(p, _unique(p, index, names, taken), functions) for index, p in enumerate(protos)]


def _unique(proto: onnx.NodeProto, index: int, names: set[str], taken: set[str]) -> str:
    name = proto.name or f"{proto.op_type}_{index}"
    if name in taken or (not proto.name and name in names):
        name = f"{name}_{index}"
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _node(proto: onnx.NodeProto, name: str, functions: set[tuple[str, str]]) -> OnnxNode:
    subgraphs = list(subgraphs_of(proto))
    return OnnxNode(
        name=name,
        op=proto.op_type,
        domain=proto.domain,
        inputs=tuple(proto.input),
        outputs=tuple(proto.output),
        captured=tuple(dict.fromkeys(n for g in subgraphs for n in names_from_outside(g))),
        attributes=_attributes(proto),
        proto=proto,
        is_function=(proto.domain, proto.op_type) in functions,
        random_inside=any(_is_random(g) for g in subgraphs),
    )


def subgraphs_of(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def names_from_outside(graph: onnx.GraphProto) -> list[str]:
    """Names a subgraph reads from the graphs around it, its outputs included."""
    own = {v.name for v in graph.input} | {t.name for t in graph.initializer}
    own |= {name for node in graph.node for name in node.output}
    read = [name for node in graph.node for name in node.input]
    read += [name for node in graph.node for inner in subgraphs_of(node) for name in names_from_outside(inner)]
    read += [v.name for v in graph.output]
    return [name for name in dict.fromkeys(read) if name and name not in own]


RANDOM = frozenset(
    {"RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Bernoulli", "Multinomial"}
)


def _is_random(graph: onnx.GraphProto) -> bool:
    return any(n.op_type in RANDOM or any(_is_random(g) for g in subgraphs_of(n)) for n in graph.node)


def _attributes(proto: onnx.NodeProto) -> dict[str, Any]:
    """The attributes that are numbers, texts or lists of them; tensors and graphs are left to whoever needs them."""
    from onnx import AttributeProto, helper

    plain = {
        AttributeProto.FLOAT,
        AttributeProto.INT,
        AttributeProto.STRING,
        AttributeProto.FLOATS,
        AttributeProto.INTS,
        AttributeProto.STRINGS,
    }
    found: dict[str, Any] = {}
    for attribute in proto.attribute:
        if attribute.type in plain and not attribute.ref_attr_name:
            found[attribute.name] = _text(helper.get_attribute_value(attribute))
    return found


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, (str, int, float)):
        return value
    return [_text(item) for item in value]


def _sort(nodes: list[OnnxNode]) -> tuple[OnnxNode, ...]:
    """Order nodes so that producers come first, keeping the file's order wherever it allows that."""
    producer = {name: i for i, node in enumerate(nodes) for name in node.makes}
    needs = [{producer[n] for n in node.reads if n in producer} - {i} for i, node in enumerate(nodes)]
    if all(max(need, default=-1) < i for i, need in enumerate(needs)):
        return tuple(nodes)
    order = _order(needs)
    rest = sorted(set(range(len(nodes))) - set(order))  # a cycle: the runtime will refuse the model in its own words
    return tuple(nodes[i] for i in (*order, *rest))


def _order(needs: list[set[int]]) -> list[int]:
    """Places of nodes, each behind all that it needs; those on a cycle are left out."""
    readers: dict[int, list[int]] = {}
    for i, need in enumerate(needs):
        for j in need:
            readers.setdefault(j, []).append(i)
    missing = [len(need) for need in needs]
    order = [i for i, count in enumerate(missing) if not count]
    for i in order:  # grows while it is walked
        for j in readers.get(i, ()):
            missing[j] -= 1
            if not missing[j]:
                order.append(j)
    return order
