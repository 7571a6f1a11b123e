"""Nodes as sites: what each does and where it comes from."""

from __future__ import annotations

from maskcheck.ir.graph import Site
from maskcheck.loaders.onnx.constants import GraphConstants
from maskcheck.loaders.onnx.graph import OnnxGraph, OnnxNode
from maskcheck.loaders.onnx.metadata import provenance
from maskcheck.loaders.onnx.translate import Ranks, translate


def build_sites(graph: OnnxGraph, constants: GraphConstants, ranks: Ranks) -> tuple[Site, ...]:
    """One site for every node, in the graph's order. ``ranks`` are those of any tensors, as far as they are known."""
    return tuple(_site(node, constants, ranks) for node in graph.nodes)


def _site(node: OnnxNode, constants: GraphConstants, ranks: Ranks) -> Site:
    origin = provenance(node.proto)
    operation, settings = translate(node, constants, ranks)
    return Site(
        name=node.name,
        operator=node.operator,
        operation=operation,
        inputs=node.reads,
        outputs=node.makes,
        settings=settings,
        module=origin.module,
        module_class=origin.module_class,
        source=origin.source,
    )
