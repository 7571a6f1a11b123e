"""Which id is padding, where a module compares its ids with something else."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import maskcheck
from maskcheck.core.report import Outcome

MASKED = 3


class TokenDropout(nn.Module):
    """Embeddings rescaled by the share of masked words; the embedding says which id is padding."""

    def __init__(self, padding: int) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 8, padding_idx=padding), nn.Linear(8, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        keep = attention_mask.float().unsqueeze(-1)
        share = (input_ids == MASKED).float().sum(1) / attention_mask.sum(1)
        x = torch.tanh(self.embed(input_ids)) * (1 - 0.12) / (1 - 0.5 * share)[:, None, None]
        return self.head((x * keep).sum(1) / keep.sum(1))


def test_the_row_that_an_embedding_keeps_for_padding_is_the_pad_id() -> None:
    torch.manual_seed(0)
    ids = torch.randint(4, 30, (3, 9))
    for padding in (0, 1):
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        report = maskcheck.audit(TokenDropout(padding).eval(), inputs).model
        assert report.contract is not None and report.contract.input("input_ids").pad_value == padding
        assert report.outcome is Outcome.CLEAN
