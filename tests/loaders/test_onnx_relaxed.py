"""Fixed axes are made variable where nothing else in the model depends on their size, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from maskcheck.loaders.onnx.model import OnnxModel
from tests.loaders.onnx_builder import FLOAT, build, encoder, encoder_feeds, node, opened, random


def fixed(batch: int = 2, length: int = 7) -> onnx.ModelProto:
    """The encoder as an exporter without dynamic axes writes it, inferred sizes of inner tensors included."""
    model = encoder()
    for value in model.graph.input:
        for dim, size in zip(value.type.tensor_type.shape.dim, (batch, length), strict=True):
            dim.dim_value = size
    return onnx.shape_inference.infer_shapes(model)


AXES = {"ids": (0, 1), "mask": (0, 1)}


def reopened(model: onnx.ModelProto, folder: Path, axes: Any, **settings: Any) -> tuple[OnnxModel, OnnxModel | None]:
    original = opened(model, folder, **settings)
    return original, original.relaxed(axes)


@pytest.mark.parametrize("level", ["all", "disable"])
def test_a_size_that_is_only_declared(level: str, tmp_path: Path) -> None:
    original, loose = reopened(fixed(), tmp_path, AXES, optimization=level)
    assert loose is not None
    assert [spec.shape for spec in loose.inputs] == [("batch", "length_7"), ("batch", "length_7")]
    feeds = encoder_feeds()
    np.testing.assert_allclose(loose.run(feeds)["pooled"], original.run(feeds)["pooled"], atol=1e-6)
    longer = encoder_feeds(3, 12)
    expected = opened(encoder(), tmp_path).run(longer)
    for run in (loose.run, lambda f: loose.trace(f).outputs):
        for name, value in run(longer).items():
            np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_the_original_stays_as_it_was(tmp_path: Path) -> None:
    original, loose = reopened(fixed(), tmp_path, AXES)
    assert loose is not None
    assert original.inputs[0].shape == (2, 7)
    assert loose.info.sha256 == original.info.sha256
    loose.close()
    assert original.run(encoder_feeds())


def test_one_axis_alone(tmp_path: Path) -> None:
    _, loose = reopened(fixed(), tmp_path, {"ids": [1], "mask": [1]})
    assert loose is not None
    assert loose.inputs[0].shape == (2, "length_7")


def of(nodes: list[onnx.NodeProto], weights: Any = None) -> onnx.ModelProto:
    return build(nodes, [("x", FLOAT, [2, 8, 4])], [("y", FLOAT, None)], weights)


def test_a_table_of_positions_as_a_constant(tmp_path: Path) -> None:
    model = of([node("Add", ["x", "p"], ["y"])], {"p": random(1, 8, 4)})
    assert reopened(model, tmp_path, {"x": [1]})[1] is None


def test_a_baked_reshape(tmp_path: Path) -> None:
    model = of([node("Reshape", ["x", "s"], ["y"])], {"s": np.array([2, 8, 2, 2])})
    assert reopened(model, tmp_path, {"x": [1]})[1] is None


def test_a_slice_at_the_traced_length_that_must_match(tmp_path: Path) -> None:
    nodes = [
        node("Slice", ["x", "zero", "eight", "one"], ["head"]),
        node("MatMul", ["m", "head"], ["y"]),
    ]
    weights = {"zero": np.array([0]), "eight": np.array([8]), "one": np.array([1]), "m": random(8, 8)}
    assert reopened(of(nodes, weights), tmp_path, {"x": [1]})[1] is None


@pytest.mark.parametrize("axes", [{}, {"x": []}, {"x": [7]}, {"nobody": [0]}])
def test_axes_that_do_not_exist(axes: dict[str, list[int]], tmp_path: Path) -> None:
    assert reopened(of([node("Neg", ["x"], ["y"])]), tmp_path, axes)[1] is None


def test_an_axis_that_is_variable_already(tmp_path: Path) -> None:
    assert reopened(encoder(), tmp_path, AXES)[1] is None


def test_external_weights_are_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save_model(fixed(), path, save_as_external_data=True, location="weights.bin", size_threshold=512)
    from maskcheck.core.settings import Settings
    from maskcheck.loaders.onnx.model import load

    loose = load(path, Settings()).relaxed(AXES)
    assert loose is not None
    assert isinstance(loose._sessions.source, bytes)
    assert len(loose._sessions.source) < 3000
    assert loose.run(encoder_feeds(1, 5))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "weights.bin"]
