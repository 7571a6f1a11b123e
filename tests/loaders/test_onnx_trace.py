"""What a trace records, what a patch does, what depends on what, and how many sessions live."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from maskcheck.core.errors import RunError, TraceError
from maskcheck.ir.operation import Kind
from maskcheck.loaders.onnx import sessions
from tests.loaders.onnx_builder import (
    BOOL,
    FLOAT,
    HALF,
    INT64,
    build,
    encoder,
    encoder_feeds,
    node,
    opened,
    random,
)


class TestRecording:
    def test_everything_that_depends_on_the_inputs(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        trace = model.trace(encoder_feeds())
        made = {key for site in trace.sites for key in site.outputs}
        assert made | {"ids", "mask"} <= set(trace.tensors)
        assert list(trace.outputs) == ["pooled", "hidden"]
        np.testing.assert_allclose(trace.outputs["pooled"], model.run(encoder_feeds())["pooled"], atol=1e-5)

    def test_only_what_is_asked_for(self, tmp_path: Path) -> None:
        trace = opened(encoder(), tmp_path).trace(encoder_feeds(), record=["weights"])
        assert set(trace.tensors) == {"weights", "ids", "mask", "pooled", "hidden"}

    def test_small_constants_but_no_weights(self, tmp_path: Path) -> None:
        model = encoder()
        model.graph.initializer.append(numpy_helper.from_array(random(100, 100), "big"))
        model.graph.node.append(node("Neg", ["zero"], ["negated"]))
        model.graph.node.append(node("Neg", ["big"], ["turned"]))
        session = opened(model, tmp_path)
        for _ in range(2):
            trace = session.trace(encoder_feeds())
            assert trace.tensors["fill"] == np.float32(-1e9)
            assert trace.tensors["negated"] == 0
            assert {"fill", "table", "big", "negated", "turned"} <= trace.constants
            assert not {"big", "turned"} & set(trace.tensors)

    def test_an_output_that_no_input_reaches(self, tmp_path: Path) -> None:
        """The first trace of a model, which computes constants, handed it out as a constant alone."""
        nodes = [node("Neg", ["x"], ["y"]), node("Neg", ["fixed"], ["constant"])]
        outputs = [("y", FLOAT, [4]), ("constant", FLOAT, [4])]
        model = opened(build(nodes, [("x", FLOAT, [4])], outputs, {"fixed": random(4)}), tmp_path)
        for _ in range(2):
            assert set(model.trace({"x": random(4)}).outputs) == {"y", "constant"}

    def test_the_size_of_an_identity_like_an_input(self, tmp_path: Path) -> None:
        nodes = [node("EyeLike", ["x"], ["eye"]), node("MatMul", ["x", "eye"], ["y"])]
        model = opened(build(nodes, [("x", FLOAT, ["n", "n"])], [("y", FLOAT, None)]), tmp_path)
        assert model.trace({"x": random(3, 3)}).shape_only == {"eye"}

    def test_a_weight_that_is_asked_for(self, tmp_path: Path) -> None:
        trace = opened(encoder(), tmp_path).trace(encoder_feeds(), record=["table"])
        np.testing.assert_array_equal(trace.tensors["table"], random(50, 16))

    def test_types_that_numpy_lacks_are_left_out(self, tmp_path: Path) -> None:
        nodes = [
            node("Cast", ["x"], ["short"], to=onnx.TensorProto.BFLOAT16),
            node("Cast", ["short"], ["y"], to=FLOAT),
            node("SequenceConstruct", ["x", "x"], ["list"]),
            node("ConcatFromSequence", ["list"], ["z"], axis=0),
        ]
        outputs = [("y", FLOAT, None), ("z", FLOAT, None)]
        trace = opened(build(nodes, [("x", FLOAT, ["n"])], outputs), tmp_path).trace({"x": random(4)})
        assert set(trace.tensors) == {"x", "y", "z"}

    def test_outputs_that_are_no_numbers_are_left_out(self, tmp_path: Path) -> None:
        nodes = [node("SequenceConstruct", ["x", "x"], ["list"]), node("Neg", ["x"], ["y"])]
        model = build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)])
        model.graph.output.append(helper.make_tensor_sequence_value_info("list", FLOAT, None))
        session = opened(model, tmp_path)
        assert [spec.name for spec in session.outputs] == ["y"]
        assert set(session.run({"x": random(2)})) == set(session.trace({"x": random(2)}).outputs) == {"y"}

    def test_a_sparse_weight(self, tmp_path: Path) -> None:
        model = build([node("MatMul", ["x", "w"], ["y"])], [("x", FLOAT, ["n", 3])], [("y", FLOAT, None)])
        values = helper.make_tensor("w", FLOAT, [2], [2.0, 3.0])
        places = helper.make_tensor("", INT64, [2], [0, 4])
        model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [3, 3]))
        trace = opened(model, tmp_path).trace({"x": np.ones((1, 3))})
        assert trace.outputs["y"].tolist() == [[2, 3, 0]]
        assert "w" in trace.constants
        assert "w" not in trace.tensors

    def test_names_of_sites_are_unique_and_never_empty(self, tmp_path: Path) -> None:
        nodes = [node("Neg", ["x"], ["a"]), node("Neg", ["a"], ["b"], name="Neg_0"), node("Neg", ["b"], ["y"])]
        model = build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)])
        names = [site.name for site in opened(model, tmp_path).sites]
        assert len(set(names)) == 3
        assert all(names)
        assert names[1] == "Neg_0"

    def test_nodes_out_of_order(self, tmp_path: Path) -> None:
        model = encoder()
        nodes = list(model.graph.node)[::-1]
        del model.graph.node[:]
        model.graph.node.extend(nodes)
        trace = opened(model, tmp_path).trace(encoder_feeds())
        assert "pooled" not in trace.constants
        seen: set[str] = set()
        for site in trace.sites:
            assert not {k for k in site.inputs if any(k in s.outputs for s in trace.sites)} - seen
            seen |= set(site.outputs)

    def test_half_precision(self, tmp_path: Path) -> None:
        nodes = [node("MatMul", ["x", "w"], ["h"]), node("Softmax", ["h"], ["y"], axis=-1)]
        weights = {"w": random(32, 32).astype(np.float16)}
        model = opened(build(nodes, [("x", HALF, ["n", 32])], [("y", HALF, None)], weights), tmp_path)
        feeds = {"x": random(3, 32)}  # converted to what the model declares
        trace = model.trace(feeds)
        assert trace.tensors["h"].dtype == np.float16
        np.testing.assert_array_equal(trace.outputs["y"], model.run(feeds)["y"])
        assert model.info.precision == "float16"


class TestRefusedFeeds:
    @pytest.mark.parametrize(("feeds", "words"), [({"ids": 0}, "missing input mask"), ({"x": 0}, "unknown input x")])
    def test_wrong_names(self, feeds: dict[str, int], words: str, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        fed = encoder_feeds() if "x" in feeds else {}
        with pytest.raises(RunError, match=words):
            model.run(fed | {name: np.zeros((1, 2)) for name in feeds})

    def test_the_runtimes_own_reason_in_one_line(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        model = opened(encoder(), tmp_path)
        feeds = encoder_feeds()
        feeds["ids"] = feeds["ids"] + 1000
        for run in (model.run, model.trace):
            with pytest.raises(RunError) as caught:
                run(feeds)
            assert "out of data bounds" in caught.value.message
            assert "\n" not in caught.value.message
            assert len(caught.value.message) <= 300
        captured = capfd.readouterr()
        assert captured.err == captured.out == ""


class TestPatches:
    def test_consumers_read_the_patch_and_the_site_keeps_its_value(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        feeds = encoder_feeds()
        plain = model.trace(feeds)
        uniform = np.full_like(plain.tensors["weights"], 1 / 7)
        trace = model.trace(feeds, {"weights": uniform})
        np.testing.assert_array_equal(trace.tensors["weights"], plain.tensors["weights"])
        np.testing.assert_allclose(trace.tensors["hidden"], uniform @ plain.tensors["x"], atol=1e-5)

    def test_its_own_value_changes_nothing(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        plain = model.trace(encoder_feeds())
        for key in ("x", "scores", "pads", "hidden"):
            patched = model.trace(encoder_feeds(), {key: plain.tensors[key]})
            for name, value in plain.tensors.items():
                np.testing.assert_array_equal(patched.tensors[name], value)

    def test_several_at_once(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        plain = model.trace(encoder_feeds())
        trace = model.trace(encoder_feeds(), {"x": plain.tensors["x"] * 2, "weights": plain.tensors["weights"] * 0})
        np.testing.assert_allclose(trace.tensors["q"], plain.tensors["q"] * 2, rtol=1e-5)
        assert not trace.outputs["hidden"].any()

    def test_an_input(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        feeds = encoder_feeds()
        other = feeds["ids"][:, ::-1].copy()
        trace = model.trace(feeds, {"ids": other})
        np.testing.assert_array_equal(trace.tensors["ids"], feeds["ids"])
        np.testing.assert_array_equal(trace.tensors["x"], random(50, 16)[other])

    def test_a_weight(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        trace = model.trace(encoder_feeds(), {"table": np.zeros((50, 16), np.float32)})
        assert not trace.tensors["x"].any()

    def test_an_output(self, tmp_path: Path) -> None:
        """A model output is a consumer as well; what computes on from it reads the patch too."""
        model = opened(encoder(), tmp_path)
        plain = model.trace(encoder_feeds())
        trace = model.trace(encoder_feeds(), {"hidden": plain.tensors["hidden"] + 1}, record=[])
        np.testing.assert_array_equal(trace.outputs["hidden"], plain.outputs["hidden"] + 1)
        np.testing.assert_allclose(trace.outputs["pooled"], plain.outputs["pooled"] + 1, atol=1e-5)
        np.testing.assert_array_equal(trace.tensors["hidden"], plain.tensors["hidden"])

    @pytest.mark.parametrize(("key", "value", "words"), [("nowhere", 1.0, "no tensor 'nowhere'"), ("x", 1, "is int64")])
    def test_that_do_not_fit(self, key: str, value: float, words: str, tmp_path: Path) -> None:
        with pytest.raises(TraceError, match=words):
            opened(encoder(), tmp_path).trace(encoder_feeds(), {key: np.asarray(value)})


class TestDependence:
    def test_sizes_are_told_from_content(self, tmp_path: Path) -> None:
        nodes = [
            node("Shape", ["x"], ["shape"]),
            node("Gather", ["shape", "one"], ["length"], axis=0),
            node("Squeeze", ["length"], ["scalar"]),
            node("Range", ["zero", "scalar", "step"], ["positions"]),
            node("ConstantOfShape", ["shape"], ["zeros"]),
            node("Expand", ["fill", "shape"], ["fills"]),
            node("Add", ["zeros", "x"], ["y"]),
            node("Mul", ["fill", "fill"], ["product"]),
        ]
        weights = {"one": np.array([1]), "zero": np.array(0), "step": np.array(1), "fill": np.array(2, np.float32)}
        outputs = [("y", FLOAT, None), ("positions", INT64, None), ("fills", FLOAT, None), ("product", FLOAT, None)]
        trace = opened(build(nodes, [("x", FLOAT, ["b", "t"])], outputs, weights), tmp_path).trace({"x": random(2, 5)})
        assert trace.shape_only == {"shape", "length", "scalar", "positions", "zeros", "fills"}
        assert trace.constants == {"one", "zero", "step", "fill", "product"}

    def test_a_size_that_depends_on_content_is_content(self, tmp_path: Path) -> None:
        nodes = [
            node("NonZero", ["x"], ["found"]),
            node("Identity", ["found"], ["same"]),
            node("Shape", ["same"], ["shape"]),
            node("Cast", ["shape"], ["count"], to=FLOAT),
        ]
        model = build(nodes, [("x", FLOAT, ["n"])], [("count", FLOAT, None)])
        assert opened(model, tmp_path).trace({"x": random(4)}).shape_only == frozenset()

    def test_random_numbers_are_no_constants(self, tmp_path: Path) -> None:
        nodes = [node("RandomNormal", [], ["noise"], shape=[3]), node("Add", ["x", "noise"], ["y"])]
        model = opened(build(nodes, [("x", FLOAT, [3])], [("y", FLOAT, None)]), tmp_path)
        trace = model.trace({"x": random(3)})
        assert not trace.constants & {"noise", "y"}
        assert "noise" in trace.tensors
        assert model.sites[0].kind is Kind.RANDOM


class TestOptionalInputs:
    @staticmethod
    def model() -> onnx.ModelProto:
        inputs = [("x", FLOAT, ["n"]), ("bias", FLOAT, [1])]
        return build(
            [node("Add", ["x", "bias"], ["y"])], inputs, [("y", FLOAT, None)], {"bias": np.ones(1, np.float32)}
        )

    def test_may_be_left_out(self, tmp_path: Path) -> None:
        model = opened(self.model(), tmp_path)
        assert [spec.optional for spec in model.inputs] == [False, True]
        x = random(3)
        for feeds, expected in (({"x": x}, x + 1), ({"x": x, "bias": np.zeros(1)}, x)):
            np.testing.assert_array_equal(model.run(feeds)["y"], expected)
            trace = model.trace(feeds)
            np.testing.assert_array_equal(trace.outputs["y"], expected)
            assert "bias" in trace.tensors

    def test_weights_listed_as_inputs_are_none(self, tmp_path: Path) -> None:
        model = self.model()
        model.ir_version = 3
        del model.opset_import[:]
        model.opset_import.append(helper.make_opsetid("", 8))
        assert [spec.name for spec in opened(model, tmp_path).inputs] == ["x"]


class TestSubgraphs:
    def test_a_branch_reads_tensors_around_it(self, tmp_path: Path) -> None:
        branches = {
            f"{name}_branch": helper.make_graph(
                [node("Add", ["h", f"{name}_c"], [f"{name}_y"])],
                name,
                [],
                [helper.make_tensor_value_info(f"{name}_y", FLOAT, None)],
                [numpy_helper.from_array(np.array(value, np.float32), f"{name}_c")],
            )
            for name, value in (("then", 1), ("else", 2))
        }
        nodes = [node("Mul", ["x", "x"], ["h"]), node("If", ["choice"], ["y"], name="choose", **branches)]
        model = opened(build(nodes, [("x", FLOAT, ["n"]), ("choice", BOOL, [])], [("y", FLOAT, None)]), tmp_path)
        site = model.sites[1]
        assert (site.kind, site.inputs) == (Kind.SUBGRAPH, ("choice", "h"))
        feeds = {"x": random(3), "choice": np.array(True)}
        trace = model.trace(feeds, {"h": np.zeros(3, np.float32)})
        np.testing.assert_array_equal(trace.outputs["y"], np.ones(3))
        assert {use.operator for use in model.uses if use.input == "choice"} == {"If"}

    def test_a_loop_over_time_is_a_scan(self, tmp_path: Path) -> None:
        body = helper.make_graph(
            [node("Add", ["state", "item"], ["next"]), node("Identity", ["next"], ["out"])],
            "body",
            [helper.make_tensor_value_info("state", FLOAT, [4]), helper.make_tensor_value_info("item", FLOAT, [4])],
            [helper.make_tensor_value_info("next", FLOAT, [4]), helper.make_tensor_value_info("out", FLOAT, [4])],
        )
        nodes = [node("Scan", ["start", "x"], ["last", "y"], num_scan_inputs=1, body=body)]
        outputs = [("last", FLOAT, [4]), ("y", FLOAT, ["t", 4])]
        model = build(nodes, [("x", FLOAT, ["t", 4])], outputs, {"start": np.zeros(4, np.float32)})
        session = opened(model, tmp_path)
        assert session.sites[0].kind is Kind.SCAN
        x = random(5, 4)
        np.testing.assert_allclose(session.trace({"x": x}).outputs["y"], np.cumsum(x, axis=0), atol=1e-5)

    def test_a_loop_with_a_captured_tensor(self, tmp_path: Path) -> None:
        body = helper.make_graph(
            [node("Add", ["state", "x"], ["next"]), node("Identity", ["go"], ["still"])],
            "body",
            [
                helper.make_tensor_value_info("step", INT64, []),
                helper.make_tensor_value_info("go", BOOL, []),
                helper.make_tensor_value_info("state", FLOAT, None),
            ],
            [helper.make_tensor_value_info("still", BOOL, []), helper.make_tensor_value_info("next", FLOAT, None)],
        )
        nodes = [node("Loop", ["count", "", "x"], ["y"], body=body)]
        model = opened(build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)], {"count": np.array(3)}), tmp_path)
        assert model.sites[0].inputs == ("count", "x")
        assert model.sites[0].kind is Kind.SCAN
        x = random(4)
        trace = model.trace({"x": x}, {"x": x * 0 + 1})
        np.testing.assert_array_equal(trace.outputs["y"], np.full(4, 4))

    def test_a_function_call_is_one_site(self, tmp_path: Path) -> None:
        imports = [helper.make_opsetid("", 20)]
        function = helper.make_function("local", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], imports)
        nodes = [node("Twice", ["x"], ["h"], domain="local"), node("Neg", ["h"], ["y"])]
        model = build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)], functions=[function], domains=["local"])
        session = opened(model, tmp_path)
        assert session.sites[0].kind is Kind.SUBGRAPH
        assert session.sites[0].operator == "local.Twice"
        trace = session.trace({"x": np.ones(2)}, {"h": np.full(2, 5, np.float32)})
        assert trace.tensors["h"].tolist() == [2, 2]
        assert trace.outputs["y"].tolist() == [-5, -5]


class TestSessions:
    def test_a_big_model_has_one_kind_alive(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("maskcheck.loaders.onnx.model.BIG", 0)
        model = opened(encoder(), tmp_path)
        assert model._sessions.alive == (False, 1)
        plain = model.trace(encoder_feeds())
        assert model._sessions.alive == (False, 1)
        for key in ("x", "scores", "weights"):
            model.trace(encoder_feeds(), {key: plain.tensors[key]})
        assert model._sessions.alive == (False, sessions._KEPT_BIG)
        model.run(encoder_feeds())
        assert model._sessions.alive == (True, 0)

    def test_a_small_model_keeps_both(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        plain = model.trace(encoder_feeds())
        assert model._sessions.alive == (True, 1)
        for key in plain.tensors.keys() - plain.constants:
            model.trace(encoder_feeds(), {key: plain.tensors[key]})
        assert model._sessions.alive == (True, sessions._KEPT)

    def test_the_same_patches_share_a_session(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        x = model.trace(encoder_feeds()).tensors["x"]
        for factor in (1, 2, 3):
            model.trace(encoder_feeds(), {"x": x * factor})
        for record in (["q"], [], ["weights"]):
            model.trace(encoder_feeds(), {"x": x}, record)
        assert model._sessions.alive == (True, 2)

    def test_a_closed_model_is_closed(self, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path)
        model.close()
        assert model._sessions.alive == (False, 0)
        with pytest.raises(RunError, match="closed"):
            model.run(encoder_feeds())

    @pytest.mark.parametrize("level", ["all", "extended", "basic", "disable"])
    def test_every_optimization_level(self, level: str, tmp_path: Path) -> None:
        model = opened(encoder(), tmp_path, optimization=level)
        feeds = encoder_feeds()
        np.testing.assert_allclose(model.run(feeds)["pooled"], model.trace(feeds).outputs["pooled"], atol=1e-5)
