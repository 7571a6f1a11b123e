"""Typed settings of nodes, family by family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import (
    FAMILIES,
    Along,
    Attention,
    Body,
    Clip,
    Compare,
    Direction,
    Equation,
    Fill,
    Lookup,
    Pad,
    Pick,
    Quantiser,
    Recurrence,
    Reduce,
    Settings,
    Slice,
    Softmax,
    Window,
)
from maskcheck.loaders.onnx import operations
from maskcheck.loaders.onnx.constants import read_constants
from maskcheck.loaders.onnx.files import WeightFiles, WeightReader
from maskcheck.loaders.onnx.graph import build as build_graph
from maskcheck.loaders.onnx.sites import build_sites
from maskcheck.loaders.onnx.translate import MAKERS
from tests.loaders.onnx_builder import FLOAT, INT64, build, encoder, node, opened, random
from tests.zoo import operators_cases

X = ("x", FLOAT, None)
MICROSOFT = "com.microsoft"
Weights = Mapping[str, np.ndarray]


def sites_of(model: onnx.ModelProto, ranks: Mapping[str, int | None] | None = None) -> tuple[Site, ...]:
    """Sites without a session, so that operators may be ones that onnxruntime cannot run here."""
    graph = build_graph(model)
    reader = WeightReader(WeightFiles(Path(), {}, {}))
    return build_sites(graph, read_constants(graph, reader), ranks or {})


def site_of(
    operator: str,
    inputs: Sequence[str],
    weights: Weights | None = None,
    *,
    outputs: Sequence[str] = ("y",),
    opset: int = 20,
    rank: int | None = None,
    before: Sequence[onnx.NodeProto] = (),
    **attributes: Any,
) -> Site:
    """The site of one node; ``rank`` is that of its input ``x``, ``before`` are nodes that make its other operands."""
    domain, _, name = operator.rpartition(".")
    made = node(name, list(inputs), list(outputs), name="it", domain=domain, **attributes)
    made_here = {output for other in before for output in other.output}
    fed = [name for name in dict.fromkeys(inputs) if name and name not in {*(weights or {}), *made_here}]
    values = [(name, INT64 if name in ("i", "lengths") else FLOAT, None) for name in fed]
    model = build(
        [*before, made],
        [*values, ("free", FLOAT, None)],
        [(outputs[0] or outputs[-1], FLOAT, None)],
        weights,
        opset=opset,
    )
    return sites_of(model, {"x": rank})[-1]


def settings_of(*arguments: Any, **settings: Any) -> Settings | None:
    return site_of(*arguments, **settings).settings


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def number(value: float) -> np.ndarray:
    return np.array(value, np.float32)


def constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    return node("Constant", [], [name], value=onnx.numpy_helper.from_array(value))


class TestReduce:
    @pytest.mark.parametrize("operator", ["ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL2"])
    def test_axes_as_an_operand(self, operator: str) -> None:
        found = settings_of(operator, ["x", "axes"], {"axes": ints(1, -1)}, keepdims=0)
        assert found == Reduce(axes=(1, -1), keeps_axes=False)

    def test_axes_from_a_constant_node(self) -> None:
        found = settings_of("ReduceMean", ["x", "axes"], before=[constant("axes", ints(-2))])
        assert found == Reduce(axes=(-2,), keeps_axes=True)

    def test_axes_as_an_attribute(self) -> None:
        assert settings_of("ReduceMean", ["x"], opset=13, axes=[1, -1]) == Reduce(axes=(1, -1), keeps_axes=True)

    @pytest.mark.parametrize(("rank", "axes"), [(3, (0, 1, 2)), (None, None)])
    def test_without_axes_it_is_all_of_them(self, rank: int | None, axes: tuple[int, ...] | None) -> None:
        assert settings_of("ReduceMean", ["x"], rank=rank, keepdims=0) == Reduce(axes=axes)

    def test_empty_axes_may_mean_none(self) -> None:
        given = settings_of("ReduceSum", ["x", "axes"], {"axes": ints()}, rank=3, noop_with_empty_axes=1)
        absent = settings_of("ReduceSum", ["x"], rank=3, noop_with_empty_axes=1)
        assert given == absent == Reduce(axes=(), keeps_axes=True)

    def test_computed_axes_are_not_known(self) -> None:
        assert settings_of("ReduceMean", ["x", "i"], rank=3) == Reduce(axes=None, keeps_axes=True)

    @pytest.mark.parametrize("operator", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
    def test_pools_over_all_positions(self, operator: str) -> None:
        assert settings_of(operator, ["x"]) == Reduce(keeps_axes=True, spatial=True)

    @pytest.mark.parametrize(("rank", "axes"), [(4, (1, 2)), (None, None)])
    def test_a_quantised_pool_with_features_last(self, rank: int | None, axes: tuple[int, ...] | None) -> None:
        operator = f"{MICROSOFT}.QLinearGlobalAveragePool"
        assert settings_of(operator, ["x"], channels_last=1, rank=rank) == Reduce(axes=axes, keeps_axes=True)
        assert settings_of(operator, ["x"]) == Reduce(keeps_axes=True, spatial=True)

    @pytest.mark.parametrize(("axes", "found"), [([-1], (-1,)), (None, (0, 1))])
    def test_a_quantised_mean(self, axes: list[int] | None, found: tuple[int, ...]) -> None:
        settings = {} if axes is None else {"axes": axes}
        operands = ["x", "scale", "zero", "scale", "zero"]
        weights = {"scale": number(0.1), "zero": np.array(0, np.uint8)}
        made = settings_of(f"{MICROSOFT}.QLinearReduceMean", operands, weights, rank=2, keepdims=0, **settings)
        assert made == Reduce(axes=found)

    def test_the_place_of_an_extremum(self) -> None:
        assert settings_of("ArgMax", ["x"]) == Reduce(axes=(0,), keeps_axes=True)
        assert settings_of("ArgMin", ["x"], axis=-1, keepdims=0) == Reduce(axes=(-1,), keeps_axes=False)

    @pytest.mark.parametrize(
        ("axis", "rank", "axes"), [(None, None, (-1,)), (-2, None, (-2, -1)), (1, None, (1,)), (1, 4, (1, 2, 3))]
    )
    @pytest.mark.parametrize("operator", ["LayerNormalization", "RMSNormalization"])
    def test_layer_normalisation_reaches_to_the_last_axis(
        self, operator: str, axis: int | None, rank: int | None, axes: tuple[int, ...]
    ) -> None:
        settings = {} if axis is None else {"axis": axis}
        assert settings_of(operator, ["x", "s"], rank=rank, **settings) == Reduce(axes=axes, keeps_axes=True)

    @pytest.mark.parametrize(
        ("operator", "settings", "found"),
        [
            (f"{MICROSOFT}.SkipLayerNormalization", {}, Reduce(axes=(-1,), keeps_axes=True)),
            (f"{MICROSOFT}.GroupNorm", {}, Reduce(axes=(1, 2), keeps_axes=True)),
            (f"{MICROSOFT}.GroupNorm", {"channels_last": 0}, Reduce(keeps_axes=True, spatial=True)),
            ("InstanceNormalization", {}, Reduce(keeps_axes=True, spatial=True)),
            ("GroupNormalization", {"num_groups": 2}, Reduce(keeps_axes=True, spatial=True)),
            ("LpNormalization", {}, Reduce(axes=(-1,), keeps_axes=True)),
            ("MeanVarianceNormalization", {}, Reduce(axes=(0, 2, 3), keeps_axes=True)),
            ("LRN", {"size": 3}, Reduce(axes=(1,), keeps_axes=True)),
            ("BatchNormalization", {}, Reduce(axes=(), keeps_axes=True)),
        ],
    )
    def test_other_normalisations(self, operator: str, settings: dict[str, Any], found: Reduce) -> None:
        assert settings_of(operator, ["x", "scale", "bias"], **settings) == found

    def test_batch_normalisation_in_training(self) -> None:
        operands, outputs = ["x", "scale", "bias", "mean", "var"], ["y", "running_mean", "running_var"]
        found = settings_of("BatchNormalization", operands, outputs=outputs, rank=3, training_mode=1)
        assert found == Reduce(axes=(0, 2), keeps_axes=True)

    def test_the_axis_of_a_fourier_transform(self) -> None:
        assert settings_of("DFT", ["x"], opset=17) == Reduce(axes=(1,), keeps_axes=True)
        assert settings_of("DFT", ["x"], opset=17, axis=2) == Reduce(axes=(2,), keeps_axes=True)
        assert settings_of("DFT", ["x"], opset=20) == Reduce(axes=(-2,), keeps_axes=True)
        assert settings_of("DFT", ["x", "", "axis"], {"axis": np.array(1)}) == Reduce(axes=(1,), keeps_axes=True)
        assert settings_of("DFT", ["x", "", "i"]) == Reduce(axes=None, keeps_axes=True)
        assert settings_of("STFT", ["x", "step"]) == Reduce(axes=(1,), keeps_axes=True)

    def test_real_fourier_transforms(self) -> None:
        assert settings_of(f"{MICROSOFT}.Rfft", ["x"], signal_ndim=2) == Reduce(axes=(-2, -1), keeps_axes=True)
        assert settings_of(f"{MICROSOFT}.Irfft", ["x"], signal_ndim=1) == Reduce(axes=(-2,), keeps_axes=True)

    def test_axes_of_one(self) -> None:
        assert settings_of("Squeeze", ["x"]) == Reduce()
        assert settings_of("Squeeze", ["x"], opset=11, axes=[1]) == Reduce(axes=(1,))
        assert settings_of("Unsqueeze", ["x", "axes"], {"axes": ints(-1, 0)}) == Reduce(axes=(-1, 0))


class TestAlong:
    @pytest.mark.parametrize(
        ("operator", "settings", "found"),
        [
            ("Concat", {"axis": -2}, Along(axis=-2)),
            ("Concat", {"opset": 3}, Along(axis=1)),
            ("ConcatFromSequence", {"axis": 0}, Along(axis=0)),
            (f"{MICROSOFT}.QLinearConcat", {"axis": 1}, Along(axis=1)),
            ("Split", {}, Along(axis=0)),
            ("Split", {"axis": -1, "opset": 11, "split": [1, 1]}, Along(axis=-1, sizes=(1, 1))),
            ("Flatten", {}, Along(axis=1)),
            ("ScatterElements", {"axis": 1}, Along(axis=1)),
            ("TensorScatter", {}, Along(axis=-2)),
            ("Compress", {}, Along()),
            ("Unique", {"axis": 1}, Along(axis=1)),
            (f"{MICROSOFT}.BiasSplitGelu", {}, Along(axis=-1)),
        ],
    )
    def test_one_axis(self, operator: str, settings: dict[str, Any], found: Along) -> None:
        assert settings_of(operator, ["x", "other"], **settings) == found

    def test_cumulative_sums(self) -> None:
        axis = {"axis": np.array(-1)}
        assert settings_of("CumSum", ["x", "axis"], axis, reverse=1) == Along(axis=-1, reverse=True)
        assert settings_of("CumProd", ["x", "axis"], {"axis": ints(1)}, opset=26) == Along(axis=1)
        assert settings_of("CumSum", ["x", "i"]) == Along()

    def test_the_largest(self) -> None:
        assert settings_of("TopK", ["x", "k"], {"k": ints(3)}, axis=1) == Along(axis=1, count=3)
        assert settings_of("TopK", ["x"], opset=9, k=2) == Along(axis=-1, count=2)
        assert settings_of("TopK", ["x", "i"]) == Along(axis=-1)

    def test_rows_reversed_by_their_lengths(self) -> None:
        found = settings_of("ReverseSequence", ["x", "lengths"], time_axis=1, batch_axis=0)
        assert found == Along(axis=1, reverse=True, lengths="lengths")

    @pytest.mark.parametrize(("directions", "reverse"), [([], False), ([1], True), ([1, 0], False)])
    def test_a_scan(self, directions: list[int], reverse: bool) -> None:
        inner = helper.make_graph(
            [node("Add", ["s", "e"], ["n"]), node("Tanh", ["n"], ["o"])],
            "body",
            [helper.make_tensor_value_info(name, FLOAT, None) for name in ("s", "e")],
            [helper.make_tensor_value_info(name, FLOAT, None) for name in ("n", "o")],
        )
        told = {"scan_input_directions": directions} if directions else {}
        site = site_of("Scan", ["s0", "x"], body=inner, num_scan_inputs=1, outputs=["f", "y"], **told)
        assert (site.operation, site.settings) == (Operation.LOOP, Along(axis=0, reverse=reverse))

    @pytest.mark.parametrize(
        ("opset", "weights", "attributes", "sizes"),
        [
            (20, {"n": ints(1, 2)}, {}, (1, 2)),
            (11, {}, {"split": [2, 1]}, (2, 1)),
            (20, {}, {"num_outputs": 2}, None),
        ],
    )
    def test_the_lengths_of_parts(self, opset: int, weights: Weights, attributes: Any, sizes: Any) -> None:
        found = settings_of("Split", ["x", *weights], weights, outputs=["y", "z"], opset=opset, **attributes)
        assert found == Along(axis=0, sizes=sizes)


class TestBodies:
    @staticmethod
    def body(*operators: str) -> onnx.GraphProto:
        nodes = [node(name, ["free"], ["o"] if i == 0 else [f"o{i}"]) for i, name in enumerate(operators)]
        return helper.make_graph(nodes, "body", [], [helper.make_tensor_value_info("o", FLOAT, None)])

    def test_the_branch_decides_how_large_the_answer_is(self) -> None:
        site = site_of("If", ["c"], then_branch=self.body("Tanh"), else_branch=self.body("Neg"))
        assert (site.operation, site.settings) == (Operation.SUBGRAPH, Body(sized_by_data=True))

    def test_a_loop_runs_as_often_as_content_says(self) -> None:
        site = site_of("Loop", ["n", "c", "x"], body=self.body("Tanh"))
        assert (site.operation, site.settings) == (Operation.LOOP, Body(sized_by_data=True))

    def test_random_numbers_drawn_inside(self) -> None:
        site = site_of("If", ["c"], then_branch=self.body("Neg", "RandomNormalLike"), else_branch=self.body("Neg"))
        assert site.settings == Body(sized_by_data=True, random=True)

    def test_random_numbers_matter_more_than_the_direction_of_a_scan(self) -> None:
        site = site_of("Scan", ["s0", "x"], body=self.body("Bernoulli"), num_scan_inputs=1)
        assert site.settings == Body(random=True)


class TestSoftmax:
    @pytest.mark.parametrize("operator", ["Softmax", "LogSoftmax", "Hardmax"])
    def test_the_default_axis_follows_the_opset(self, operator: str) -> None:
        assert settings_of(operator, ["x"], opset=13) == Softmax(axis=-1)
        assert settings_of(operator, ["x"], opset=12) == Softmax(axis=1, flattens=True)
        assert settings_of(operator, ["x"], opset=12, axis=3) == Softmax(axis=3, flattens=True)

    def test_of_microsoft(self) -> None:
        biased = settings_of(f"{MICROSOFT}.BiasSoftmax", ["x", "bias"], axis=3, is_inner_broadcast=0)
        assert biased == Softmax(axis=3, flattens=True)
        assert settings_of(f"{MICROSOFT}.QLinearSoftmax", ["x"], axis=2) == Softmax(axis=2)

    def test_a_quantised_one_names_the_opset_it_came_from(self) -> None:
        made = node("QLinearSoftmax", ["x"], ["y"], domain=MICROSOFT, axis=1, opset=12)
        (site,) = sites_of(build([made], [X], [("y", FLOAT, None)]))
        assert site.settings == Softmax(axis=1, flattens=True)


class TestPositions:
    def test_a_lookup(self) -> None:
        site = site_of("Gather", ["table", "i"], {"table": random(50, 8)})
        assert (site.operation, site.settings) == (Operation.EMBEDDING, Lookup(rows=50, ids="i"))

    def test_a_lookup_in_a_table_of_another_layout(self) -> None:
        site = site_of("Gather", ["table", "i"], {"table": random(8, 50)}, axis=-1)
        assert (site.operation, site.settings) == (Operation.GATHER, Lookup(rows=50, ids="i"))

    @pytest.mark.parametrize(
        ("index", "found"), [(np.array(-1), -1), (ints(0), (0,)), (ints(2, 0), (2, 0)), (np.array([[1], [2]]), (1, 2))]
    )
    def test_picking_constant_positions(self, index: np.ndarray, found: Any) -> None:
        assert settings_of("Gather", ["x", "k"], {"k": index}, axis=1) == Pick(axis=1, indices=found)

    def test_picking_a_position_that_a_constant_node_names(self) -> None:
        assert settings_of("Gather", ["x", "k"], before=[constant("k", np.array(0))]) == Pick(axis=0, indices=0)

    def test_picking_computed_positions(self) -> None:
        assert settings_of("Gather", ["x", "i"], axis=1) == Pick(axis=1)
        assert settings_of("GatherElements", ["x", "k"], {"k": ints(1)}, axis=-1) == Pick(axis=-1)
        assert settings_of("GatherND", ["x", "i"]) == Pick(axis=None)

    def test_one_hot(self) -> None:
        weights = {"depth": np.array(11), "values": np.array([0, 1], np.float32)}
        assert settings_of("OneHot", ["i", "depth", "values"], weights) == Lookup(rows=11, ids="i")

    @pytest.mark.parametrize(("axis", "rows"), [(0, 30), (1, 4)])
    def test_a_table_in_blocks(self, axis: int, rows: int) -> None:
        weights = {"table": np.zeros((30, 4), np.uint8), "scales": random(30, 1)}
        found = settings_of(f"{MICROSOFT}.GatherBlockQuantized", ["table", "i", "scales"], weights, gather_axis=axis)
        assert found == Lookup(rows=rows, ids="i")

    def test_a_fused_lookup(self) -> None:
        tables = {"words": random(50, 4), "places": random(20, 4), "kinds": random(2, 4), "g": random(4)}
        operands = ["i", "segments", "words", "places", "kinds", "g", "g", "mask", "positions"]
        site = site_of(f"{MICROSOFT}.EmbedLayerNormalization", operands, tables)
        others = (Lookup(rows=2, ids="segments"), Lookup(rows=20, ids="positions"))
        assert site.settings == Lookup(rows=50, ids="i", others=others, mask="mask")
        bare = settings_of(f"{MICROSOFT}.EmbedLayerNormalization", ["i", "", "words", "places", "", "g", "g"], tables)
        assert bare == Lookup(rows=50, ids="i")

    def test_bounds_as_operands(self) -> None:
        weights = {"from": ints(1, -3), "to": ints(2**31, -1), "axes": ints(1, -1), "by": ints(2, -1)}
        whole = settings_of("Slice", ["x", "from", "to", "axes", "by"], weights)
        assert whole == Slice(axes=(1, -1), starts=(1, -3), ends=(2**31, -1), steps=(2, -1))
        short = settings_of("Slice", ["x", "from", "to"], weights)
        assert short == Slice(axes=(0, 1), starts=(1, -3), ends=(2**31, -1), steps=(1, 1))

    def test_bounds_as_attributes(self) -> None:
        found = settings_of("Slice", ["x"], opset=9, starts=[0], ends=[-1], axes=[1])
        assert found == Slice(axes=(1,), starts=(0,), ends=(-1,), steps=(1,))

    def test_a_computed_end(self) -> None:
        found = settings_of("Slice", ["x", "from", "i", "axes"], {"from": ints(0), "axes": ints(1)})
        assert found == Slice(axes=(1,), starts=(0,), ends=None, steps=(1,))
        assert settings_of("Slice", ["x", "i", "i"]) == Slice()


class TestPad:
    def test_amounts_as_an_operand(self) -> None:
        weights = {"p": ints(0, 0, 1, 0, 0, 2), "v": number(3)}
        assert settings_of("Pad", ["x", "p", "v"], weights) == Pad(before=(0, 0, 1), after=(0, 0, 2), fill=3.0)
        assert settings_of("Pad", ["x", "p"], weights) == Pad(before=(0, 0, 1), after=(0, 0, 2), fill=0.0)
        assert settings_of("Pad", ["x", "p", "free"], weights) == Pad(before=(0, 0, 1), after=(0, 0, 2), fill=None)

    def test_amounts_as_an_attribute(self) -> None:
        found = settings_of("Pad", ["x"], opset=10, pads=[0, 1, 0, 2], value=-1.0)
        assert found == Pad(before=(0, 1), after=(0, 2), fill=-1.0)
        assert settings_of("Pad", ["x"], opset=1, paddings=[0, 1, 0, 0]) == Pad(before=(0, 1), after=(0, 0))

    @pytest.mark.parametrize(("rank", "before", "after"), [(3, (0, 0, 1), (0, 0, 2)), (None, None, None)])
    def test_amounts_for_some_axes(self, rank: int | None, before: Any, after: Any) -> None:
        found = settings_of("Pad", ["x", "p", "", "axes"], {"p": ints(1, 2), "axes": ints(-1)}, rank=rank)
        assert found == Pad(before=before, after=after)

    @pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
    def test_copies(self, mode: str) -> None:
        found = settings_of("Pad", ["x", "p"], {"p": ints(0, 1, 0, 1)}, mode=mode)
        assert found == Pad(before=(0, 1), after=(0, 1), fill=None, copies=True)

    def test_computed_amounts(self) -> None:
        assert settings_of(f"{MICROSOFT}.Pad", ["x", "i"]) == Pad()
        assert settings_of("CenterCropPad", ["x", "i"]) == Pad()


def window(axes: int = 1, **settings: Any) -> Window:
    """A window with the usual settings of so many axes."""
    usual = {"strides": (1,) * axes, "dilations": (1,) * axes, "before": (0,) * axes, "after": (0,) * axes}
    return Window(**usual | settings)


class TestWindow:
    weights: ClassVar[Weights] = {"w": random(4, 3, 5), "scale": number(0.1), "zero": np.array(0, np.uint8)}

    def test_a_bare_convolution(self) -> None:
        assert settings_of("Conv", ["x", "w"], self.weights) == window(kernel=(5,))

    @pytest.mark.parametrize("operator", ["Conv", "ConvInteger", "ConvTranspose", f"{MICROSOFT}.FusedConv"])
    def test_a_convolution_with_everything(self, operator: str) -> None:
        settings = {"kernel_shape": [3, 5], "strides": [1, 2], "dilations": [2, 1], "pads": [1, 2, 3, 4], "group": 4}
        found = settings_of(operator, ["x", "kernel"], **settings)
        assert found == Window(kernel=(3, 5), strides=(1, 2), dilations=(2, 1), before=(1, 2), after=(3, 4), groups=4)

    def test_padding_that_keeps_the_length(self) -> None:
        found = settings_of("Conv", ["x", "w"], self.weights, auto_pad="SAME_UPPER", strides=[2])
        assert found == window(kernel=(5,), strides=(2,), before=None, after=None, same=True)
        assert settings_of("Conv", ["x", "w"], self.weights, auto_pad="VALID") == window(kernel=(5,))

    def test_weights_of_a_quantised_convolution(self) -> None:
        operands = ["x", "scale", "zero", "w", "scale", "zero", "scale", "zero"]
        assert settings_of("QLinearConv", operands, self.weights, pads=[2, 2]) == window(
            kernel=(5,), before=(2,), after=(2,)
        )
        found = settings_of(f"{MICROSOFT}.QLinearConv", operands, self.weights, channels_last=1)
        assert found == window(kernel=(5,), channels_last=True)

    @pytest.mark.parametrize(("rank", "found"), [(4, window(axes=2)), (None, Window())])
    def test_computed_weights(self, rank: int | None, found: Window) -> None:
        assert settings_of("Conv", ["x", "kernel"], rank=rank) == found

    def test_features_last(self) -> None:
        found = settings_of(f"{MICROSOFT}.NhwcConv", ["x", "w"], {"w": random(4, 3, 3, 5)})
        assert found == window(axes=2, kernel=(3, 5), channels_last=True)
        pooled = settings_of(f"{MICROSOFT}.NhwcMaxPool", ["x"], kernel_shape=[2, 2])
        assert pooled == window(axes=2, kernel=(2, 2), channels_last=True)

    @pytest.mark.parametrize("operator", ["AveragePool", "MaxPool", "LpPool", f"{MICROSOFT}.QLinearAveragePool"])
    def test_a_pooling(self, operator: str) -> None:
        found = settings_of(operator, ["x"], kernel_shape=[3], strides=[2], pads=[1, 0])
        assert found == window(kernel=(3,), strides=(2,), before=(1,), after=(0,))

    @pytest.mark.parametrize(
        ("operator", "opset"), [("CausalConvWithState", 27), (f"{MICROSOFT}.CausalConvWithState", 20)]
    )
    def test_a_causal_convolution(self, operator: str, opset: int) -> None:
        weights = {"w": random(8, 1, 4)}
        whole = settings_of(operator, ["x", "w"], weights, opset=opset)
        assert whole == window(kernel=(4,), before=(3,), causal=True, groups=8)
        resumed = settings_of(operator, ["x", "w", "", "state"], weights, opset=27)
        assert resumed == window(kernel=(4,), before=None, after=None, causal=True, groups=8)

    def test_a_causal_convolution_with_gaps(self) -> None:
        found = settings_of(f"{MICROSOFT}.CausalConvWithState", ["x", "w"], {"w": random(8, 1, 4)}, dilation=2)
        assert found == window(kernel=(4,), dilations=(2,), before=(6,), causal=True, groups=8)

    def test_words_of_letters(self) -> None:
        found = settings_of(f"{MICROSOFT}.WordConvEmbedding", ["i", "w"], conv_window_size=3)
        assert found == Window(kernel=(3,), strides=(1,), dilations=(1,))

    def test_pads_as_an_operand(self) -> None:
        weights = {"w": random(4, 3, 5), "p": ints(1, 2)}
        found = settings_of(f"{MICROSOFT}.ConvTransposeWithDynamicPads", ["x", "w", "p"], weights)
        assert found == window(kernel=(5,), before=(1,), after=(2,))


class TestRecurrence:
    @pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN", f"{MICROSOFT}.DynamicQuantizeLSTM"])
    def test_without_lengths(self, operator: str) -> None:
        found = settings_of(operator, ["x", "w", "r"], outputs=["y", "h"], hidden_size=4)
        assert found == Recurrence(direction=Direction.FORWARD, takes_lengths=True)

    @pytest.mark.parametrize("operator", ["LSTM", "GRU", "RNN", f"{MICROSOFT}.DynamicQuantizeLSTM"])
    def test_with_lengths(self, operator: str) -> None:
        found = settings_of(operator, ["x", "w", "r", "", "lengths"], direction="bidirectional", outputs=["y", "h"])
        assert found == Recurrence(direction=Direction.BIDIRECTIONAL, lengths="lengths", zeroes_pads=True)

    def test_what_comes_out(self) -> None:
        sequence = settings_of("LSTM", ["x", "w", "r"], direction="reverse")
        assert sequence == Recurrence(direction=Direction.REVERSE, returns_sequence=True)
        state = settings_of("LSTM", ["x", "w", "r", "", "lengths"], outputs=["", "h", "c"])
        assert state == Recurrence(lengths="lengths", zeroes_pads=False, returns_sequence=False)

    def test_a_misspelt_default(self) -> None:
        assert settings_of("GRU", ["x", "w", "r"], opset=1, direction="foward") == Recurrence(returns_sequence=True)


def fused(**settings: Any) -> Attention:
    """Settings of an operator of the runtime's own set."""
    return Attention(fused_by_runtime=True, **settings)


class TestAttention:
    def test_of_the_standard(self) -> None:
        operands = ["q", "k", "v", "mask", "", "", "lengths"]
        found = settings_of("Attention", operands, opset=24, is_causal=1)
        assert found == Attention(mask="mask", lengths="lengths", causal=True)
        assert settings_of("Attention", ["q", "k", "v"], opset=23) == Attention()

    def test_of_microsoft(self) -> None:
        operands = ["x", "w", "b", "mask", "", "bias"]
        found = settings_of(f"{MICROSOFT}.Attention", operands, num_heads=2, unidirectional=1, mask_filter_value=-5.0)
        assert found == fused(mask="mask", bias="bias", causal=True, fill=-5.0)
        assert settings_of(f"{MICROSOFT}.Attention", ["x", "w"], num_heads=2) == fused(fill=-10000.0)

    def test_the_rank_of_a_mask(self) -> None:
        operator, operands = f"{MICROSOFT}.Attention", ["q", "w", "b", "x"]
        assert settings_of(operator, operands, rank=1, num_heads=2) == fused(mask="x", mask_rank=1, fill=-10000.0)
        stored = settings_of(operator, ["q", "w", "b", "m"], {"m": np.ones((2, 3), np.int32)}, num_heads=2)
        assert stored == fused(mask="m", mask_rank=2, fill=-10000.0)

    @pytest.mark.parametrize(
        ("operator", "mask", "bias", "lengths", "more"),
        [
            ("QAttention", 5, None, None, {"fill": -10000.0}),
            ("QOrderedAttention", 17, 19, None, {}),
            ("MultiHeadAttention", 4, 5, None, {"fill": -10000.0}),
            ("DecoderAttention", 5, None, None, {"fill": -10000.0}),
            ("DecoderMaskedMultiHeadAttention", 3, 4, None, {"causal": True, "fill": -10000.0}),
            ("DecoderMaskedSelfAttention", 3, 5, None, {"causal": True, "fill": -10000.0}),
            ("GroupQueryAttention", None, 10, 5, {"causal": True}),
            ("SparseAttention", None, None, 8, {"causal": True}),
            ("LongformerAttention", 3, None, None, {}),
            ("QOrderedLongformerAttention", 7, None, None, {}),
            ("PackedAttention", None, 5, None, {}),
            ("PagedAttention", None, None, None, {"takes_mask": False, "causal": True}),
            ("LinearAttention", None, None, None, {"takes_mask": False, "causal": True}),
        ],
    )
    def test_every_operand_has_its_place(
        self, operator: str, mask: int | None, bias: int | None, lengths: int | None, more: dict[str, Any]
    ) -> None:
        operands = [f"operand{position}" for position in range(20)]
        keys = {"mask": mask, "bias": bias, "lengths": lengths}
        wanted = {name: f"operand{at}" for name, at in keys.items() if at is not None}
        assert settings_of(f"{MICROSOFT}.{operator}", operands) == fused(**wanted, **more)

    def test_group_query_attention_need_not_be_causal(self) -> None:
        found = settings_of(f"{MICROSOFT}.GroupQueryAttention", ["q", "k", "v", "", "", "lengths"], causal=0)
        assert found == fused(lengths="lengths", causal=False)

    def test_every_fused_attention_is_known(self) -> None:
        tables = (("", operations.STANDARD), (f"{MICROSOFT}.", operations.CONTRIB))
        attentions = (Operation.ATTENTION, Operation.LINEAR_ATTENTION)
        named = {prefix + name for prefix, table in tables for name, op in table.items() if op in attentions}
        assert named - {f"{MICROSOFT}.PackedMultiHeadAttention"} <= set(MAKERS)


class TestNumbers:
    def test_the_fill_of_a_selection(self) -> None:
        low = {"low": number(-1e9), "high": np.zeros((2, 2), np.float32)}
        assert settings_of("Where", ["c", "low", "x"], low) == Fill(values=(np.float32(-1e9),))
        assert settings_of("Where", ["c", "low", "high"], low) == Fill(values=(np.float32(-1e9), 0.0))
        assert settings_of("Where", ["low", "x", "other"], low) == Fill()

    def test_constants_that_are_not_the_same_everywhere(self) -> None:
        assert settings_of("Add", ["x", "c"], {"c": np.array([0, 1], np.float32)}) == Fill()

    def test_a_fill_that_is_expanded_first(self) -> None:
        before = [
            node("Shape", ["x"], ["shape"]),
            node("ConstantOfShape", ["shape"], ["low"], value=helper.make_tensor("v", FLOAT, [1], [-5e4])),
        ]
        assert settings_of("Where", ["c", "low", "x"], before=before) == Fill(values=(-5e4,))

    @pytest.mark.parametrize("operator", ["Add", "Mul", "Max", "Min"])
    def test_constants_on_either_side(self, operator: str) -> None:
        assert settings_of(operator, ["x", "c"], {"c": number(2)}) == Fill(values=(2.0,))
        assert settings_of(operator, ["c", "x"], {"c": number(2)}) == Fill(values=(2.0,))

    @pytest.mark.parametrize("operator", ["Sub", "Div", "Pow", "Mod"])
    def test_constants_on_the_right_only(self, operator: str) -> None:
        assert settings_of(operator, ["x", "c"], {"c": number(2)}) == Fill(values=(2.0,))
        assert settings_of(operator, ["c", "x"], {"c": number(2)}) == Fill()

    def test_bounds(self) -> None:
        assert settings_of("Clip", ["x", "", "high"], {"high": number(6)}) == Clip(highest=6.0)
        assert settings_of("Clip", ["x", "free"]) == Clip()
        assert settings_of("Clip", ["x"], opset=6, min=0.0) == Clip(lowest=0.0)

    @pytest.mark.parametrize("operator", ["Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"])
    def test_comparisons(self, operator: str) -> None:
        zero = {"zero": np.array(0)}
        assert settings_of(operator, ["i", "zero"], zero) == Compare(value=0.0, operand="i")
        assert settings_of(operator, ["zero", "i"], zero) == Compare(value=0.0, operand="i", swapped=True)
        assert settings_of(operator, ["i", "x"]) == Compare()

    def test_an_equation(self) -> None:
        assert settings_of("Einsum", ["x", "other"], equation="bij,bjk->bik") == Equation(text="bij,bjk->bik")


class TestQuantiser:
    scale: ClassVar[Weights] = {"s": number(0.5), "zero": np.array(128, np.uint8), "signed": np.array(-28, np.int8)}

    @pytest.mark.parametrize("operator", ["QuantizeLinear", f"{MICROSOFT}.QuantizeLinear"])
    def test_with_a_constant_scale(self, operator: str) -> None:
        assert settings_of(operator, ["x", "s", "zero"], self.scale) == Quantiser(scale=0.5, lowest=-64.0)
        assert settings_of(operator, ["x", "s", "signed"], self.scale) == Quantiser(scale=0.5, lowest=-50.0)

    def test_without_a_zero_point(self) -> None:
        assert settings_of("QuantizeLinear", ["x", "s"], self.scale) == Quantiser(scale=0.5, lowest=0.0)
        signed = settings_of("QuantizeLinear", ["x", "s"], self.scale, opset=21, output_dtype=TensorProto.INT8)
        assert signed == Quantiser(scale=0.5, lowest=-64.0)
        half_bytes = settings_of("QuantizeLinear", ["x", "s"], self.scale, opset=21, output_dtype=TensorProto.INT4)
        assert half_bytes == Quantiser(scale=0.5)

    def test_in_blocks(self) -> None:
        found = settings_of("QuantizeLinear", ["x", "scales"], opset=21, block_size=32)
        assert found == Quantiser(block=32)

    @pytest.mark.parametrize(
        ("operator", "place"),
        [
            ("QLinearMatMul", 6),
            (f"{MICROSOFT}.QLinearAdd", 6),
            (f"{MICROSOFT}.QLinearMul", 6),
            (f"{MICROSOFT}.QLinearWhere", 7),
        ],
    )
    def test_arithmetic_of_integers(self, operator: str, place: int) -> None:
        operands = [f"operand{position}" for position in range(place)]
        assert settings_of(operator, [*operands, "s", "zero"], self.scale) == Quantiser(scale=0.5, lowest=-64.0)

    @pytest.mark.parametrize("operator", ["DynamicQuantizeLinear", f"{MICROSOFT}.DynamicQuantizeMatMul"])
    def test_with_a_measured_scale(self, operator: str) -> None:
        assert settings_of(operator, ["x", "w"]) == Quantiser()


class TestFamilies:
    @pytest.mark.parametrize("operator", sorted(set(MAKERS) - {"Scan"}))
    def test_every_operator_has_settings_of_its_family(self, operator: str) -> None:
        site = site_of(operator, ["x", *(f"operand{position}" for position in range(1, 20))])
        assert site.operation in FAMILIES[type(site.settings)]

    def test_functions_of_the_model_have_none(self) -> None:
        inner = [node("Identity", ["a"], ["b"])]
        own = helper.make_function("", "Softmax", ["a"], ["b"], inner, [helper.make_opsetid("", 20)])
        model = build([node("Softmax", ["x"], ["y"])], [X], [("y", FLOAT, None)], functions=[own])
        assert [(site.operation, site.settings) for site in sites_of(model)] == [(Operation.SUBGRAPH, None)]

    @pytest.mark.parametrize("case", operators_cases.CASES, ids=lambda case: case.name)
    def test_of_models_of_bare_operators(self, case: Any, tmp_path: Path) -> None:
        assert_families(sites_of(onnx.load(case.build(tmp_path / "model.onnx"))))

    def test_of_an_encoder_with_ranks_from_the_runtime(self, tmp_path: Path) -> None:
        sites = {site.name: site for site in opened(encoder(), tmp_path).sites}
        assert_families(tuple(sites.values()))
        assert sites["embed"].settings == Lookup(rows=50, ids="ids")
        assert sites["compare"].settings == Compare(value=0.0, operand="mask")
        assert sites["pool"].settings == Reduce(axes=(1,))


def assert_families(sites: Sequence[Site]) -> None:
    strangers = [s for s in sites if s.settings is not None and s.operation not in FAMILIES[type(s.settings)]]
    assert sites and not strangers
