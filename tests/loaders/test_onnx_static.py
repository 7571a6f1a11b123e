"""What the graph and the files beside it say without being run; quantised models."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskcheck.core.settings import Settings
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import Quantiser
from maskcheck.ir.static_fact import FactKind, StaticFact
from maskcheck.loaders.onnx.hints import read_hints
from maskcheck.loaders.onnx.model import load
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
    save,
)
from tests.loaders.test_onnx_sites import recurrent


def facts(folder: Path, model: Any) -> dict[str, StaticFact]:
    return {fact.kind: fact for fact in opened(model, folder).info.static}


def test_a_sound_encoder_is_unsuspicious(tmp_path: Path) -> None:
    assert facts(tmp_path, encoder()) == {}


class TestUnusedInputs:
    def test_that_nobody_reads(self, tmp_path: Path) -> None:
        inputs = [("x", FLOAT, ["n"]), ("mask", INT64, ["n"])]
        found = facts(tmp_path, build([node("Neg", ["x"], ["y"])], inputs, [("y", FLOAT, None)]))
        assert found == {
            "unused-input": StaticFact(
                kind=FactKind.UNUSED_INPUT, site=None, detail="input 'mask': no operator reads it"
            )
        }

    def test_of_which_only_the_size_counts(self, tmp_path: Path) -> None:
        nodes = [node("Shape", ["mask"], ["s"]), node("Expand", ["x", "s"], ["y"])]
        model = build(nodes, [("x", FLOAT, [1]), ("mask", INT64, ["n"])], [("y", FLOAT, None)])
        assert "only its shape" in facts(tmp_path, model)["unused-input"].detail

    def test_handed_on_to_an_output(self, tmp_path: Path) -> None:
        nodes = [node("Cast", ["mask"], ["y"], to=FLOAT)]
        assert not facts(tmp_path, build(nodes, [("mask", INT64, ["n"])], [("y", FLOAT, None)]))


class TestRecurrent:
    def test_without_lengths(self, tmp_path: Path) -> None:
        fact = facts(tmp_path, recurrent(lengths="", direction="reverse"))["no-sequence-lens"]
        assert (fact.site, "reverse" in fact.detail) == ("recur", True)

    def test_with_lengths(self, tmp_path: Path) -> None:
        assert not facts(tmp_path, recurrent(lengths="lengths"))

    def test_with_lengths_of_the_tracing_example(self, tmp_path: Path) -> None:
        found = facts(tmp_path, recurrent(lengths="baked", baked=np.array([5, 5], np.int32)))
        assert found["baked-length"].detail == "LSTM reads constant lengths [5, 5]"


class TestFills:
    @pytest.mark.parametrize(("fill", "suspicious"), [(-50.0, True), (-1e4, False), (0.0, False)])
    def test_of_a_selection(self, fill: float, suspicious: bool, tmp_path: Path) -> None:
        assert ("weak-fill" in facts(tmp_path, encoder(fill=fill))) == suspicious

    def test_of_an_additive_mask(self, tmp_path: Path) -> None:
        nodes = [
            node("Sub", ["one", "x"], ["inverse"]),
            node("Mul", ["inverse", "low"], ["y"], name="scale"),
            node("Mul", ["x", "low"], ["z"], name="other"),
        ]
        weights = {"one": np.array(1, np.float32), "low": np.array(-40, np.float32)}
        outputs = [("y", FLOAT, None), ("z", FLOAT, None)]
        found = opened(build(nodes, [("x", FLOAT, ["n"])], outputs, weights), tmp_path).info.static
        assert [(f.kind, f.site) for f in found] == [("weak-fill", "scale")]

    def test_beyond_half_precision(self, tmp_path: Path) -> None:
        weights = {"low": np.array(-np.inf, np.float16)}
        inputs = [("x", HALF, ["n"]), ("c", BOOL, ["n"])]
        model = build([node("Where", ["c", "low", "x"], ["y"], name="hide")], inputs, [("y", HALF, None)], weights)
        assert facts(tmp_path, model)["half-fill"].site == "hide"


class TestFrozenMasks:
    """A constant that is added to scores of (batch, heads, queries, keys)."""

    @staticmethod
    def added(mask: np.ndarray, folder: Path) -> dict[str, StaticFact]:
        inputs = [("x", FLOAT, ["n", 2, 4, 4])]
        model = build([node("Add", ["x", "mask"], ["y"], name="hide")], inputs, [("y", FLOAT, None)], {"mask": mask})
        return facts(folder, model)

    def test_of_the_tracing_example(self, tmp_path: Path) -> None:
        mask = np.array([0, 0, 0, -1e9], np.float32).reshape(1, 1, 1, 4)
        assert self.added(mask, tmp_path)["baked-length"].detail.endswith("hides up to 1 of 4 columns")

    def test_of_a_triangle(self, tmp_path: Path) -> None:
        mask = np.triu(np.full((4, 4), -1e9, np.float32), 1)[None, None]
        assert not self.added(mask, tmp_path)

    def test_of_a_bias(self, tmp_path: Path) -> None:
        mask = np.array([0.5, 0, 1, -2e3], np.float32).reshape(1, 1, 1, 4)
        assert not self.added(mask, tmp_path)


class TestQuantised:
    def test_the_lowest_number_it_can_express(self, tmp_path: Path) -> None:
        nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
        weights = {"s": np.array(0.1, np.float32), "z": np.array(28, np.int8)}
        model = opened(build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)], weights), tmp_path)
        told = model.sites[0].settings
        assert isinstance(told, Quantiser)
        assert told.lowest == pytest.approx(-15.6)

    def test_a_version_of_an_operator_that_no_other_runtime_has(self, tmp_path: Path) -> None:
        """onnx's own evaluator refused QDQ models of opset 13 with an error of its own kind."""
        nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
        weights = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
        model = opened(build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)], weights, opset=13), tmp_path)
        assert model.recast("float64") is None

    def test_dynamically(self, tmp_path: Path) -> None:
        quantization = pytest.importorskip("onnxruntime.quantization")
        source = save(encoder(), tmp_path / "model.onnx")
        target = tmp_path / "quantised.onnx"
        kind = quantization.QuantType.QInt8
        quantization.quantize_dynamic(source, target, weight_type=kind, op_types_to_quantize=["MatMul"])
        model = load(target, Settings())
        trace = model.trace(encoder_feeds())
        kinds = {site.kind for site in trace.sites}
        assert {Kind.QUANTIZE, Kind.MATMUL, Kind.EMBEDDING} <= kinds
        dynamic = [site.name for site in trace.sites if site.kind is Kind.QUANTIZE]
        assert [f.site for f in model.info.static if f.kind == "dynamic-quantization"] == dynamic
        assert ("ids", 50) in {(use.input, use.value) for use in model.uses}
        for name, value in model.run(encoder_feeds()).items():
            np.testing.assert_allclose(trace.outputs[name], value, atol=0.1)

    def test_with_a_constant_scale(self, tmp_path: Path) -> None:
        nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
        weights = {"s": np.array(0.1, np.float32), "z": np.array(0, np.int8)}
        model = opened(build(nodes, [("x", FLOAT, ["n"])], [("y", FLOAT, None)], weights), tmp_path)
        assert model.sites[0].kind is Kind.STATIC_QUANTIZE
        assert model.trace({"x": random(4)}).tensors["q"].dtype == np.int8
        assert not model.info.static


class TestInfo:
    def test_of_a_file(self, tmp_path: Path) -> None:
        path = save(encoder(), tmp_path / "model.onnx")
        info = load(path, Settings()).info
        assert info.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert info.size_bytes == path.stat().st_size
        assert (info.format, info.framework, info.precision, info.device) == ("onnx", "onnx", "float32", "cpu")
        assert set(info.versions) == {"python", "onnx", "onnxruntime", "opset"}
        assert info.versions["opset"] == "20"

    def test_declared_shapes(self, tmp_path: Path) -> None:
        inputs = [("x", FLOAT, [2, "seq", None])]
        spec = opened(build([node("Neg", ["x"], ["y"])], inputs, [("y", FLOAT, None)]), tmp_path).inputs[0]
        assert (spec.name, spec.dtype, spec.shape, spec.optional) == ("x", "float32", (2, "seq", None), False)

    def test_the_type_of_an_output_that_declares_none(self, tmp_path: Path) -> None:
        model = build([node("Neg", ["x"], ["y"])], [("x", FLOAT, [2])], [])
        model.graph.output.add(name="y")
        assert opened(model, tmp_path).outputs[0].dtype == "float32"


class TestHints:
    def write(self, folder: Path, **files: Any) -> None:
        for name, content in files.items():
            (folder / f"{name}.json").write_text(content if isinstance(content, str) else json.dumps(content))

    def test_beside_the_model_and_above_it(self, tmp_path: Path) -> None:
        folder = tmp_path / "onnx"
        folder.mkdir()
        self.write(tmp_path, config={"pad_token_id": 0, "max_position_embeddings": 512, "architectures": ["X"]})
        self.write(folder, tokenizer_config={"padding_side": "left", "model_max_length": 10**30})
        assert read_hints(folder / "model.onnx") == {
            "pad_token_id": 0,
            "max_position_embeddings": 512,
            "padding_side": "left",
        }

    @pytest.mark.parametrize("content", ["", "[1]", "{", '{"pad_token_id": null}', '{"pad_token_id": "0"}', "\ud800"])
    def test_unreadable_ones(self, content: str, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogatepass"))
        assert read_hints(tmp_path / "model.onnx") == {}
