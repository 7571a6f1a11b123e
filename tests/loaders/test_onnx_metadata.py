"""Modules and source lines, out of what exporters write."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maskcheck.core.settings import Settings
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.ir.source import SourceLine
from maskcheck.loaders.onnx.metadata import module_of_name, provenance, source_line
from maskcheck.loaders.onnx.model import OnnxModel, load
from tests.loaders.onnx_builder import FLOAT, build, node, opened

STACK = """File "/home/me/encoder.py", line 14, in forward
    x = self.layer(x)
  File "/home/me/layer.py", line 8, in attend
    return F.softmax(x, -1)
  File "/usr/lib/python3.11/site-packages/torch/nn/functional.py", line 189, in softmax
    return torch.softmax(input, dim)
"""


class TestSourceLine:
    def test_the_innermost_frame_outside_of_torch(self) -> None:
        assert source_line(STACK) == SourceLine("/home/me/layer.py", 8, "attend", "return F.softmax(x, -1)")

    def test_transformers_is_the_users_code(self) -> None:
        line = (
            'File "/x/site-packages/transformers/models/bert/modeling_bert.py", line 212, in forward\n    a = b @ c\n'
        )
        found = source_line(line)
        assert found is not None
        assert (found.line, found.text) == (212, "a = b @ c")

    def test_a_frame_without_its_text(self) -> None:
        stack = '  File "/a.py", line 1, in f\n  File "/b.py", line 2, in g'
        assert source_line(stack) == SourceLine("/b.py", 2, "g", None)

    @pytest.mark.parametrize("text", ["", "nonsense", 'File "/x/site-packages/torch/nn/functional.py", line 1, in f'])
    def test_nothing_to_find(self, text: str) -> None:
        assert source_line(text) is None

    def test_the_torchscript_exporters_notes(self) -> None:
        text = (
            "/x/site-packages/torch/nn/functional.py(2987): layer_norm\n/home/me/layer.py(9): forward\n"
            "/home/me/encoder.py(15): forward\n/x/site-packages/torch/onnx/utils.py(5): export\n"
            "/home/me/export.py(4): f\n"
        )
        made = node("Neg", ["x"], ["y"], doc_string=text)
        assert provenance(made).source == SourceLine("/home/me/layer.py", 9, "forward", None)

    def test_the_exporting_script_is_not_the_source(self) -> None:
        text = "/x/torch/nn/modules/rnn.py(9): forward\n/x/torch/onnx/utils.py(5): export\n/home/me/export.py(4): f\n"
        assert provenance(node("Neg", ["x"], ["y"], doc_string=text)).source is None


class TestModule:
    @pytest.mark.parametrize(
        ("name", "module"),
        [
            ("/encoder/layer.0/attention/Softmax", "encoder.layer.0.attention"),
            ("/Softmax", None),
            ("Softmax_12", None),
            ("model/dense/MatMul", "model/dense"),
            ("", None),
        ],
    )
    def test_from_a_name(self, name: str, module: str | None) -> None:
        assert module_of_name(name) == module

    def test_from_the_tensor_a_fused_node_makes(self) -> None:
        made = node("Attention", ["x"], ["/layer.0/attention/Reshape_3_output_0"], name="Attention_0")
        assert provenance(made).module == "layer.0.attention"

    @pytest.mark.parametrize("scopes", ["['', 'layers.0', 'softmax'", "3", "['' * 10**9]", "[]"])
    def test_damaged_notes_are_ignored(self, scopes: str) -> None:
        made = node("Neg", ["x"], ["y"])
        made.metadata_props.add(key="pkg.torch.onnx.name_scopes", value=scopes)
        assert provenance(made).module is None

    def test_from_the_namespace_alone(self) -> None:
        made = node("Neg", ["x"], ["y"])
        made.metadata_props.add(key="namespace", value=": a.M/layers.0: a.Block/softmax: aten.softmax.int")
        found = provenance(made)
        assert (found.module, found.module_class) == ("layers.0", "a.Block")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, OnnxModel]:
    """One small encoder through both of PyTorch's exporters; the key says ``dynamo``."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")

    class Block(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = torch.nn.Linear(8, 8)

        def forward(self, x: Any, mask: Any) -> Any:
            scores = self.linear(x) @ x.transpose(1, 2)
            return scores.masked_fill(mask[:, None, :] == 0, -1e9).softmax(-1) @ x  # the line below is looked for

    class Encoder(torch.nn.Module):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            super().__init__()
            self.table = torch.nn.Embedding(50, 8)
            self.layers = torch.nn.ModuleList([Block(), Block()])

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            x = self.table(input_ids)
            for layer in self.layers:
                x = layer(x, attention_mask)
            return x.mean(1)

    folder = tmp_path_factory.mktemp("exported")
    torch.manual_seed(0)
    model = Encoder().eval()
    arguments = (torch.randint(1, 50, (2, 7)), torch.ones(2, 7, dtype=torch.int64))
    names = {"input_names": ["input_ids", "attention_mask"], "output_names": ["pooled"]}
    dynamic = {0: torch.export.Dim("batch"), 1: torch.export.Dim("seq")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            arguments,
            folder / "new.onnx",
            dynamo=True,
            dynamic_shapes=(dynamic, dynamic),
            verbose=False,
            **names,
        )
        axes = {name: {0: "batch", 1: "seq"} for name in names["input_names"]}
        torch.onnx.export(model, arguments, folder / "old.onnx", dynamo=False, dynamic_axes=axes, **names)
    return {True: load(folder / "new.onnx", Settings()), False: load(folder / "old.onnx", Settings())}


def softmaxes(model: OnnxModel) -> list[Site]:
    return [site for site in model.sites if site.kind is Kind.SOFTMAX]


def test_a_dynamo_export_leads_to_the_line(exported: dict[bool, OnnxModel]) -> None:
    first, second = softmaxes(exported[True])
    assert (first.module, second.module) == ("layers.0", "layers.1")
    assert first.module_class is not None
    assert first.module_class.endswith("Block")
    assert first.source is not None
    assert Path(first.source.file).name == Path(__file__).name
    assert "the line below is looked for" in Path(__file__).read_text().splitlines()[first.source.line - 1]
    assert first.source.function == "forward"


def test_a_torchscript_export_leads_to_the_module(exported: dict[bool, OnnxModel]) -> None:
    assert [site.module for site in softmaxes(exported[False])] == ["layers.0", "layers.1"]


@pytest.mark.parametrize("dynamo", [True, False])
def test_an_export_is_run_and_described(dynamo: bool, exported: dict[bool, OnnxModel]) -> None:
    model = exported[dynamo]
    feeds = {"input_ids": np.arange(1, 11).reshape(2, 5), "attention_mask": np.ones((2, 5), np.int64)}
    np.testing.assert_allclose(model.run(feeds)["pooled"], model.trace(feeds).outputs["pooled"], atol=1e-5)
    uses = {(use.input, use.kind.value, use.value) for use in model.uses}
    assert uses == {("input_ids", "index", 50), ("attention_mask", "compare", 0)}
    assert model.info.framework == "pytorch"
    assert model.inputs[0].shape is not None
    assert all(isinstance(size, str) for size in model.inputs[0].shape)


def test_an_optimised_export_is_still_pytorchs(tmp_path: Path) -> None:
    model = build([node("Neg", ["x"], ["y"], name="/layer/Neg")], [("x", FLOAT, [2])], [("y", FLOAT, [2])])
    model.producer_name = "onnx.quantize"
    assert opened(model, tmp_path).info.framework == "pytorch"


@pytest.mark.parametrize(("producer", "framework"), [("tf2onnx", "tensorflow"), ("keras", "keras"), ("", "onnx")])
def test_the_producer_names_the_framework(producer: str, framework: str, tmp_path: Path) -> None:
    model = build([node("Neg", ["x"], ["y"])], [("x", FLOAT, [2])], [("y", FLOAT, [2])])
    model.producer_name = producer
    assert opened(model, tmp_path).info.framework == framework


def test_operators_that_the_exporter_added_belong_to_no_module() -> None:
    added = "_empty_nn_module_stack_from_metadata_hook"
    made = node("Shape", ["x"], ["s"])
    for key, value in (
        ("pkg.torch.onnx.name_scopes", f"['{added}', 'sym_size_int_9']"),
        ("pkg.torch.onnx.class_hierarchy", f"['{added}', 'aten.sym_size.int']"),
    ):
        item = made.metadata_props.add()
        item.key, item.value = key, value
    assert provenance(made).module is None and provenance(made).module_class is None
