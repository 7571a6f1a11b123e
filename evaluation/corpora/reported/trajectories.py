"""Policies and motion."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import feats, lengths, padmask, report


@report("ATT-14", actions=feats("batch", "time", 4), state=feats("batch", 5), action_is_pad=padmask("batch", "time"))
def act_cvae(mended: bool) -> nn.Module:
    """https://github.com/huggingface/lerobot/pull/279: the encoder of the actions is not told where they end."""

    class ACTEncoderLayer(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.self_attn = nn.MultiheadAttention(dim, 2)
            self.linear1, self.linear2 = nn.Linear(dim, 16), nn.Linear(16, dim)
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

        def forward(self, x: Tensor, key_padding_mask: Tensor | None = None) -> Tensor:
            x = self.norm1(x + self.self_attn(x, x, x, key_padding_mask=key_padding_mask)[0])  # leak
            return self.norm2(x + self.linear2(F.relu(self.linear1(x))))

    class ACT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cls_embed = nn.Parameter(torch.randn(1, 1, 8))
            self.state_proj, self.action_proj = nn.Linear(5, 8), nn.Linear(4, 8)
            self.vae_encoder = nn.ModuleList(ACTEncoderLayer(8) for _ in range(2))
            self.latent_proj = nn.Linear(8, 6)

        def forward(self, actions: Tensor, state: Tensor, action_is_pad: Tensor) -> dict[str, Tensor]:
            cls = self.cls_embed.expand(actions.size(0), -1, -1)
            x = torch.cat([cls, self.state_proj(state).unsqueeze(1), self.action_proj(actions)], 1).transpose(0, 1)
            hidden = torch.cat([torch.zeros_like(action_is_pad[:, :1]).expand(-1, 2), action_is_pad], 1)
            for layer in self.vae_encoder:
                x = layer(x, hidden if mended else None)
            mu, log_sigma_x2 = self.latent_proj(x[0]).chunk(2, -1)
            return {"mu": mu, "log_sigma_x2": log_sigma_x2}

    return ACT()


@report("ATT-14", onnx=False, motion=feats("batch", 6, 1, "time"), emb=feats("batch", 8), lengths=lengths())
def motion_diffusion(mended: bool) -> nn.Module:
    """https://github.com/GuyTevet/motion-diffusion-model/issues/72: frames of many counts, attention over all."""

    class Layer(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.in_proj, self.out_proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)
            self.norm = nn.LayerNorm(dim)

        def forward(self, x: Tensor, hidden: Tensor | None) -> Tensor:
            q, k, v = self.in_proj(x).transpose(0, 1).chunk(3, dim=-1)
            logits = torch.einsum("bqd,bkd->bqk", q, k) / math.sqrt(q.size(-1))
            if hidden is not None:
                logits = logits.masked_fill(hidden.unsqueeze(1), float("-inf"))
            weights = logits.softmax(-1)  # leak
            return self.norm(x + self.out_proj(weights @ v).transpose(0, 1))

    class MDM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.input_process, self.output_process = nn.Linear(6, 8), nn.Linear(8, 6)
            self.seqTransEncoder = nn.ModuleList(Layer(8) for _ in range(2))

        def forward(self, motion: Tensor, emb: Tensor, lengths: Tensor) -> Tensor:
            x = self.input_process(motion.flatten(1, 2).permute(2, 0, 1))
            xseq = torch.cat([emb.unsqueeze(0), x])
            hidden = torch.arange(xseq.size(0)) > lengths[:, None]
            for layer in self.seqTransEncoder:
                xseq = layer(xseq, hidden if mended else None)
            return self.output_process(xseq[1:]).permute(1, 2, 0).unsqueeze(2)

    return MDM()
