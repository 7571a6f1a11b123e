"""Text towers, embedders and the text of diffusion models."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import feats, ids, lengths, mask, report


@report("POOL-06", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def dense_retriever(mended: bool) -> nn.Module:
    """https://github.com/xiezijun714-lang/Echo/pull/24: the count of real tokens as the place of the last one."""

    class Attention(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.qkv, self.o_proj, self.norm = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim), nn.LayerNorm(dim)

        def forward(self, x: Tensor, bias: Tensor) -> Tensor:
            q, k, v = self.qkv(self.norm(x)).chunk(3, -1)
            scores = q @ k.transpose(1, 2) / math.sqrt(q.size(-1)) + bias
            return x + self.o_proj(scores.softmax(-1) @ v)

    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, 8)
            self.layers = nn.ModuleList(Attention(8) for _ in range(2))

        def last_token_pool(self, hidden: Tensor, attention_mask: Tensor) -> Tensor:
            if mended:
                return hidden[:, -1]
            last = attention_mask.sum(1) - 1  # cause
            return hidden[torch.arange(hidden.size(0)), last]  # leak

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            causal = torch.ones(input_ids.size(1), input_ids.size(1)).tril().bool()
            seen = causal & attention_mask.bool()[:, None]
            x = self.embed_tokens(input_ids)
            bias = torch.zeros(seen.shape, dtype=x.dtype).masked_fill(~seen, -1e9)
            for layer in self.layers:
                x = layer(x, bias)
            return F.normalize(self.last_token_pool(x, attention_mask), dim=-1)

    return Encoder()


@report("ATT-19", x=feats("batch", 5, 8), context=feats("batch", "time", 6), context_lens=lengths())
def wan_context(mended: bool) -> nn.Module:
    """https://github.com/aigc-apps/VideoX-Fun/issues/258: latents attend to the whole of the padded prompt."""

    class CrossAttention(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))

        def forward(self, x: Tensor, context: Tensor, context_lens: Tensor | None) -> Tensor:
            q, k, v = (t.unflatten(2, (2, -1)).transpose(1, 2) for t in (self.q(x), self.k(context), self.v(context)))
            seen = None
            if context_lens is not None:
                seen = (torch.arange(context.size(1)) < context_lens[:, None])[:, None, None]
            out = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)  # leak
            return self.o(out.transpose(1, 2).flatten(2))

    class WanBlock(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.cross_attn, self.ffn = (
                CrossAttention(dim),
                nn.Sequential(nn.Linear(dim, 16), nn.GELU(), nn.Linear(16, dim)),
            )

        def forward(self, x: Tensor, context: Tensor, context_lens: Tensor | None) -> Tensor:
            x = x + self.cross_attn(self.norm1(x), context, context_lens)
            return x + self.ffn(self.norm2(x))

    class WanModel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.text_embedding = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 8))
            self.blocks = nn.ModuleList(WanBlock(8) for _ in range(2))
            self.head = nn.Linear(8, 4)

        def forward(self, x: Tensor, context: Tensor, context_lens: Tensor) -> Tensor:
            context = self.text_embedding(context)
            for block in self.blocks:
                x = block(x, context, context_lens if mended else None)
            return self.head(x)

    return WanModel()
