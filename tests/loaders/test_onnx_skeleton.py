"""The instrumented copy holds no weights, finds them wherever they lie, and computes the same bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from maskcheck.core.settings import Settings
from maskcheck.loaders.onnx.model import load
from maskcheck.loaders.onnx.skeleton import read_skeleton
from maskcheck.loaders.onnx.wire import WireError, looks_like_model, skeleton
from tests.loaders.onnx_builder import BOOL, FLOAT, build, encoder, encoder_feeds, node, random, save


def reference(path: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The file itself, by path, without optimisation and without repacked weights."""
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.disable_prepacking", "1")
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run(None, feeds)


def assert_same_bits(path: Path, feeds: dict[str, np.ndarray]) -> None:
    outputs = load(path, Settings()).trace(feeds).outputs
    for value, expected in zip(outputs.values(), reference(path, feeds), strict=True):
        np.testing.assert_array_equal(value, expected)


def test_the_trace_computes_the_same_bits_as_the_file(tmp_path: Path) -> None:
    assert_same_bits(save(encoder(), tmp_path / "model.onnx"), encoder_feeds())


def test_no_weight_is_in_the_skeleton(tmp_path: Path) -> None:
    path = save(encoder(), tmp_path / "model.onnx")
    small = read_skeleton(path).model.SerializeToString()
    assert len(small) < path.stat().st_size / 2
    for name in ("table", "weight"):
        tensor = next(t for t in onnx.load(path).graph.initializer if t.name == name)
        assert tensor.raw_data not in small


def test_weights_in_every_form_are_referred_to(tmp_path: Path) -> None:
    """Raw bytes, packed floats and doubles, large constants, and all of these in subgraphs."""
    weight = random(32, 32, scale=0.2)
    branches = {
        f"{name}_branch": helper.make_graph(
            [
                node("Constant", [], [f"{name}_c"], value=numpy_helper.from_array(weight * factor, "c")),
                node("MatMul", ["x4", f"{name}_c"], [f"{name}_1"]),
                node("MatMul", [f"{name}_1", f"{name}_w"], [f"{name}_y"]),
            ],
            name,
            [],
            [helper.make_tensor_value_info(f"{name}_y", FLOAT, None)],
            [numpy_helper.from_array(weight + factor, f"{name}_w")],
        )
        for name, factor in (("then", 2), ("else", 3))
    }
    nodes = [
        node("Constant", [], ["constant"], value=numpy_helper.from_array(weight, "c")),
        node("MatMul", ["x", "raw"], ["x1"]),
        node("MatMul", ["x1", "floats"], ["x2"]),
        node("MatMul", ["x2", "constant"], ["x3"]),
        node("Cast", ["doubles"], ["cast"], to=FLOAT),
        node("MatMul", ["x3", "cast"], ["x4"]),
        node("If", ["choice"], ["y"], **branches),
    ]
    model = build(nodes, [("x", FLOAT, ["n", 32]), ("choice", BOOL, [])], [("y", FLOAT, None)], {"raw": weight})
    model.graph.initializer.append(helper.make_tensor("floats", FLOAT, [32, 32], weight.ravel().tolist()))
    doubles = helper.make_tensor("doubles", onnx.TensorProto.DOUBLE, [32, 32], weight.ravel().tolist())
    model.graph.initializer.append(doubles)
    path = save(model, tmp_path / "model.onnx")
    assert len(read_skeleton(path).model.SerializeToString()) < 3000
    for choice in (True, False):
        assert_same_bits(path, {"x": random(3, 32), "choice": np.array(choice)})


def external(folder: Path, location: str = "model.onnx_data") -> Path:
    path = folder / "model.onnx"
    (folder / location).parent.mkdir(exist_ok=True, parents=True)
    onnx.save_model(encoder(), path, save_as_external_data=True, location=location, size_threshold=512)
    return path


def test_external_data(tmp_path: Path) -> None:
    path = external(tmp_path)
    assert_same_bits(path, encoder_feeds())
    info = load(path, Settings()).info
    assert info.size_bytes == path.stat().st_size + (tmp_path / "model.onnx_data").stat().st_size


def test_external_data_in_a_folder_below(tmp_path: Path) -> None:
    assert_same_bits(external(tmp_path, "weights/data.bin"), encoder_feeds())


def test_a_cache_of_links(tmp_path: Path) -> None:
    """Model and weights are links to blobs of other names, as in the Hugging Face cache."""
    (tmp_path / "source").mkdir()
    original = external(tmp_path / "source")
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshots" / "abc" / "onnx"
    blobs.mkdir()
    snapshot.mkdir(parents=True)
    for name, blob in (("model.onnx", "1f2e"), ("model.onnx_data", "9a8b")):
        (blobs / blob).write_bytes((original.parent / name).read_bytes())
        (snapshot / name).symlink_to(Path("../../../blobs") / blob)
    feeds = encoder_feeds()
    model = load(snapshot / "model.onnx", Settings())
    expected = load(original, Settings()).trace(feeds)
    actual = model.trace(feeds)
    for key, value in expected.tensors.items():
        np.testing.assert_array_equal(actual.tensors[key], value)
    assert_close(model.run(feeds), actual.outputs)


def test_a_link_to_a_single_file(tmp_path: Path) -> None:
    blob = save(encoder(), tmp_path / "blob")
    (tmp_path / "model.onnx").symlink_to(blob)
    assert_same_bits(tmp_path / "model.onnx", encoder_feeds())


def assert_close(actual: dict[str, np.ndarray], expected: dict[str, np.ndarray]) -> None:
    for name, value in actual.items():
        np.testing.assert_allclose(value, expected[name], atol=1e-4)


def test_a_read_only_directory_is_enough(tmp_path: Path) -> None:
    path = save(encoder(), tmp_path / "model.onnx")
    before = sorted(p.name for p in tmp_path.iterdir())
    tmp_path.chmod(0o555)
    try:
        load(path, Settings()).trace(encoder_feeds())
        assert sorted(p.name for p in tmp_path.iterdir()) == before
    finally:
        tmp_path.chmod(0o755)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_never_crash_the_walk(content: bytes) -> None:
    for function in (skeleton, looks_like_model):
        try:
            function(memoryview(content))
        except WireError:
            continue


@given(st.integers(0, 2**31), st.integers(0, 255))
def test_a_damaged_model_never_crashes_the_walk(position: int, value: int) -> None:
    content = bytearray(encoder().SerializeToString())
    content[position % len(content)] = value
    try:
        skeleton(memoryview(bytes(content)))
    except WireError as error:
        assert str(error)


@pytest.mark.parametrize("number", [5, 300])
def test_small_tensors_stay_where_they_are(number: int) -> None:
    values = [("x", FLOAT, [number]), ("y", FLOAT, [number])]
    model = build([node("Add", ["x", "w"], ["y"])], values[:1], values[1:], {"w": random(number)})
    kept = onnx.ModelProto.FromString(skeleton(memoryview(model.SerializeToString()))).graph.initializer[0]
    assert bool(kept.raw_data) == (number == 5)
