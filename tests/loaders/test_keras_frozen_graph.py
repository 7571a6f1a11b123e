"""Operators of a frozen graph as sites, and what its tensors depend on: read off nodes, without TensorFlow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from maskcheck.ir.constants import KnownConstants
from maskcheck.ir.dependence import Level
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation as Op
from maskcheck.ir.settings import Lookup, Pick, Settings
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph, FrozenNode
from maskcheck.loaders.keras.frozen_graph.sites import build_sites, depend


def node(operator: str, reads: str, makes: str, attributes: Mapping[str, Any] | None = None) -> FrozenNode:
    """A node named after what it makes; ``reads`` and ``makes`` are keys with spaces between them."""
    outputs = tuple(makes.split())
    inputs = tuple(reads.split())
    return FrozenNode(name=outputs[0], operator=operator, inputs=inputs, outputs=outputs, attributes=attributes or {})


def graph(*nodes: FrozenNode, shapes: Mapping[str, tuple[int, ...]] | None = None) -> FrozenGraph:
    """A graph with the inputs ``x`` and ``n``."""
    inputs = {"x": "x", "n": "n"}
    empty: dict[str, str] = {}
    return FrozenGraph(
        proto=None, nodes=nodes, inputs=inputs, outputs={}, tensors=empty, dtypes=empty, shapes=shapes or {}
    )


def sites(*nodes: FrozenNode, shapes: Mapping[str, tuple[int, ...]] | None = None, **values: Any) -> tuple[Site, ...]:
    made = graph(*nodes, shapes=shapes)
    constants = KnownConstants(values={key: np.asarray(value) for key, value in values.items()})
    return build_sites(made, depend(made), constants)


@pytest.mark.parametrize("operator", ["Shape", "Size", "Rank", "ZerosLike", "OnesLike"])
def test_what_reads_nothing_but_a_size_carries_none_of_the_content(operator: str) -> None:
    assert depend(graph(node(operator, "x", "y"))).level("y") is Level.SHAPE


def test_what_no_input_reaches_is_constant() -> None:
    assert depend(graph(node("Mul", "a b", "y"))).level("y") is Level.CONSTANT


@pytest.mark.parametrize("operator", ["RandomUniform", "StatelessRandomUniformV2", "TruncatedNormal", "Multinomial"])
def test_random_numbers_are_content(operator: str) -> None:
    assert depend(graph(node(operator, "a", "y"))).level("y") is Level.DATA


@pytest.mark.parametrize("operator", ["Where", "Unique", "UniqueV2", "DynamicPartition", "NonMaxSuppressionV3"])
def test_sizes_that_content_decides_are_content(operator: str) -> None:
    assert depend(graph(node(operator, "x", "found"), node("Shape", "found", "y"))).level("y") is Level.DATA


@pytest.mark.parametrize(
    "first",
    [
        node("Split", "axis x", "part"),
        node("StridedSlice", "x begins ends steps", "part"),
        node("ConcatV2", "x x axis", "part"),
    ],
    ids=lambda first: first.operator,
)
def test_sizes_that_constants_decide_are_sizes(first: FrozenNode) -> None:
    assert depend(graph(first, node("Shape", "part", "y"))).level("y") is Level.SHAPE


def test_a_tensor_filled_to_a_size_is_no_constant() -> None:
    (_, filled) = sites(node("Shape", "x", "sizes"), node("Fill", "sizes zero", "y"), zero=0.0)
    assert filled.operation is Op.CONSTANT


def test_a_position_that_is_computed_takes_its_axis_away() -> None:
    """``x[:, n]``."""
    masks = {"begin_mask": 1, "end_mask": 1, "shrink_axis_mask": 2}
    (cut,) = sites(node("StridedSlice", "x n n steps", "y", masks), shapes={"n": (2,)}, steps=[1, 1])
    assert (cut.operation, cut.settings) == (Op.SELECT, Pick(axis=1))


def test_an_end_that_is_computed_is_a_slice() -> None:
    """``x[:, :n]``."""
    masks = {"begin_mask": 3, "end_mask": 1}
    (cut,) = sites(
        node("StridedSlice", "x begins n steps", "y", masks),
        shapes={"begins": (2,), "n": (2,)},
        begins=[0, 0],
        steps=[1, 1],
    )
    assert cut.operation is Op.SLICE


@pytest.mark.parametrize(
    ("operator", "settings"), [("GatherV2", Lookup(rows=9, ids="x")), ("GatherNd", Lookup(ids="x"))]
)
def test_rows_of_a_constant_table_are_an_embedding(operator: str, settings: Settings) -> None:
    (found,) = sites(node(operator, "table x", "y"), shapes={"table": (9, 4)})
    assert (found.operation, found.settings) == (Op.EMBEDDING, settings)


def test_tensors_side_by_side_are_a_stack() -> None:
    (packed,) = sites(node("Pack", "x n", "y"))
    assert packed.operation is Op.STACK
