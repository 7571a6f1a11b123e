"""Sound layers that resemble leaky ones in nothing else of this corpus."""

from __future__ import annotations

from torch import Tensor, nn

from evaluation.corpora.mechanisms.positions import WORDS
from evaluation.corpora.mechanisms.registry import IDS, WIDTH, Layer, looks_alike


@looks_alike("CL-28", kind=IDS)
class TokenDropout(Layer):
    """Embeddings are rescaled by the share of masked words, an id that pads never have."""

    def setup(self) -> None:
        self.embed = nn.Embedding(WORDS, WIDTH, padding_idx=0)

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        share = (ids == 3).to(m.dtype).sum(1) / m.sum(1)
        return self.embed(ids) * ((1 - 0.12) / (1 - 0.5 * share))[:, None, None]
