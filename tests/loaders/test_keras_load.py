"""Files and folders of Keras: formats that agree, refusals that say why, traces that fit."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest

from maskcheck import loaders
from maskcheck.core.errors import LoadError
from maskcheck.core.settings import Settings
from maskcheck.loaders.keras.safety import foreign_objects
from tests.loaders import keras_child

needs_keras = pytest.mark.skipif(not keras_child.available, reason="needs Keras on TensorFlow")


@pytest.fixture(scope="module")
def formats(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.ask("formats", tmp_path_factory.mktemp("formats"))


@pytest.fixture(scope="module")
def tracing(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.ask("tracing", tmp_path_factory.mktemp("tracing"))


@pytest.fixture(scope="module")
def safety(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return keras_child.ask("safety", tmp_path_factory.mktemp("safety"))


@needs_keras
@pytest.mark.parametrize("outcome", ["clean", "leaky"])
@pytest.mark.parametrize("kind", [".keras", ".h5", "saved model"])
def test_formats_agree(formats: Any, outcome: str, kind: str) -> None:
    assert formats[outcome][kind]["outcome"] == outcome


@needs_keras
def test_files_of_keras_2_are_read(tmp_path: Path) -> None:
    found = keras_child.ask("old", tmp_path)
    assert found["outcome"] == "clean"
    assert found["untouched"]


@needs_keras
def test_a_saved_model_wants_trust(formats: Any) -> None:
    assert "--trust" in formats["clean"]["untrusted"]


@needs_keras
def test_a_live_model_tells_its_masks_way(formats: Any) -> None:
    assert formats["clean"]["live"] == ["made", "used up"]


@needs_keras
def test_sites_are_layers_and_operations(tracing: Any) -> None:
    assert tracing["sites"] == [
        ["emb", "embedding", ["ids"], ["emb#0"]],
        ["emb/mask", "elementwise", ["ids"], ["emb/mask#0"]],
        ["multi_head_attention", "attention", ["emb#0", "emb/mask#0"], ["multi_head_attention#0"]],
        ["add", "elementwise", ["emb#0", "multi_head_attention#0"], ["add#0"]],
        ["gap", "reduce-mean", ["add#0"], ["gap#0"]],
        ["head", "matmul", ["gap#0"], ["head"]],
    ]


@needs_keras
def test_the_ids_are_known_to_carry_the_mask(tracing: Any) -> None:
    assert ["index", "emb", 50] in tracing["uses"]
    assert ["compare", "emb/mask", 0] in tracing["uses"]
    assert tracing["mask"] == [[True, True, True, False]]


@needs_keras
@pytest.mark.parametrize("what", ["agrees", "own value kept", "readers see the patch", "mask kept", "put back"])
def test_traces_answer_like_runs_and_leave_nothing_behind(tracing: Any, what: str) -> None:
    assert tracing[what]


@needs_keras
def test_patches_and_records_go_by_the_names_of_outputs(tracing: Any) -> None:
    assert tracing["patched output"] == [[0.0, 0.0, 0.0]]
    assert tracing["recorded"] == ["gap#0", "head"]


@needs_keras
def test_attention_weights_are_recomputed_under_the_mask(tracing: Any) -> None:
    assert tracing["weights on pads"] == 0.0


@needs_keras
def test_shared_layers_and_several_outputs(tracing: Any) -> None:
    assert tracing["shared"] == ["emb", "emb#1"]
    assert tracing["outputs"] == ["both", "left"]


@needs_keras
def test_a_refused_run_is_a_run_error(tracing: Any) -> None:
    assert tracing["refused"].startswith("RunError")


@needs_keras
@pytest.mark.parametrize("kind", [".keras", ".h5"])
def test_a_lambda_anywhere_is_named_and_refused_without_trust(safety: Any, kind: str) -> None:
    assert "Lambda 'twice'" in safety[f"lambda{kind}"]
    assert "--trust" in safety[f"lambda{kind}"]
    assert safety[f"trusted{kind}"] is None


@needs_keras
def test_layers_of_the_users_own_want_their_code(safety: Any) -> None:
    assert "MyActivation" in safety["own"]
    assert "--custom-objects" in safety["own"]
    assert safety["by module"] is None
    assert safety["by file"] is None
    assert "nothing.py" in safety["no such file"]


@needs_keras
def test_weights_and_damaged_files_are_refused_with_a_reason(safety: Any) -> None:
    assert safety["another suffix"] is None
    assert "weights but no model" in safety["weights"]
    assert "damaged" in safety["damaged"]


@needs_keras
def test_weights_fill_the_model_of_a_factory(safety: Any) -> None:
    assert safety["factory, only.weights.h5"] is None
    assert safety["factory, renamed.bin"] is None
    assert safety["same answers"] is True


@needs_keras
def test_a_factory_that_does_not_fit_is_told(safety: Any) -> None:
    assert "do not fit" in safety["factory masking"]
    assert "NoneType, not a Keras model" in safety["factory nothing"]
    assert "no function 'missing'" in safety["factory missing"]


@pytest.mark.skipif(keras_child.available, reason="Keras is installed")
def test_without_keras_the_error_says_what_to_install(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("metadata.json", "{}")
    with pytest.raises(LoadError) as caught:
        loaders.load(path, Settings())
    assert "maskcheck[keras]" in caught.value.hint


def test_foreign_objects_are_found_at_any_depth() -> None:
    def layer(name: str, module: str | None = "keras.layers", **config: Any) -> dict[str, Any]:
        return {"module": module, "class_name": name, "config": {"name": name.lower(), **config}}

    tree = layer(
        "Functional",
        "keras",
        layers=[layer("Dense"), layer("TimeDistributed", layer=layer("Lambda")), layer("Mine", "evil.layers")],
        loss={"module": "builtins", "class_name": "function", "config": "my_loss", "registered_name": "function"},
    )
    assert foreign_objects(tree) == ["Lambda 'lambda'", "evil.layers.Mine", "function 'my_loss'"]
    assert foreign_objects(tree, {"Mine", "my_loss"}) == ["Lambda 'lambda'"]
    assert foreign_objects(layer("TFSMLayer")) == ["TFSMLayer 'tfsmlayer'"]
    assert foreign_objects(layer("Dense")) == []
