"""Molecules."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import ids, padmask, report


@report("ATT-07", onnx=False, tokens=ids("batch", "time"))
def molecule_vae(mended: bool) -> nn.Module:
    """https://github.com/DaoyuanLi2816/Molecule-Generator/pull/22: batch-first molecules in a time-first encoder."""

    class Block(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.attn = nn.MultiheadAttention(dim, 2, batch_first=mended)
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.ff = nn.Sequential(nn.Linear(dim, 16), nn.ReLU(), nn.Linear(16, dim))

        def forward(self, x: Tensor, pad_mask: Tensor) -> Tensor:
            keep_out = pad_mask if mended else None
            x = self.norm1(x + self.attn(x, x, x, key_padding_mask=keep_out, need_weights=False)[0])  # leak
            return self.norm2(x + self.ff(x))

    class TransformerVAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(40, 8, padding_idx=0)
            self.encoder = nn.ModuleList(Block(8) for _ in range(2))
            self.fc_mu, self.fc_logvar = nn.Linear(8, 5), nn.Linear(8, 5)

        def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
            x = self.embedding(tokens)
            for block in self.encoder:
                x = block(x, tokens == 0)
            return self.fc_mu(x[:, 0]), self.fc_logvar(x[:, 0])

    return TransformerVAE()


@report("ATT-01", harmless=True, x=ids("batch", "time"), node_pad=padmask("batch", "time"))
def graphormer_nodes(mended: bool) -> nn.Module:
    """https://github.com/microsoft/Graphormer/issues/87: padded atoms have an id of their own, hidden by a bias."""

    class BiasedAttention(nn.Module):
        def __init__(self, dim: int, heads: int) -> None:
            super().__init__()
            self.heads, self.qkv, self.out_proj = heads, nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

        def forward(self, x: Tensor, attn_bias: Tensor) -> Tensor:
            q, k, v = (t.unflatten(-1, (self.heads, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
            scores = q @ k.transpose(-2, -1) / math.sqrt(q.size(-1)) + attn_bias
            return self.out_proj((F.softmax(scores, dim=-1) @ v).transpose(1, 2).flatten(2))

    class Graphormer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.atom_encoder = nn.Embedding(41, 8)
            self.graph_token = nn.Parameter(torch.randn(1, 1, 8))
            self.layers = nn.ModuleList(BiasedAttention(8, 2) for _ in range(2))
            self.out = nn.Linear(8, 3)

        def forward(self, x: Tensor, node_pad: Tensor) -> Tensor:
            nodes = self.atom_encoder(x + 1)
            if mended:
                nodes = nodes.masked_fill(node_pad.unsqueeze(-1), 0.0)
            h = torch.cat([self.graph_token.expand(x.size(0), -1, -1), nodes], 1)
            bias = F.pad(node_pad.to(h.dtype), (1, 0)) * -1e9
            for layer in self.layers:
                h = h + layer(h, bias[:, None, None])
            return self.out(h[:, 0])

    return Graphormer()
