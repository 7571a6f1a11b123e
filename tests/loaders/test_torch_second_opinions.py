"""What the deployed path hides: leaks that fused kernels cover up, and ones that drown in rounding."""

from __future__ import annotations

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from maskcheck import audit
from maskcheck.core.report import ModelReport, Outcome, PassportRow, Severity, Status
from maskcheck.loaders.pytorch.gradients import gradients


class Encoder(nn.Module):
    """PyTorch's own encoder, told of pads by numbers or by booleans."""

    def __init__(self, floating: bool) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.floating = floating

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        pads = attention_mask == 0
        return self.layers(self.embed(input_ids), src_key_padding_mask=pads.float() if self.floating else pads)


class Price(nn.Module):
    """A regression whose answers are so large that ``leak`` drowns in their rounding."""

    def __init__(self, leak: float, offset: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.head = nn.Linear(16, 3)
        self.leak, self.offset = leak, offset

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x, mask = self.embed(input_ids), attention_mask[..., None].float()
        mean = (x * mask).sum(1) / mask.sum(1)
        return self.head(mean + self.leak * x.sum(1)) * 4 + self.offset


class WeakFill(nn.Module):
    """One head of attention whose masked scores are filled with ``fill``."""

    def __init__(self, fill: float) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.query = nn.Linear(16, 16)
        self.fill = fill

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids)
        scores = self.query(x) @ x.transpose(1, 2) / 4
        return scores.masked_fill(attention_mask[:, None] == 0, self.fill).softmax(-1) @ x


def audited(module: nn.Module) -> ModelReport:
    ids = torch.randint(1, 50, (3, 9), generator=torch.Generator().manual_seed(1))
    return audit(module.eval(), {"input_ids": ids, "attention_mask": torch.ones_like(ids)}).model


def row(report: ModelReport, variant: str) -> PassportRow | None:
    return next((r for r in report.passport if r.variant == variant), None)


def test_a_leak_that_the_fused_encoder_layer_hides_is_a_warning() -> None:
    torch.manual_seed(0)
    found = audited(Encoder(floating=True))
    assert found.outcome is Outcome.CLEAN
    unfused = row(found, "unfused")
    assert unfused is not None and unfused.status is Status.LEAKY and not unfused.gating
    (finding,) = found.findings
    assert finding.rule == "MC207" and finding.severity is Severity.WARNING
    assert finding.site is not None and finding.site.source is not None
    assert "src_key_padding_mask" in (finding.site.source.text or "")
    assert any("without fused kernels" in note for note in found.notes)


def test_a_boolean_mask_is_clean_with_and_without_fused_kernels() -> None:
    torch.manual_seed(0)
    found = audited(Encoder(floating=False))
    assert found.outcome is Outcome.CLEAN and found.findings == () and found.notes == ()
    assert row(found, "unfused") is None
    gradient = row(found, "gradient")
    assert gradient is not None and gradient.status is Status.CLEAN and gradient.reason == "exactly zero at the pads"


@pytest.mark.parametrize(("leak", "status"), [(0.0, Status.CLEAN), (3e-6, Status.LEAKY)])
def test_gradients_see_what_drowns_in_the_rounding_of_large_answers(leak: float, status: Status) -> None:
    torch.manual_seed(0)
    found = audited(Price(leak, offset=3e4))
    assert found.outcome is Outcome.CLEAN
    gradient = row(found, "gradient")
    assert gradient is not None and gradient.status is status and not gradient.gating
    assert any("Gradients see" in note for note in found.notes) is (status is Status.LEAKY)


@pytest.mark.parametrize("fill", [float("-inf"), -1e9, -1e4, -30.0])
def test_fills_that_leave_nothing_or_less_than_rounding_are_no_leak_to_gradients(fill: float) -> None:
    torch.manual_seed(0)
    gradient = row(audited(WeakFill(fill)), "gradient")
    assert gradient is not None and gradient.status is Status.CLEAN


def test_differentiating_leaves_the_module_as_it_was() -> None:
    torch.manual_seed(0)
    module = Price(3e-4, 0.0).train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    ids = torch.randint(1, 50, (1, 6))
    mask = torch.tensor([[1, 1, 1, 1, 0, 0]])

    def call(given: Any) -> dict[str, Tensor]:
        return {"output": module(given["input_ids"], given["attention_mask"])}

    found = gradients(
        call, {"input_ids": ids, "attention_mask": mask}, ("input_ids",), {"output": torch.ones(1, 3).numpy()}
    )
    assert found["input_ids"].shape == (1, 6)
    assert 0 < found["input_ids"][0, 4:].max() < found["input_ids"][0, :4].min()
    assert all(p.grad is None for p in module.parameters()) and module.training
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
