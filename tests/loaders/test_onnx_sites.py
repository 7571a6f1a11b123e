"""Operators as kinds, their settings, and how inputs are used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import defs, helper

from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Along, Direction, Fill, Pad, Pick, Recurrence, Reduce, Softmax, Window
from maskcheck.loaders.onnx.operations import CONTRIB, STANDARD
from tests.loaders.onnx_builder import BOOL, FLOAT, INT32, INT64, build, encoder, node, opened, random


def test_every_standard_operator_has_a_kind() -> None:
    names = {schema.name for schema in defs.get_all_schemas_with_history() if schema.domain == ""}
    assert names - {"Loop", "Scan"} <= set(STANDARD)


def test_no_operator_has_two_kinds() -> None:
    from maskcheck.loaders.onnx import operations

    for source, table in ((operations._STANDARD, STANDARD), (operations._CONTRIB, CONTRIB)):
        assert sum(len(names.split()) for names in source.values()) == len(table)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("Attention", Kind.ATTENTION),
        ("GroupQueryAttention", Kind.ATTENTION),
        ("EmbedLayerNormalization", Kind.EMBEDDING),
        ("SkipLayerNormalization", Kind.NORMALIZATION),
        ("MatMulNBits", Kind.MATMUL),
        ("DynamicQuantizeMatMul", Kind.QUANTIZE),
        ("DynamicQuantizeLSTM", Kind.QUANTIZE),
        ("FastGelu", Kind.ELEMENTWISE),
        ("QMoE", Kind.ROUTING),
    ],
)
def test_microsofts_operators(operation: str, kind: Kind) -> None:
    assert CONTRIB[operation].kind is kind


class Built:
    """Sites, uses and facts of single nodes."""

    folder: Path

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def site(self, operation: str, inputs: list[str], weights: Any = None, opset: int = 20, **attributes: Any) -> Site:
        made = node(operation, inputs, ["y"], name="it", **attributes)
        values = [("x", FLOAT, ["b", "c", "t"])] if "x" in inputs else [("i", INT64, ["b", "t"])]
        kind = INT64 if operation in ("ArgMax",) else FLOAT
        return opened(build([made], values, [("y", kind, None)], weights, opset=opset), self.folder).sites[0]


class TestKinds(Built):
    def test_a_lookup(self) -> None:
        assert self.site("Gather", ["table", "i"], {"table": random(50, 8)}).kind is Kind.EMBEDDING

    def test_picking_positions(self) -> None:
        site = self.site("Gather", ["x", "k"], {"k": np.array([0])}, axis=1)
        assert site.kind is Kind.INDEX
        assert site.settings == Pick(axis=1, indices=(0,))

    @pytest.mark.parametrize(("training", "kind"), [(True, Kind.RANDOM), (False, Kind.ELEMENTWISE)])
    def test_dropout(self, training: bool, kind: Kind) -> None:
        weights = {"ratio": np.array(0.5, np.float32), "on": np.array(training)}
        assert self.site("Dropout", ["x", "ratio", "on"], weights).kind is kind

    def test_dropout_as_exported_for_inference(self) -> None:
        assert self.site("Dropout", ["x"]).kind is Kind.ELEMENTWISE

    @pytest.mark.parametrize(
        ("operation", "kind"),
        [("GlobalAveragePool", Kind.REDUCE_MEAN), ("GlobalMaxPool", Kind.REDUCE_MAX), ("ArgMax", Kind.REDUCE_OTHER)],
    )
    def test_reductions_by_another_name(self, operation: str, kind: Kind) -> None:
        assert self.site(operation, ["x"]).kind is kind


class TestAttributes(Built):
    def test_the_default_axis_of_softmax_follows_the_opset(self) -> None:
        new, old = self.site("Softmax", ["x"]), self.site("Softmax", ["x"], opset=11)
        assert new.settings == Softmax(axis=-1)
        assert old.settings == Softmax(axis=1, flattens=True)

    def test_axes_as_attribute_or_operand(self) -> None:
        operand = self.site("ReduceMean", ["x", "axes"], {"axes": np.array([1, -1])}, keepdims=0)
        attribute = self.site("ReduceMean", ["x"], opset=13, axes=[1, -1])
        assert operand.settings == Reduce(axes=(1, -1))
        assert attribute.settings == Reduce(axes=(1, -1), keeps_axes=True)

    def test_the_axis_of_a_cumulative_sum(self) -> None:
        site = self.site("CumSum", ["x", "axis"], {"axis": np.array(2)}, reverse=1)
        assert (site.kind, site.settings) == (Kind.SCAN, Along(axis=2, reverse=True))

    def test_a_convolution(self) -> None:
        weights = {"w": random(4, 3, 3)}
        made = node("Conv", ["x", "w"], ["y"], name="it", pads=[1, 1], strides=[2], kernel_shape=[3])
        model = build([made], [("x", FLOAT, ["b", 3, "t"])], [("y", FLOAT, None)], weights)
        told = opened(model, self.folder).sites[0].settings
        assert told == Window(kernel=(3,), strides=(2,), dilations=(1,), before=(1,), after=(1,))

    @pytest.mark.parametrize("lengths", [True, False])
    def test_a_recurrent_operator(self, lengths: bool) -> None:
        model = recurrent(lengths="lengths" if lengths else "", direction="reverse")
        site = next(s for s in opened(model, self.folder).sites if s.operator == "LSTM")
        assert site.kind is Kind.RECURRENT
        assert isinstance(site.settings, Recurrence)
        assert (site.settings.direction, site.settings.knows_lengths) == (Direction.REVERSE, lengths)

    def test_the_fill_of_a_selection(self) -> None:
        sites = opened(encoder(fill=-30000.0), self.folder).sites
        assert next(s for s in sites if s.operator == "Where").settings == Fill(values=(-30000.0,))

    def test_a_fill_that_is_expanded_first(self) -> None:
        nodes = [
            node("Shape", ["x"], ["shape"]),
            node("ConstantOfShape", ["shape"], ["low"], value=helper.make_tensor("v", FLOAT, [1], [-5e4])),
            node("Where", ["c", "low", "x"], ["y"], name="it"),
        ]
        model = build(nodes, [("x", FLOAT, ["n"]), ("c", BOOL, ["n"])], [("y", FLOAT, None)])
        assert opened(model, self.folder).sites[2].settings == Fill(values=(-5e4,))

    def test_the_value_of_padding(self) -> None:
        site = self.site("Pad", ["x", "p", "v"], {"p": np.array([0, 0, 1, 0, 0, 1]), "v": np.array(3, np.float32)})
        assert (site.kind, site.settings) == (Kind.PAD, Pad(before=(0, 0, 1), after=(0, 0, 1), fill=3.0))


def recurrent(lengths: str, direction: str = "forward", **weights: np.ndarray) -> onnx.ModelProto:
    settings = {"direction": direction, "hidden_size": 4}
    made = node("LSTM", ["x", "w", "r", "", lengths], ["y"], name="recur", **settings)
    stored = {"w": random(1, 16, 8), "r": random(1, 16, 4)} | weights
    inputs = [("x", FLOAT, ["t", "b", 8])]
    inputs += [("lengths", INT32, ["b"])] if lengths == "lengths" else []
    return build([made], inputs, [("y", FLOAT, None)], stored)


class TestUses:
    @staticmethod
    def uses(folder: Path, nodes: list[onnx.NodeProto], weights: Any, output: str = "y") -> list[InputUse]:
        model = build(nodes, [("i", INT64, ["b", "t"])], [(output, FLOAT, None)], weights)
        return list(opened(model, folder).uses)

    def test_of_the_encoder(self, tmp_path: Path) -> None:
        assert opened(encoder(), tmp_path).uses == (
            InputUse(
                input="ids",
                kind=UseKind.INDEX,
                site="embed",
                operator="Gather",
                operation=Operation.EMBEDDING,
                value=50,
            ),
            InputUse(
                input="mask", kind=UseKind.COMPARE, site="compare", operator="Equal", operation=Operation.EQUAL, value=0
            ),
        )

    def test_through_operators_that_keep_values(self, tmp_path: Path) -> None:
        nodes = [
            node("Cast", ["i"], ["i32"], to=INT32),
            node("Unsqueeze", ["i32", "axis"], ["wide"]),
            node("Transpose", ["wide"], ["turned"], perm=[0, 2, 1]),
            node("Gather", ["table", "turned"], ["y"], name="look"),
        ]
        found = self.uses(tmp_path, nodes, {"table": random(7, 3), "axis": np.array([1])})
        assert found == [
            InputUse(
                input="i", kind=UseKind.INDEX, site="look", operator="Gather", operation=Operation.EMBEDDING, value=7
            )
        ]

    def test_one_column_of_a_table_of_features(self, tmp_path: Path) -> None:
        nodes = [
            node("Gather", ["i", "zero"], ["column"], axis=1),
            node("Gather", ["table", "column"], ["a"], name="look"),
            node("Slice", ["i", "one", "two", "one"], ["next"]),
            node("Squeeze", ["next", "one"], ["flat"]),
            node("Gather", ["table", "flat"], ["b"], name="look2"),
            node("Add", ["a", "b"], ["y"]),
        ]
        weights = {"table": random(7, 3), "zero": np.array(0), "one": np.array([1]), "two": np.array([2])}
        assert {use.kind for use in self.uses(tmp_path, nodes, weights)} == {UseKind.OTHER}

    def test_a_quantised_table(self, tmp_path: Path) -> None:
        nodes = [
            node("DequantizeLinear", ["table", "scale"], ["real"]),
            node("Gather", ["real", "i"], ["y"], name="look"),
        ]
        weights = {"table": np.ones((9, 3), np.int8), "scale": np.array(0.1, np.float32)}
        assert self.uses(tmp_path, nodes, weights) == [
            InputUse(
                input="i", kind=UseKind.INDEX, site="look", operator="Gather", operation=Operation.EMBEDDING, value=9
            )
        ]

    def test_picking_positions_of_a_computed_tensor_is_no_lookup(self, tmp_path: Path) -> None:
        nodes = [node("Cast", ["i"], ["f"], to=FLOAT), node("Gather", ["f", "i"], ["y"])]
        found = self.uses(tmp_path, nodes, {})
        assert [use.kind for use in found] == [UseKind.OTHER]

    def test_arithmetic_ends_the_view(self, tmp_path: Path) -> None:
        nodes = [
            node("Cast", ["i"], ["f"], to=FLOAT),
            node("Sub", ["one", "f"], ["inverse"], name="invert"),
            node("Mul", ["inverse", "low"], ["y"]),
        ]
        weights = {"one": np.array(1, np.float32), "low": np.array(-1e4, np.float32)}
        assert self.uses(tmp_path, nodes, weights) == [
            InputUse(
                input="i", kind=UseKind.OTHER, site="invert", operator="Sub", operation=Operation.SUBTRACT, value=None
            )
        ]

    def test_sizes_are_no_use(self, tmp_path: Path) -> None:
        nodes = [node("Shape", ["i"], ["s"]), node("Cast", ["s"], ["y"], to=FLOAT)]
        assert self.uses(tmp_path, nodes, {}) == []

    @pytest.mark.parametrize("swapped", [False, True])
    def test_a_comparison_with_a_computed_constant(self, swapped: bool, tmp_path: Path) -> None:
        operands = ["minus", "i"] if swapped else ["i", "minus"]
        nodes = [
            node("Neg", ["hundred"], ["minus"]),
            node("Greater", operands, ["over"], name="compare"),
            node("Cast", ["over"], ["y"], to=FLOAT),
        ]
        found = self.uses(tmp_path, nodes, {"hundred": np.array([100])})
        assert found == [
            InputUse(
                input="i",
                kind=UseKind.COMPARE,
                site="compare",
                operator="Greater",
                operation=Operation.GREATER,
                value=-100,
            )
        ]

    @pytest.mark.parametrize(("bound", "found"), [(0, 0), (3, 1)])
    def test_ids_that_may_count_from_the_end_are_not_looked_at_for_padding(
        self, bound: int, found: int, tmp_path: Path
    ) -> None:
        nodes = [
            node("Less", ["i", "bound"], ["below"], name="compare"),
            node("Add", ["i", "rows"], ["moved"]),
            node("Where", ["below", "moved", "i"], ["wrapped"]),
            node("Gather", ["table", "wrapped"], ["y"], name="look"),
        ]
        weights = {"bound": np.array(bound), "rows": np.array(7), "table": random(7, 3)}
        uses = self.uses(tmp_path, nodes, weights)
        assert len([use for use in uses if use.kind is UseKind.COMPARE]) == found
        if not found:
            assert uses == [
                InputUse(
                    input="i",
                    kind=UseKind.INDEX,
                    site="look",
                    operator="Gather",
                    operation=Operation.EMBEDDING,
                    value=7,
                )
            ]

    def test_one_hot(self, tmp_path: Path) -> None:
        nodes = [node("OneHot", ["i", "depth", "values"], ["y"], name="spread")]
        found = self.uses(tmp_path, nodes, {"depth": np.array(11), "values": np.array([0, 1], np.float32)})
        assert found == [
            InputUse(
                input="i", kind=UseKind.INDEX, site="spread", operator="OneHot", operation=Operation.ONE_HOT, value=11
            )
        ]

    def test_lengths(self, tmp_path: Path) -> None:
        uses = opened(recurrent(lengths="lengths"), tmp_path).uses
        assert (
            InputUse(
                input="lengths",
                kind=UseKind.LENGTHS,
                site="recur",
                operator="LSTM",
                operation=Operation.LSTM,
                value=None,
            )
            in uses
        )
