"""Recommenders: what someone did so far, and what may come next."""

# ruff: noqa: SIM108 - a mistake stands on a line of its own

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import ids, report


@report("MIX-06", left=True, log_seqs=ids("batch", "time"))
def sasrec(mended: bool) -> nn.Module:
    """https://github.com/pmixer/SASRec.pytorch/issues/27: padded items are zeros, and zeros are keys like all others.

    Positions count from the end, so that items keep theirs however many pads stand in front.
    """

    class PointWiseFeedForward(nn.Module):
        def __init__(self, units: int) -> None:
            super().__init__()
            self.conv1, self.conv2 = nn.Conv1d(units, units, 1), nn.Conv1d(units, units, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.conv2(torch.relu(self.conv1(inputs.transpose(-1, -2)))).transpose(-1, -2) + inputs

    class SASRec(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.item_emb, self.pos_emb = nn.Embedding(40, 12, padding_idx=0), nn.Embedding(64, 12)
            self.attention_layernorms = nn.ModuleList(nn.LayerNorm(12) for _ in range(2))
            self.attention_layers = nn.ModuleList(nn.MultiheadAttention(12, 1) for _ in range(2))
            self.forward_layers = nn.ModuleList(PointWiseFeedForward(12) for _ in range(2))
            self.last_layernorm = nn.LayerNorm(12)

        def forward(self, log_seqs: Tensor) -> Tensor:
            seqs = self.item_emb(log_seqs) * 12**0.5
            seqs = seqs + self.pos_emb(torch.arange(log_seqs.shape[1]).flip(0))
            timeline_mask = log_seqs == 0
            seqs = seqs * ~timeline_mask.unsqueeze(-1)
            tl = seqs.shape[1]
            attention_mask = ~torch.tril(torch.ones((tl, tl), dtype=torch.bool))
            for norm, attend, forward in zip(
                self.attention_layernorms, self.attention_layers, self.forward_layers, strict=True
            ):
                seqs = seqs.transpose(0, 1)
                Q = norm(seqs)
                if mended:
                    ahead = attention_mask | timeline_mask.unsqueeze(1)
                    ahead = ahead & ~torch.eye(tl, dtype=torch.bool)
                    mha_outputs, _ = attend(Q, seqs, seqs, attn_mask=ahead)
                else:
                    mha_outputs, _ = attend(Q, seqs, seqs, attn_mask=attention_mask)  # leak
                seqs = forward((Q + mha_outputs).transpose(0, 1))
                seqs = seqs * ~timeline_mask.unsqueeze(-1)
            return self.last_layernorm(seqs)[:, -1] @ self.item_emb.weight.t()

    return SASRec()


@report("POOL-09", item_seq=ids("batch", "time"))
def light_sans(mended: bool) -> nn.Module:
    """https://github.com/BELIEVEfxy/LightSANs/issues/3: one softmax over items, one over interests."""

    class ItemToInterestAggregation(nn.Module):
        def __init__(self, hidden_size: int, k_interests: int) -> None:
            super().__init__()
            self.theta = nn.Parameter(torch.randn(hidden_size, k_interests))

        def forward(self, input_tensor: Tensor, pads: Tensor) -> Tensor:
            D_matrix = torch.matmul(input_tensor, self.theta)
            if mended:
                D_matrix = D_matrix.masked_fill(pads.unsqueeze(-1), -1e9)
            D_matrix = nn.Softmax(dim=-2)(D_matrix)  # leak
            return torch.einsum("nij,nik->nkj", input_tensor, D_matrix)

    class LightSANs(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.item_embedding = nn.Embedding(40, 10, padding_idx=0)
            self.query, self.key, self.value = nn.Linear(10, 10), nn.Linear(10, 10), nn.Linear(10, 10)
            self.attpooling_key = ItemToInterestAggregation(10, 4)
            self.attpooling_value = ItemToInterestAggregation(10, 4)
            self.norm = nn.LayerNorm(10)

        def forward(self, item_seq: Tensor) -> Tensor:
            x, pads = self.item_embedding(item_seq), item_seq == 0
            q, k, v = self.query(x), self.key(x), self.value(x)
            scores = q @ self.attpooling_key(k, pads).transpose(-1, -2)
            return self.norm(x + nn.Softmax(dim=-1)(scores) @ self.attpooling_value(v, pads))

    return LightSANs()


@report("ATT-06", hist_item=ids("batch", "time"), target_item=ids("batch", 1))
def mind_routing(mended: bool) -> nn.Module:
    """https://github.com/PaddlePaddle/PaddleRec/pull/904: weights are normalised over the capsules."""

    class CapsuleLayer(nn.Module):
        def __init__(self, units: int, k_max: int, iters: int) -> None:
            super().__init__()
            self.iters, self.k_max = iters, k_max
            self.bilinear_mapping_matrix = nn.Parameter(torch.randn(units, units) * 0.4)
            self.register_buffer("routing_logits", torch.randn(1, k_max, 1))

        def squash(self, z: Tensor) -> Tensor:
            norm = z.square().sum(-1, keepdim=True)
            return norm / (1 + norm) * z / torch.sqrt(norm + 1e-9)

        def forward(self, low_capsule: Tensor, mask: Tensor) -> Tensor:
            paddings = torch.full_like(mask, -(2.0**16)).unsqueeze(1)
            mapped = torch.einsum("ijk,kl->ijl", low_capsule, self.bilinear_mapping_matrix)
            logits = self.routing_logits.expand(low_capsule.size(0), self.k_max, low_capsule.size(1))
            for _ in range(self.iters):
                b_mask = torch.where(mask.unsqueeze(1) > 0, logits, paddings)
                if mended:
                    w = F.softmax(b_mask, dim=2)
                else:
                    w = F.softmax(b_mask, dim=1)  # leak
                z = torch.matmul(w, mapped)
                interest = self.squash(z)
                logits = logits + torch.matmul(interest, mapped.transpose(1, 2))
            return interest

    class Mind(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.item_emb = nn.Embedding(40, 8)
            self.capsule = CapsuleLayer(8, 3, 2)
            self.hidden = nn.Linear(8, 8)

        def forward(self, hist_item: Tensor, target_item: Tensor) -> Tensor:
            mask = (hist_item > 0).to(self.hidden.weight.dtype)
            interests = torch.relu(self.hidden(self.capsule(self.item_emb(hist_item), mask)))
            target = self.item_emb(target_item).squeeze(1)
            weights = torch.softmax(torch.einsum("bkd,bd->bk", interests, target) * 2, -1)
            return (torch.einsum("bk,bkd->bd", weights, interests) * target).sum(-1)

    return Mind()


@report("ATT-08", sequence=ids("batch", "time"), candidate=ids("batch"), example_rows=4)
def fuxi_heads(mended: bool) -> nn.Module:
    """https://github.com/reczoo/FuxiCTR/issues/130: masks repeated row by row where heads lie inside rows."""

    class BehaviorTransformer(nn.Module):
        def __init__(self, dim: int = 8, num_heads: int = 2) -> None:
            super().__init__()
            self.num_heads = num_heads
            self.attention = nn.MultiheadAttention(dim, num_heads, batch_first=True)
            self.norm = nn.LayerNorm(dim)

        def forward(self, x: Tensor, pads: Tensor) -> Tensor:
            attn_mask = pads.unsqueeze(1).expand(-1, x.size(1), -1)
            attn_mask = attn_mask & ~torch.eye(x.size(1), dtype=torch.bool)
            if mended:
                attn_mask = attn_mask.repeat_interleave(self.num_heads, dim=0)
            else:
                attn_mask = attn_mask.repeat(self.num_heads, 1, 1)  # cause
            return self.norm(x + self.attention(x, x, x, attn_mask=attn_mask)[0])  # leak

    class BST(nn.Module):
        def __init__(self, feature_map: dict[str, Any]) -> None:
            super().__init__()
            self.embedding_layer = nn.Embedding(feature_map["vocab"], 8)
            self.transformer = BehaviorTransformer()
            self.dnn = nn.Sequential(nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 1))

        def forward(self, sequence: Tensor, candidate: Tensor) -> dict[str, Tensor]:
            pads = sequence == 0
            x = self.transformer(self.embedding_layer(sequence), pads).masked_fill(pads.unsqueeze(-1), 0)
            x = x.sum(1) / (~pads).sum(1, keepdim=True)
            return {"y_pred": torch.sigmoid(self.dnn(torch.cat([x, self.embedding_layer(candidate)], -1)))}

    return BST({"vocab": 40})


@report("POOL-01", behaviors_x=ids("batch", "time"), ads_x=ids("batch", 1))
def deep_interest(mended: bool) -> nn.Module:
    """https://github.com/Prayforhanluo/CTR_Algorithm/issues/5: what the mask in a DIN is for; reported: without it."""

    class Dice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.alpha = nn.Parameter(torch.zeros(1))

        def forward(self, x: Tensor) -> Tensor:
            p = torch.sigmoid(x)
            return p * x + (1 - p) * self.alpha * x

    class ActivationUnit(nn.Module):
        def __init__(self, embedding_dim: int) -> None:
            super().__init__()
            self.mlp = nn.Sequential(nn.Linear(4 * embedding_dim, 8), Dice(), nn.Linear(8, 1))

        def forward(self, query: Tensor, user_behavior: Tensor) -> Tensor:
            queries = query.repeat(1, user_behavior.size(1), 1)
            crossed = [queries, user_behavior, queries - user_behavior, queries * user_behavior]
            return self.mlp(torch.cat(crossed, dim=-1))

    class DeepInterestNetwork(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed = nn.Embedding(40, 8)
            self.activation_unit = ActivationUnit(8)
            self.output = nn.Sequential(nn.Linear(16, 8), Dice(), nn.Linear(8, 1))

        def forward(self, behaviors_x: Tensor, ads_x: Tensor) -> Tensor:
            query, behaviours = self.embed(ads_x), self.embed(behaviors_x)
            attns = self.activation_unit(query, behaviours)
            if mended:
                attns = attns.mul((behaviors_x > 0).to(attns.dtype).unsqueeze(-1))
            interest = behaviours.mul(attns).sum(dim=1)  # leak
            return torch.sigmoid(self.output(torch.cat([query.squeeze(1), interest], dim=1)))

    return DeepInterestNetwork()
