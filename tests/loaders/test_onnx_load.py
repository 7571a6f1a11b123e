"""Files that cannot be loaded, and what the user is told."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest

from maskcheck import loaders
from maskcheck.core.errors import LoadError, UsageError
from maskcheck.core.model import Model
from maskcheck.core.settings import Settings
from tests.loaders.onnx_builder import FLOAT, build, encoder, encoder_feeds, node, random, save


def refusal(path: Path, settings: Settings | None = None) -> LoadError:
    with pytest.raises(LoadError) as caught:
        loaders.load(path, settings or Settings())
    assert "\n" not in caught.value.message
    return caught.value


def test_a_model_is_recognised_whatever_its_name(tmp_path: Path) -> None:
    model = loaders.load(save(encoder(), tmp_path / "weights.bin"), Settings())
    assert isinstance(model, Model)
    assert model.info.format == "onnx"
    assert set(model.run(encoder_feeds())) == {"pooled", "hidden"}


def test_a_model_is_opened_from_a_path_beyond_ascii(tmp_path: Path) -> None:
    folder = tmp_path / "модель ü"
    folder.mkdir()
    assert loaders.load(save(encoder(), folder / "m.onnx"), Settings()).trace(encoder_feeds()).tensors


def _zip(path: Path, *names: str) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")


WRITERS = {
    "a zip archive": lambda p: _zip(p, "readme.txt"),
    "unpack it first": lambda p: _zip(p, "m/model.onnx"),
    "a JSON file": lambda p: p.write_text(json.dumps({"model_type": "bert"})),
    "a GGUF model": lambda p: p.write_bytes(b"GGUF" + bytes(60)),
    "a TensorFlow Lite model": lambda p: p.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(60)),
    "ORT format": lambda p: p.write_bytes(b"\x1c\x00\x00\x00ORTM" + bytes(60)),
    "a Python pickle": lambda p: p.write_bytes(b"\x80\x04\x95" + bytes(60)),
    "a web page": lambda p: p.write_text("<!DOCTYPE html><html>log in</html>"),
    "a text file": lambda p: p.write_text("graph agraph (float[N] x) => (float[N] y)"),
}


@pytest.mark.parametrize("what", WRITERS)
def test_another_format_is_named(what: str, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    WRITERS[what](path)
    error = refusal(path)
    assert what in error.message
    assert "maskcheck reads ONNX, PyTorch" in error.hint


def test_unknown_bytes_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    assert "not an ONNX model" in refusal(path).message


def test_a_missing_file(tmp_path: Path) -> None:
    assert "no such file" in refusal(tmp_path / "absent.onnx").message


def test_a_dangling_link(tmp_path: Path) -> None:
    link = tmp_path / "model.onnx"
    link.symlink_to(tmp_path / "blob")
    assert "symbolic link to nothing" in refusal(link).message


def test_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.touch()
    assert "empty" in refusal(path).message


def test_a_git_lfs_pointer(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12345\n")
    error = refusal(path)
    assert "git-lfs pointer" in error.message
    assert "git lfs pull" in error.hint


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_file_cut_short(share: float, tmp_path: Path) -> None:
    content = encoder().SerializeToString()
    path = tmp_path / "model.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    assert "cut short" in refusal(path).message


def test_damage_inside_the_graph(tmp_path: Path) -> None:
    content = bytearray(encoder().SerializeToString())
    at = content.index(b"Gather")
    content[at - 1] = 0x7F  # the length of the operator's name
    path = tmp_path / "model.onnx"
    path.write_bytes(bytes(content))
    assert "damaged" in refusal(path).message


def test_a_protobuf_without_a_graph(tmp_path: Path) -> None:
    refusal(save(onnx.ModelProto(ir_version=8, producer_name="nobody at all"), tmp_path / "model.onnx"))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="permissions do not bind this user")
def test_an_unreadable_file(tmp_path: Path) -> None:
    path = save(encoder(), tmp_path / "model.onnx")
    path.chmod(0)
    assert "cannot be read" in refusal(path).message


class TestDirectory:
    def test_with_one_model(self, tmp_path: Path) -> None:
        path = save(encoder(), tmp_path / "any.onnx")
        assert loaders.load(tmp_path, Settings()).info.path == str(path)

    def test_with_the_model_one_level_down(self, tmp_path: Path) -> None:
        (tmp_path / "onnx").mkdir()
        save(encoder(), tmp_path / "onnx" / "model.onnx")
        (tmp_path / "config.json").write_text('{"pad_token_id": 3}')
        model = loaders.load(tmp_path, Settings())
        assert model.info.hints == {"pad_token_id": 3}

    def test_with_several_models(self, tmp_path: Path) -> None:
        for name in ("decoder.onnx", "encoder.onnx"):
            save(encoder(), tmp_path / name)
        assert "decoder.onnx, encoder.onnx" in refusal(tmp_path).message

    def test_with_none(self, tmp_path: Path) -> None:
        (tmp_path / "model.safetensors").write_bytes(b"x")
        assert "model.safetensors" in refusal(tmp_path).message

    def test_that_is_empty(self, tmp_path: Path) -> None:
        assert "found nothing" in refusal(tmp_path).message

    def test_with_a_saved_model(self, tmp_path: Path) -> None:
        (tmp_path / "saved_model.pb").write_bytes(b"x")
        assert "--trust" in refusal(tmp_path).hint


def test_an_operator_of_an_unknown_domain(tmp_path: Path) -> None:
    values = [("x", FLOAT, [1]), ("y", FLOAT, [1])]
    model = build([node("Warp", ["x"], ["y"], domain="my.company")], values[:1], values[1:], domains=["my.company"])
    error = refusal(save(model, tmp_path / "model.onnx"))
    assert "operator Warp of domain my.company, which onnxruntime's CPU provider lacks" in error.message


def test_a_standard_operator_without_a_kernel(tmp_path: Path) -> None:
    nodes = [node("ImageDecoder", ["x"], ["y"], pixel_format="RGB")]
    model = build(nodes, [("x", onnx.TensorProto.UINT8, ["n"])], [("y", onnx.TensorProto.UINT8, None)])
    assert "operator ImageDecoder of domain ai.onnx" in refusal(save(model, tmp_path / "model.onnx")).message


def test_an_invalid_graph_gives_the_runtimes_reason(tmp_path: Path) -> None:
    model = build([node("Add", ["x", "nowhere"], ["y"])], [("x", FLOAT, [1])], [("y", FLOAT, [1])])
    message = refusal(save(model, tmp_path / "model.onnx")).message
    assert "nowhere" in message
    assert "ONNXRuntimeError" not in message


def test_a_provider_that_is_not_there(tmp_path: Path) -> None:
    path = save(encoder(), tmp_path / "model.onnx")
    error = refusal(path, Settings(provider="AbacusExecutionProvider"))
    assert "AbacusExecutionProvider" in error.message
    assert "CPUExecutionProvider" in error.hint


def test_an_optimization_level_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="extended"):
        loaders.load(save(encoder(), tmp_path / "model.onnx"), Settings(optimization="fast"))


def test_onnxruntime_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(encoder(), tmp_path / "model.onnx")
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    error = refusal(path)
    assert "onnxruntime" in error.message
    assert "pip install" in error.hint


class TestExternalData:
    @pytest.mark.parametrize(
        "location", ["../weights.bin", "/etc/passwd", "a/../../weights.bin", "C:\\w.bin", "..\\w.bin"]
    )
    def test_outside_the_directory_is_refused(self, location: str, tmp_path: Path) -> None:
        error = refusal(self._model(tmp_path, location))
        assert "outside the model's directory" in error.message
        assert "unsafe" in error.hint

    def test_that_is_missing(self, tmp_path: Path) -> None:
        assert "'weights.bin', which is not in" in refusal(self._model(tmp_path, "weights.bin")).message

    def test_that_is_too_short(self, tmp_path: Path) -> None:
        (tmp_path / "weights.bin").write_bytes(bytes(100))
        assert "which has 100" in refusal(self._model(tmp_path, "weights.bin")).message

    def test_with_an_offset_that_is_no_number(self, tmp_path: Path) -> None:
        (tmp_path / "weights.bin").write_bytes(bytes(4096))
        assert "not a number" in refusal(self._model(tmp_path, "weights.bin", offset="-4")).message

    @staticmethod
    def _model(folder: Path, location: str, offset: str = "0") -> Path:
        values = [("x", FLOAT, ["n", 16]), ("y", FLOAT, None)]
        model = build([node("MatMul", ["x", "w"], ["y"])], values[:1], values[1:], {"w": random(16, 16)})
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", offset), ("length", "1024")):
            tensor.external_data.add(key=key, value=value)
        return save(model, folder / "model.onnx")
