"""A program that lets products of float32 be rounded to TF32 or bfloat16 is audited in whole float32."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import maskcheck
from maskcheck.core.report import Outcome


class Watchful(nn.Module):
    """A masked mean that notes in which precision its products are computed."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 64), nn.Linear(64, 3)
        self.seen: set[str] = set()

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        self.seen |= {torch.backends.cuda.matmul.fp32_precision, torch.backends.mkldnn.matmul.fp32_precision}
        keep = attention_mask[..., None].to(torch.float32)
        return self.head((torch.tanh(self.embed(input_ids)) * keep).sum(1) / keep.sum(1))


@pytest.fixture
def rounding() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@pytest.mark.usefixtures("rounding")
def test_products_are_whole_while_a_model_runs_and_as_they_were_afterwards() -> None:
    ids = torch.randint(1, 30, (2, 9))
    model = Watchful()
    report = maskcheck.audit(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    assert report.model.outcome is Outcome.CLEAN
    assert model.seen == {"ieee"}
    assert torch.get_float32_matmul_precision() == "medium"
    assert torch.backends.mkldnn.matmul.fp32_precision == "bf16"
