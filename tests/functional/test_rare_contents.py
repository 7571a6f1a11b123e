"""A maximum that pads win for one text in fifty: found whether or not leaks are explained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from maskcheck.auditing import audit_model
from maskcheck.core.report import Outcome, Variant
from maskcheck.core.settings import Settings


def model(path: Path, seed: int) -> str:
    """Rows of a table, and their maximum over time; the row of the pad seldom wins."""
    table = np.random.default_rng(seed).standard_normal((200, 2)).astype(np.float32)
    table[0] = -0.6
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["x"]),
        helper.make_node("ReduceMax", ["x", "axes"], ["vector"], keepdims=0),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "seq"])
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", 2])
    weights = [numpy_helper.from_array(table, "table"), numpy_helper.from_array(np.array([1]), "axes")]
    graph = helper.make_graph(nodes, "rare", [ids], [vector], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return str(path)


@pytest.mark.parametrize("explain", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_found_with_and_without_explanation(tmp_path: Path, seed: int, explain: bool) -> None:
    found = audit_model(model(tmp_path / "rare.onnx", seed), Settings(explain=explain))
    assert found.outcome is Outcome.LEAKY
    assert any(row.variant is Variant.RARE and row.gating for row in found.passport)


def test_a_fixed_length_whose_pads_cannot_be_changed_is_skipped_not_clean(tmp_path: Path) -> None:
    weights = np.random.default_rng(0).standard_normal((6, 2)).astype(np.float32)
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["x", "w"], ["logits"]),
    ]
    ids = helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", 6])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])
    graph = helper.make_graph(nodes, "fixed", [ids], [logits], [numpy_helper.from_array(weights, "w")])
    path = tmp_path / "fixed.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    assert audit_model(str(path), Settings()).outcome is Outcome.SKIPPED
