"""PyTorch files: told apart by content, opened only when nothing in them runs, filled by a factory."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from maskcheck import loaders
from maskcheck.auditing import audit_model
from maskcheck.core.errors import LoadError, UsageError
from maskcheck.core.settings import Settings
from maskcheck.loaders.pytorch.files import kind_of_file

CODE = """
import torch
from torch import nn


class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(30, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, input_ids, attention_mask):
        hidden = self.table(input_ids)
        return self.head(hidden.mean(1))


def build():
    return Mean()


def seven():
    return 7
"""


class Mean(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(30, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.table(input_ids).mean(1))


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return _touch, (str(self.mark),)


def _touch(path: str) -> None:
    Path(path).touch()


@pytest.fixture
def factory(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(CODE, encoding="utf-8")
    return f"{tmp_path / 'net.py'}:build"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    example = {"input_ids": torch.ones(3, 7, dtype=torch.int64), "attention_mask": torch.ones(3, 7, dtype=torch.int64)}
    free = {k: {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for k in example}
    path = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(Mean().eval(), (), example, dynamic_shapes=free), path)
    return path


def rewritten(source: Path, target: Path, part: str, content: bytes) -> Path:
    """A copy of an archive in which the entry whose name contains ``part`` holds something else."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for entry in old.infolist():
            new.writestr(entry.filename, content if part in entry.filename else old.read(entry))
    return target


def pickled(thing: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer)
    return buffer.getvalue()


def test_kinds_are_told_by_content(tmp_path: Path, archive: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "state.bin")
    torch.save({"a": torch.ones(2)}, tmp_path / "old.bin", _use_new_zipfile_serialization=False)
    torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), str(tmp_path / "program.bin"))
    shutil.copy(archive, tmp_path / "exported.bin")
    (tmp_path / "notes.pt").write_text("not a model", encoding="utf-8")
    found = {p.name: kind_of_file(p) for p in tmp_path.iterdir() if p.suffix in (".bin", ".pt")}
    assert found == {
        "state.bin": "checkpoint",
        "old.bin": "legacy",
        "program.bin": "torchscript",
        "exported.bin": "pt2",
        "notes.pt": None,
    }


@pytest.mark.parametrize("new", [True, False])
def test_weights_are_filled_into_what_the_factory_builds(tmp_path: Path, factory: str, new: bool) -> None:
    path = tmp_path / "weights.pt"
    state = {f"module.{k}": v for k, v in Mean().state_dict().items()}
    torch.save({"epoch": 3, "state_dict": state}, path, _use_new_zipfile_serialization=new)
    report = audit_model(str(path), Settings(factory=factory))
    assert report.outcome.value == "leaky"
    assert report.format == "torch-state-dict"
    assert report.findings[0].site is not None
    assert report.findings[0].site.source is not None
    assert report.findings[0].site.source.text == "return self.head(hidden.mean(1))"


def test_safetensors_are_filled_too(tmp_path: Path, factory: str) -> None:
    save_file = pytest.importorskip("safetensors.torch").save_file
    save_file(Mean().state_dict(), tmp_path / "model.safetensors")
    model = loaders.load(tmp_path / "model.safetensors", Settings(factory=factory))
    assert [s.name for s in model.inputs] == ["input_ids", "attention_mask"]
    assert model.info.format == "safetensors"


def test_weights_alone_ask_for_a_factory(tmp_path: Path) -> None:
    torch.save(Mean().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(LoadError, match=r"without the code.*--factory"):
        loaders.load(tmp_path / "weights.pt", Settings())


def test_weights_that_do_not_fit_are_named(tmp_path: Path, factory: str) -> None:
    state = Mean().state_dict()
    state["extra"] = torch.ones(1)
    del state["head.bias"]
    torch.save(state, tmp_path / "weights.pt")
    with pytest.raises(LoadError, match=r"missing head\.bias; unknown extra"):
        loaders.load(tmp_path / "weights.pt", Settings(factory=factory))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("net", UsageError, "names no function"),
        ("net.py:nothing", UsageError, "has no function 'nothing'"),
        ("nowhere_at_all:build", UsageError, "cannot be imported"),
        ("net.py:seven", LoadError, "returned int"),
    ],
)
def test_wrong_factories(
    tmp_path: Path, factory: str, monkeypatch: pytest.MonkeyPatch, name: str, error: type[Exception], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(Mean().state_dict(), tmp_path / "weights.pt")
    with pytest.raises(error, match=message):
        loaders.load(tmp_path / "weights.pt", Settings(factory=name))


def test_pickles_are_refused_by_name_and_run_nothing(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    torch.save({"weights": torch.ones(2), "more": Payload(mark)}, tmp_path / "bad.pt")
    with pytest.raises(LoadError, match=r"refused.*_touch.*--trust"):
        loaders.load(tmp_path / "bad.pt", Settings(factory="nowhere:build"))
    assert not mark.exists()
    torch.load(tmp_path / "bad.pt", weights_only=False)
    assert mark.exists(), "the payload works when it is let run"


def test_a_pickled_module_opens_when_trusted(tmp_path: Path) -> None:
    torch.save(Mean(), tmp_path / "module.pt")
    with pytest.raises(LoadError, match=r"refused.*Mean"):
        loaders.load(tmp_path / "module.pt", Settings())
    model = loaders.load(tmp_path / "module.pt", Settings(trust=True))
    assert model.info.format == "torch-pickle"
    assert {s.name for s in model.inputs} == {"input_ids", "attention_mask"}


def test_payloads_in_exported_archives_do_not_run(tmp_path: Path, archive: Path) -> None:
    mark = tmp_path / "ran"
    bad = rewritten(archive, tmp_path / "bad.pt2", "/sample_inputs/", pickled(((), {"x": Payload(mark)})))
    with pytest.raises(LoadError, match=r"refused.*sample_inputs.*--trust"):
        loaders.load(bad, Settings())
    assert not mark.exists()


def test_weights_for_the_unpickler_are_refused(tmp_path: Path, archive: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        name = next(n for n in content.namelist() if n.endswith("model_weights_config.json"))
        config = json.loads(content.read(name))
    next(iter(config["config"].values()))["use_pickle"] = True
    bad = rewritten(archive, tmp_path / "bad.pt2", "model_weights_config.json", json.dumps(config).encode())
    with pytest.raises(LoadError, match=r"refused.*unpickler"):
        loaders.load(bad, Settings())


def test_exported_programs_keep_names_symbols_and_lines(archive: Path) -> None:
    model = loaders.load(archive, Settings())
    assert [(s.name, s.shape[0] if s.shape else None) for s in model.inputs] == [
        ("input_ids", "batch"),
        ("attention_mask", "batch"),
    ]
    assert any(f.kind == "unused-input" and "attention_mask" in f.detail for f in model.info.static)
    report = audit_model(str(archive), Settings())
    assert report.outcome.value == "leaky"
    site = report.findings[0].site
    assert site is not None
    assert site.source is not None
    assert site.source.file == __file__
    assert "mean(1)" in (site.source.text or "")


def test_torchscript_needs_trust(tmp_path: Path) -> None:
    example = {"input_ids": torch.ones(3, 7, dtype=torch.int64), "attention_mask": torch.ones(3, 7, dtype=torch.int64)}
    path = tmp_path / "model.pt"
    torch.jit.save(torch.jit.trace(Mean().eval(), example_kwarg_inputs=example), str(path))
    with pytest.raises(LoadError, match=r"refused.*program of its own"):
        loaders.load(path, Settings())
    report = audit_model(str(path), Settings(trust=True))
    assert (report.outcome.value, report.format) == ("leaky", "torchscript")
    assert report.findings[0].site is not None
    assert report.findings[0].site.operator == "aten.mean"


def test_damaged_files_are_errors(tmp_path: Path, archive: Path) -> None:
    whole = archive.read_bytes()
    (tmp_path / "cut.pt2").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LoadError):
        loaders.load(tmp_path / "cut.pt2", Settings())
    rewritten(archive, tmp_path / "odd.pt2", "models/model.json", b"{}")
    with pytest.raises(LoadError, match="cannot load the exported program"):
        loaders.load(tmp_path / "odd.pt2", Settings())
