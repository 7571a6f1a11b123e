"""What a graph fixes: values, fills and shapes, read once in its order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from maskcheck.ir.operation import Operation
from maskcheck.loaders.onnx.constants import GraphConstants, read_constants
from maskcheck.loaders.onnx.files import WeightFiles, WeightReader
from maskcheck.loaders.onnx.graph import build as build_graph
from maskcheck.loaders.onnx.operations import operation_of
from tests.loaders.onnx_builder import FLOAT, INT64, build, node, random

HALF_ONE = np.array([0.5, 1.0], np.float32)


def constants_of(nodes: list[onnx.NodeProto], weights: dict[str, np.ndarray], **settings: Any) -> GraphConstants:
    """Constants of a model with the inputs ``x``, which is fed, and ``n``, whose values are sizes."""
    inputs = [("x", FLOAT, None), ("n", INT64, None)]
    graph = build_graph(build(nodes, inputs, [("y", FLOAT, None)], weights, **settings))
    return read_constants(graph, WeightReader(WeightFiles(Path(), {}, {})))


class TestValues:
    @pytest.mark.parametrize(
        ("made", "wanted"),
        [
            (node("Neg", ["a"], ["y"]), [-0.5, -1.0]),
            (node("Add", ["a", "two"], ["y"]), [2.5, 3.0]),
            (node("Min", ["a", "two", "low"], ["y"]), [0.25, 0.25]),
            (node("Cast", ["a"], ["y"], to=INT64), [0, 1]),
            (node("Constant", [], ["y"], value_floats=[3.0]), [3.0]),
            (node("Constant", [], ["y"], value_int=3), 3),
        ],
        ids=lambda value: value.op_type if isinstance(value, onnx.NodeProto) else "",
    )
    def test_of_tiny_arithmetic(self, made: onnx.NodeProto, wanted: Any) -> None:
        weights = {"a": HALF_ONE, "two": np.array(2, np.float32), "low": np.array(0.25, np.float32)}
        found = constants_of([made], weights).value("y")
        assert found is not None
        np.testing.assert_array_equal(found, wanted)

    def test_of_a_long_chain(self) -> None:
        nodes = [node("Neg", [f"a{i}"], [f"a{i + 1}"]) for i in range(51)]
        assert constants_of(nodes, {"a0": np.array(3, np.float32)}).fill("a51") == -3.0

    def test_of_an_input_and_what_it_reaches(self) -> None:
        constants = constants_of([node("Add", ["x", "a"], ["y"])], {"a": HALF_ONE})
        assert constants.value("y") is constants.value("x") is None
        assert [constants.is_constant(key) for key in ("x", "a", "y", "")] == [False, True, False, False]

    def test_that_random_numbers_reach(self) -> None:
        nodes = [node("RandomNormalLike", ["a"], ["noise"]), node("Add", ["noise", "a"], ["y"])]
        assert constants_of(nodes, {"a": HALF_ONE}).varying == {"x", "n", "noise", "y"}

    def test_that_would_be_large(self) -> None:
        weights = {"row": np.ones((1, 4096), np.float32), "column": np.ones((4096, 1), np.float32)}
        assert constants_of([node("Mul", ["row", "column"], ["y"])], weights).value("y") is None

    def test_of_the_default_of_an_input(self) -> None:
        model = build([node("Neg", ["x"], ["y"])], [("x", FLOAT, [2])], [("y", FLOAT, [2])], {"x": HALF_ONE})
        constants = read_constants(build_graph(model), WeightReader(WeightFiles(Path(), {}, {})))
        assert (constants.value("x"), constants.is_constant("x")) == (None, False)


class TestFills:
    def test_of_a_size_that_is_computed(self) -> None:
        value = helper.make_tensor("v", FLOAT, [1], [-5.0])
        nodes = [node("ConstantOfShape", ["n"], ["low"], value=value), node("Expand", ["low", "n"], ["y"])]
        assert constants_of(nodes, {}).fill("y") == -5.0

    def test_of_zeros_where_it_is_not_told(self) -> None:
        assert constants_of([node("ConstantOfShape", ["n"], ["y"])], {}).fill("y") == 0.0

    def test_of_bits_read_as_another_type(self) -> None:
        nodes = [node("BitCast", ["a"], ["y"], to=INT64)]
        assert constants_of(nodes, {"a": np.array(1, np.float64)}, opset=26).fill("y") is None


class TestShapes:
    @pytest.mark.parametrize(
        ("made", "wanted"),
        [
            (node("Transpose", ["t"], ["y"]), (4, 3, 2)),
            (node("Transpose", ["t"], ["y"], perm=[0, 2, 1]), (2, 4, 3)),
            (node("Identity", ["t"], ["y"]), (2, 3, 4)),
            (node("DequantizeLinear", ["t", "s"], ["y"]), (2, 3, 4)),
            (node("Erf", ["t"], ["y"]), None),
        ],
    )
    def test_behind_a_node(self, made: onnx.NodeProto, wanted: tuple[int, ...] | None) -> None:
        weights = {"t": np.zeros((2, 3, 4), np.float32), "s": np.array(1, np.float32)}
        assert constants_of([made], weights).shape("y") == wanted

    @pytest.mark.parametrize("made", [node("Identity", ["x"], ["y"]), node("Reshape", ["one", "n"], ["y"])])
    def test_of_what_an_input_reaches(self, made: onnx.NodeProto) -> None:
        assert constants_of([made], {"one": np.array(1, np.float32)}).shape("y") is None


def test_the_only_empty_row_of_a_large_table() -> None:
    table = random(1000, 8)
    table[3] = 0
    constants = constants_of([node("Gather", ["table", "n"], ["y"])], {"table": table})
    assert (constants.value("table"), constants.empty_row("table")) == (None, 3)


def test_an_identity_like_another_tensor_reads_its_size_only() -> None:
    graph = build_graph(build([node("EyeLike", ["x"], ["y"])], [("x", FLOAT, None)], [("y", FLOAT, None)]))
    assert operation_of(graph.nodes[0]) is Operation.CONSTANT_LIKE
