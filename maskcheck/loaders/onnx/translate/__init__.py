"""Nodes in the words all frameworks share: which operation each is, and the settings of its family."""

from __future__ import annotations

from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import FAMILIES, Body, Settings
from maskcheck.loaders.onnx.constants import GraphConstants
from maskcheck.loaders.onnx.graph import OnnxNode, subgraphs_of
from maskcheck.loaders.onnx.operations import operation_of
from maskcheck.loaders.onnx.translate import axes, numbers, positions, sequences, windows
from maskcheck.loaders.onnx.translate.node import Maker, NodeView, Ranks
from maskcheck.loaders.onnx.translate.positions import is_table_lookup

__all__ = ["MAKERS", "Ranks", "translate"]

MAKERS: dict[str, Maker] = axes.MAKERS | positions.MAKERS | windows.MAKERS | sequences.MAKERS | numbers.MAKERS
"""What makes the settings of each operator; those of Microsoft's are named with their domain."""


def translate(node: OnnxNode, constants: GraphConstants, ranks: Ranks) -> tuple[Operation, Settings | None]:
    """The operation of ``node`` and its settings, ``None`` where its family has none. ``ranks`` are of any tensors."""
    operation = operation_of(
        node,
        table_lookup=is_table_lookup(node, constants),
        training=_is_training(node, constants),
        over_time=_steps(node),
    )
    return operation, _settings(node, operation, constants, ranks)


_SIZED_BY_DATA = frozenset({"Loop", "If"})
"""Content decides how often the body of a loop runs, and which branch is taken, each with a size of its own."""


def _settings(node: OnnxNode, operation: Operation, constants: GraphConstants, ranks: Ranks) -> Settings | None:
    if operation in FAMILIES[Body] and (node.op in _SIZED_BY_DATA or node.random_inside):
        return Body(sized_by_data=node.op in _SIZED_BY_DATA, random=node.random_inside)
    maker = None if operation is Operation.SUBGRAPH else MAKERS.get(node.operator)
    return None if maker is None else maker(NodeView(node=node, constants=constants, ranks=ranks))


def _is_training(node: OnnxNode, constants: GraphConstants) -> bool:
    """Whether a constant switches a dropout on."""
    return node.default and node.op == "Dropout" and bool(constants.fill(node.input(2)))


_BOOKKEEPING = frozenset(
    {"Identity", "Cast", "Constant", "Shape", "Gather", "SequenceInsert", "SequenceAt", "Unsqueeze"}
)


def _steps(node: OnnxNode) -> bool:
    """Whether ``node`` is a loop whose body does more than count, pick and move."""
    inside = (inner for graph in subgraphs_of(node.proto) for inner in graph.node)
    return node.op in ("Loop", "Scan") and any(inner.op_type not in _BOOKKEEPING for inner in inside)
