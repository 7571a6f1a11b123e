"""Series, forecasts, plans and traffic."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import feats, lengths, mask, padmask, report


@report("ATT-01", x=feats("batch", 3, "time"), key_padding_mask=padmask("batch", "time"))
def tsai_tst(mended: bool) -> nn.Module:
    """https://github.com/timeseriesAI/tsai/issues/79: series of many lengths, and nothing to tell the attention so.

    In small: without the flattening head, which has a weight for every step; the mean over real steps takes its place.
    """

    class Transpose(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.transpose(1, 2)

    class _ScaledDotProductAttention(nn.Module):
        def __init__(self, d_k: int) -> None:
            super().__init__()
            self.d_k = d_k

        def forward(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
            scores = torch.matmul(q, k) / (self.d_k**0.5)
            if mask is not None:
                scores.masked_fill_(mask, -1e9)
            attn = F.softmax(scores, dim=-1)  # leak
            return torch.matmul(attn, v)

    class _MultiHeadAttention(nn.Module):
        def __init__(self, d_model: int, n_heads: int) -> None:
            super().__init__()
            self.n_heads, self.d_k = n_heads, d_model // n_heads
            self.W_Q, self.W_K, self.W_V = (nn.Linear(d_model, d_model, bias=False) for _ in range(3))
            self.W_O, self.sdp_attn = nn.Linear(d_model, d_model, bias=False), _ScaledDotProductAttention(self.d_k)

        def forward(self, Q: Tensor, mask: Tensor | None) -> Tensor:
            bs = Q.size(0)
            q_s = self.W_Q(Q).view(bs, -1, self.n_heads, self.d_k).transpose(1, 2)
            k_s = self.W_K(Q).view(bs, -1, self.n_heads, self.d_k).permute(0, 2, 3, 1)
            v_s = self.W_V(Q).view(bs, -1, self.n_heads, self.d_k).transpose(1, 2)
            context = self.sdp_attn(q_s, k_s, v_s, mask)
            return self.W_O(context.transpose(1, 2).contiguous().view(bs, -1, self.n_heads * self.d_k))

    class _TSTEncoderLayer(nn.Module):
        def __init__(self, d_model: int) -> None:
            super().__init__()
            self.self_attn = _MultiHeadAttention(d_model, 2)
            self.batchnorm_attn = nn.Sequential(Transpose(), nn.BatchNorm1d(d_model), Transpose())
            self.ff = nn.Sequential(nn.Linear(d_model, 16), nn.GELU(), nn.Linear(16, d_model))
            self.batchnorm_ffn = nn.Sequential(Transpose(), nn.BatchNorm1d(d_model), Transpose())

        def forward(self, src: Tensor, mask: Tensor | None) -> Tensor:
            src = self.batchnorm_attn(src + self.self_attn(src, mask))
            return self.batchnorm_ffn(src + self.ff(src))

    class TST(nn.Module):
        def __init__(self, c_in: int = 3, c_out: int = 4, d_model: int = 8, max_seq_len: int = 48) -> None:
            super().__init__()
            self.W_P, self.W_pos = nn.Linear(c_in, d_model), nn.Parameter(torch.randn(max_seq_len, d_model) * 0.3)
            self.encoder = nn.ModuleList(_TSTEncoderLayer(d_model) for _ in range(2))
            self.head = nn.Linear(d_model, c_out)

        def forward(self, x: Tensor, key_padding_mask: Tensor) -> Tensor:
            u = self.W_P(x.transpose(2, 1)) + self.W_pos[: x.size(2)]
            mask = key_padding_mask.unsqueeze(1).unsqueeze(2) if mended else None
            for layer in self.encoder:
                u = layer(u, mask)
            u = u.masked_fill(key_padding_mask.unsqueeze(-1), 0.0)
            return self.head(u.sum(1) / (~key_padding_mask).sum(1, keepdim=True))

    return TST()


@report(
    "ATT-01",
    x_enc=feats("batch", "time", 5),
    x_mark_enc=feats("batch", "time", 2),
    x_dec=feats("batch", 4, 5),
    enc_lens=lengths(),
)
def informer(mended: bool) -> nn.Module:
    """https://github.com/zhouhaoyi/Informer2020/issues/104: the mask there is hides the future, none hides pads."""

    class TriangularCausalMask:
        def __init__(self, L: int) -> None:
            self.mask = torch.ones(L, L, dtype=torch.bool).triu(1)[None, None]

    class FullAttention(nn.Module):
        def __init__(self, mask_flag: bool) -> None:
            super().__init__()
            self.mask_flag = mask_flag

        def forward(self, queries: Tensor, keys: Tensor, values: Tensor, padding: Tensor | None) -> Tensor:
            scores = torch.einsum("blhe,bshe->bhls", queries, keys)
            if self.mask_flag:
                scores = scores.masked_fill(TriangularCausalMask(queries.shape[1]).mask, -torch.inf)
            if padding is not None:
                scores = scores.masked_fill(padding[:, None, None], -torch.inf)
            A = torch.softmax(queries.shape[-1] ** -0.5 * scores, dim=-1)  # leak
            return torch.einsum("bhls,bshd->blhd", A, values)

    class AttentionLayer(nn.Module):
        def __init__(self, attention: nn.Module, d_model: int, n_heads: int) -> None:
            super().__init__()
            self.inner_attention, self.n_heads = attention, n_heads
            self.query_projection, self.key_projection = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
            self.value_projection, self.out_projection = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)

        def forward(self, x: Tensor, cross: Tensor, padding: Tensor | None = None) -> Tensor:
            projected = (
                f(t).unflatten(-1, (self.n_heads, -1))
                for f, t in ((self.query_projection, x), (self.key_projection, cross), (self.value_projection, cross))
            )
            return self.out_projection(self.inner_attention(*projected, padding).flatten(2))

    class EncoderLayer(nn.Module):
        def __init__(self, d_model: int) -> None:
            super().__init__()
            self.attention = AttentionLayer(FullAttention(False), d_model, 2)
            self.conv1, self.conv2 = nn.Conv1d(d_model, 16, 1), nn.Conv1d(16, d_model, 1)
            self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

        def forward(self, x: Tensor, padding: Tensor | None) -> Tensor:
            y = x = self.norm1(x + self.attention(x, x, padding))
            y = self.conv2(F.relu(self.conv1(y.transpose(-1, 1)))).transpose(-1, 1)
            return self.norm2(x + y)

    class DecoderLayer(nn.Module):
        def __init__(self, d_model: int) -> None:
            super().__init__()
            self.self_attention = AttentionLayer(FullAttention(True), d_model, 2)
            self.cross_attention = AttentionLayer(FullAttention(False), d_model, 2)
            self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)

        def forward(self, x: Tensor, cross: Tensor, padding: Tensor | None) -> Tensor:
            x = self.norm1(x + self.self_attention(x, x))
            return self.norm2(x + self.cross_attention(x, cross, padding))

    class Informer(nn.Module):
        def __init__(self, d_model: int = 8) -> None:
            super().__init__()
            self.value_embedding, self.temporal_embedding = nn.Linear(5, d_model), nn.Linear(2, d_model, bias=False)
            self.encoder = nn.ModuleList(EncoderLayer(d_model) for _ in range(2))
            self.decoder, self.projection = DecoderLayer(d_model), nn.Linear(d_model, 3)

        def forward(self, x_enc: Tensor, x_mark_enc: Tensor, x_dec: Tensor, enc_lens: Tensor) -> Tensor:
            padding = torch.arange(x_enc.shape[1])[None] >= enc_lens[:, None] if mended else None
            enc_out = self.value_embedding(x_enc) + self.temporal_embedding(x_mark_enc)
            for layer in self.encoder:
                enc_out = layer(enc_out, padding)
            return self.projection(self.decoder(self.value_embedding(x_dec), enc_out, padding))

    return Informer()


@report("ATT-01", left=True, series=feats("batch", 2, "time"), padding_mask=mask("batch", 2, "time", dtype="bool"))
def toto_padding(mended: bool) -> nn.Module:
    """https://github.com/DataDog/toto/issues/57: another padding value, another forecast; the scaler is masked."""

    def rotate(x: Tensor) -> Tensor:
        half = x.shape[-1] // 2
        angle = torch.arange(x.shape[-2])[:, None] * 10.0 ** -torch.arange(half).to(x.dtype)
        a, b = x[..., :half], x[..., half:]
        return torch.cat([a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], -1)

    class StdMeanScaler(nn.Module):
        def forward(self, data: Tensor, padding_mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            weights = padding_mask.to(data.dtype)
            denom = weights.sum(-1, keepdim=True).clamp_min(1.0)
            kept = data.masked_fill(~padding_mask, 0.0)
            loc = kept.sum(-1, keepdim=True) / denom
            scale = (((kept - loc) ** 2 * weights).sum(-1, keepdim=True) / denom + 0.1).sqrt()
            return (data - loc) / scale, loc, scale

    class TimeWiseMultiheadAttention(nn.Module):
        def __init__(self, embed_dim: int, num_heads: int) -> None:
            super().__init__()
            self.num_heads = num_heads
            self.wQKV, self.wO = nn.Linear(embed_dim, 3 * embed_dim), nn.Linear(embed_dim, embed_dim)

        def forward(self, inputs: Tensor, padding_mask: Tensor) -> Tensor:
            q, k, v = (
                t.unflatten(-1, (self.num_heads, -1)).transpose(-3, -2) for t in self.wQKV(inputs).chunk(3, dim=-1)
            )
            size = inputs.shape[-2]
            allowed = torch.ones(size, size, dtype=torch.bool).tril()
            if mended:
                allowed = allowed & (padding_mask[:, :, None, None, :] | torch.eye(size, dtype=torch.bool))
            output = F.scaled_dot_product_attention(rotate(q), rotate(k), v, attn_mask=allowed)  # leak
            return self.wO(output.transpose(-3, -2).flatten(-2))

    class Toto(nn.Module):
        def __init__(self, embed_dim: int = 8) -> None:
            super().__init__()
            self.scaler, self.patch_embed = StdMeanScaler(), nn.Linear(1, embed_dim)
            self.layers = nn.ModuleList(TimeWiseMultiheadAttention(embed_dim, 2) for _ in range(2))
            self.norms = nn.ModuleList(nn.LayerNorm(embed_dim) for _ in range(2))
            self.unembed = nn.Linear(embed_dim, 3)

        def forward(self, series: Tensor, padding_mask: Tensor) -> Tensor:
            scaled, loc, scale = self.scaler(series, padding_mask)
            x = self.patch_embed(scaled.unsqueeze(-1))
            for norm, layer in zip(self.norms, self.layers, strict=True):
                x = x + layer(norm(x), padding_mask)
            return self.unembed(x[:, :, -1]) * scale + loc

    return Toto()


@report(
    "ATT-19",
    shown=True,
    sampled_trajectories=feats("batch", 3, 4),
    neighbors=feats("batch", "agents", 5),
    lanes=feats("batch", "lanes", 6),
)
def diffusion_planner(mended: bool) -> nn.Module:
    """https://github.com/tier4/Diffusion-Planner/pull/156: the encoder hides the empty slots, the decoder does not.

    Mended as there: what is empty is set to zero, and zeros are the mask.
    """

    class FusionEncoder(nn.Module):
        def __init__(self, hidden_dim: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(hidden_dim), nn.LayerNorm(hidden_dim)
            self.attn = nn.MultiheadAttention(hidden_dim, 2, batch_first=True)
            self.mlp = nn.Sequential(nn.Linear(hidden_dim, 16), nn.GELU(), nn.Linear(16, hidden_dim))

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            y = self.norm1(x)
            x = x + self.attn(y, y, y, key_padding_mask=mask)[0]
            return x + self.mlp(self.norm2(x))

    class Encoder(nn.Module):
        def __init__(self, hidden_dim: int) -> None:
            super().__init__()
            self.neighbor_encoder = nn.Sequential(
                nn.Linear(5, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim)
            )
            self.lane_encoder = nn.Sequential(nn.Linear(6, hidden_dim), nn.ReLU(), nn.Linear(hidden_dim, hidden_dim))
            self.fusion = FusionEncoder(hidden_dim)

        def forward(self, neighbors: Tensor, lanes: Tensor) -> Tensor:
            empty = torch.cat([(t != 0).sum(-1) == 0 for t in (neighbors, lanes)], dim=1)
            encoding = torch.cat([self.neighbor_encoder(neighbors), self.lane_encoder(lanes)], dim=1)
            encoding = self.fusion(encoding, empty)
            if mended:
                encoding = encoding.masked_fill(empty.unsqueeze(-1), 0.0)
            return encoding

    class DiTBlock(nn.Module):
        def __init__(self, dim: int) -> None:
            super().__init__()
            self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
            self.attn = nn.MultiheadAttention(dim, 2, batch_first=True)
            self.cross_attn = nn.MultiheadAttention(dim, 2, batch_first=True)

        def forward(self, x: Tensor, cross_c: Tensor, cross_attn_mask: Tensor | None) -> Tensor:
            y = self.norm1(x)
            x = x + self.attn(y, y, y)[0]
            y = self.norm2(x)
            return x + self.cross_attn(y, cross_c, cross_c, key_padding_mask=cross_attn_mask)[0]  # leak

    class DiffusionPlanner(nn.Module):
        def __init__(self, hidden_dim: int = 8) -> None:
            super().__init__()
            self.encoder, self.preproj = Encoder(hidden_dim), nn.Linear(4, hidden_dim)
            self.blocks = nn.ModuleList(DiTBlock(hidden_dim) for _ in range(2))
            self.final_layer = nn.Linear(hidden_dim, 4)

        def forward(self, sampled_trajectories: Tensor, neighbors: Tensor, lanes: Tensor) -> dict[str, Tensor]:
            cross_c = self.encoder(neighbors, lanes)
            x = self.preproj(sampled_trajectories)
            cross_attn_mask = cross_c.abs().sum(-1) == 0 if mended else None
            for block in self.blocks:
                x = block(x, cross_c, cross_attn_mask)
            return {"prediction": self.final_layer(x)}

    return DiffusionPlanner()


@report("POOL-02", shown=True, ego_trajectory=feats("batch", 4), neighbors=feats("batch", "agents", 5))
def planner_turn(mended: bool) -> nn.Module:
    """https://github.com/tier4/Diffusion-Planner/issues/187: empty slots are zeros and yet make the mean smaller."""

    class TurnIndicatorDecoder(nn.Module):
        def __init__(self, hidden_dim: int) -> None:
            super().__init__()
            self.ego_proj = nn.Linear(4, hidden_dim)
            self.head = nn.Sequential(nn.Linear(2 * hidden_dim, 10), nn.ReLU(), nn.Linear(10, 4))

        def forward(self, ego_trajectory: Tensor, encoding: Tensor) -> Tensor:
            if mended:
                valid = (encoding.abs().sum(-1, keepdim=True) > 0).to(encoding.dtype)
                encoding_pooled = (encoding * valid).sum(1) / valid.sum(1).clamp_min(1)
            else:
                encoding_pooled = torch.mean(encoding, dim=1)  # leak
            return self.head(torch.cat([self.ego_proj(ego_trajectory), encoding_pooled], dim=-1))

    class Planner(nn.Module):
        def __init__(self, hidden_dim: int = 8) -> None:
            super().__init__()
            self.neighbor_encoder = nn.Sequential(
                nn.Linear(5, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, hidden_dim)
            )
            self.q, self.k, self.v = (nn.Linear(hidden_dim, hidden_dim) for _ in range(3))
            self.decoder = TurnIndicatorDecoder(hidden_dim)

        def forward(self, ego_trajectory: Tensor, neighbors: Tensor) -> dict[str, Tensor]:
            empty = torch.sum(torch.ne(neighbors, 0), dim=-1) == 0
            x = self.neighbor_encoder(neighbors)
            scores = torch.baddbmm(
                torch.where(empty, -torch.inf, 0.0).to(x.dtype).unsqueeze(1),
                self.q(x),
                self.k(x).transpose(1, 2),
                alpha=1 / math.sqrt(x.shape[-1]),
            )
            x = x + torch.bmm(scores.softmax(-1), self.v(x))
            encoding = x.masked_fill(empty.unsqueeze(-1), 0.0)
            return {"turn_indicator_logit": self.decoder(ego_trajectory, encoding)}

    return Planner()
