"""Time series, state spaces, cheap attention, experts, proteins, decisions, language models."""

# ruff: noqa: SIM108 - a mistake stands on a line of its own

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from evaluation.corpora.reported.registry import feats, ids, lengths, mask, padmask, report, steps


@report("POS-06", summary_variables=feats("batch", "time", 3), attention_mask=mask("batch", "time", dtype="bool"))
def bayesflow_time(mended: bool) -> nn.Module:
    """https://github.com/bayesflow-org/bayesflow/issues/713: time runs from 0 to 1 over all steps, pads counted."""

    class Time2Vec(nn.Module):
        def __init__(self, num_periodic: int = 3) -> None:
            super().__init__()
            self.linear, self.periodic = nn.Linear(1, 1), nn.Linear(1, num_periodic)

        def forward(self, x: Tensor, real: Tensor) -> Tensor:
            steps = torch.arange(x.size(1)).to(x)
            if mended:
                t = steps[None] / real.sum(1, keepdim=True)
            else:
                t = (steps / x.size(1))[None].expand(x.size(0), -1)  # cause
            t = t.unsqueeze(-1)
            return torch.cat([x, self.linear(t), torch.sin(self.periodic(t))], dim=-1)  # leak

    class TimeSeriesTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.time_embedding = Time2Vec()
            self.project = nn.Linear(7, 8)
            self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
            self.norm, self.output_projector = nn.LayerNorm(8), nn.Linear(8, 4)

        def forward(self, summary_variables: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.project(self.time_embedding(summary_variables, attention_mask))
            x = self.norm(x + self.attention(x, x, x, key_padding_mask=~attention_mask)[0])
            keep = attention_mask[..., None].to(x.dtype)
            return self.output_projector((x * keep).sum(-2) / keep.sum(-2))

    return TimeSeriesTransformer()


@report(
    "NORM-04",
    past_values=feats("batch", "time", 2),
    past_observed_mask=mask("batch", "time", 2, dtype="bool"),
)
def patch_tst_scaler(mended: bool) -> nn.Module:
    """https://github.com/huggingface/transformers/issues/28914: what was not observed is in the scale."""

    class PatchTSTStdScaler(nn.Module):
        def forward(self, data: Tensor, observed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            weights = observed.to(data.dtype) if mended else torch.ones_like(data)
            denominator = weights.sum(1, keepdim=True).clamp_min(1.0)
            loc = (data * weights).sum(1, keepdim=True) / denominator  # leak
            variance = (((data - loc) * weights) ** 2).sum(1, keepdim=True) / denominator  # leak
            scale = torch.sqrt(variance + 1e-5)
            return (data - loc) / scale, loc, scale

    class PatchTST(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scaler = PatchTSTStdScaler()
            self.input_embedding, self.head = nn.Linear(2, 8), nn.Linear(8, 2)

        def forward(self, past_values: Tensor, past_observed_mask: Tensor) -> dict[str, Tensor]:
            scaled, loc, scale = self.scaler(past_values, past_observed_mask)
            seen = past_observed_mask.to(scaled.dtype)
            hidden = torch.tanh(self.input_embedding(scaled)) * seen[..., :1]
            pooled = hidden.sum(1) / seen[..., 0].sum(1, keepdim=True)
            return {"prediction_outputs": self.head(pooled).unsqueeze(1) * scale + loc}

    return PatchTST()


@report("ATT-03", past_target=feats("batch", "time", 3), past_is_pad=padmask("batch", "time", dtype="float32"))
def gluonts_tft(mended: bool) -> nn.Module:
    """https://github.com/awslabs/gluonts/pull/1401: the bias is a billionth, not a billion."""

    class SelfAttention(nn.Module):
        def __init__(self, d_hidden: int = 8, n_head: int = 2) -> None:
            super().__init__()
            self.n_head, self.d_head = n_head, d_hidden // n_head
            self.qkv_proj, self.out_proj = nn.Linear(d_hidden, 3 * d_hidden), nn.Linear(d_hidden, d_hidden)

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            qkv = self.qkv_proj(x).view(*x.shape[:2], self.n_head, 3 * self.d_head).permute(0, 2, 1, 3)
            q, k, v = qkv.split(self.d_head, dim=-1)
            score = q @ k.permute(0, 1, 3, 2) * self.d_head**-0.5
            bias = mask[:, None, None, :]
            score = score - bias * (1e9 if mended else 1e-9)  # cause
            weights = torch.softmax(score, dim=-1)  # leak
            return self.out_proj((weights @ v).permute(0, 2, 1, 3).flatten(2))

    class TemporalFusionTransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.proj = nn.Linear(3, 8)
            self.attention = SelfAttention()
            self.lnorm, self.output = nn.LayerNorm(8), nn.Linear(8, 3)

        def forward(self, past_target: Tensor, past_is_pad: Tensor) -> Tensor:
            x = torch.relu(self.proj(past_target))
            return self.output(self.lnorm(x + self.attention(x, past_is_pad)))

    return TemporalFusionTransformer()


@report("MIX-01", onnx=False, x_enc=feats("batch", "time", 4))
def fed_former(mended: bool) -> nn.Module:
    """https://github.com/MAZiqing/FEDformer/issues/8: modes of a Fourier transform over a window that was filled up.

    Mended in the only way there is: a mixing in time that needs no window, a causal average of what was seen.
    """

    class FourierBlock(nn.Module):
        def __init__(self, modes: int, width: int) -> None:
            super().__init__()
            self.modes = modes
            self.weights = nn.Parameter(torch.randn(modes, width))

        def forward(self, x: Tensor) -> Tensor:
            if mended:
                seen = torch.arange(1, x.size(1) + 1).to(x)[None, :, None]
                return torch.cumsum(x * self.weights[0], 1) / seen
            x_ft = torch.fft.rfft(x, dim=1)  # leak
            kept = x_ft[:, : self.modes] * self.weights
            return torch.fft.irfft(kept, n=x.size(1), dim=1)

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.value_embedding = nn.Linear(4, 6)
            self.encoder = FourierBlock(2, 6)
            self.norm, self.projection = nn.LayerNorm(6), nn.Linear(6, 4)

        def forward(self, x_enc: Tensor) -> Tensor:
            x = self.value_embedding(x_enc)
            return self.projection(self.norm(x + self.encoder(x)))

    return Model()


@report("RNN-10", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def mamba_left(mended: bool) -> nn.Module:
    """https://github.com/huggingface/transformers/issues/31540: pads in front move the convolution and the state."""

    class MambaMixer(nn.Module):
        def __init__(self, hidden: int = 8, state: int = 4) -> None:
            super().__init__()
            self.in_proj, self.out_proj = nn.Linear(hidden, 2 * hidden), nn.Linear(hidden, hidden)
            self.conv1d = nn.Conv1d(hidden, hidden, 3, groups=hidden, padding=2)
            self.x_proj, self.dt_proj = nn.Linear(hidden, 2 * state), nn.Linear(hidden, hidden)
            self.A_log = nn.Parameter(torch.log(torch.arange(1.0, state + 1)).repeat(hidden, 1))

        def forward(self, input_states: Tensor, attention_mask: Tensor) -> Tensor:
            seq_len = input_states.size(1)
            hidden_states, gate = self.in_proj(input_states).transpose(1, 2).chunk(2, dim=1)
            if mended:
                hidden_states = hidden_states * attention_mask.unsqueeze(1)
            hidden_states = F.silu(self.conv1d(hidden_states)[..., :seq_len])  # leak
            if mended:
                hidden_states = hidden_states * attention_mask.unsqueeze(1)
            B, C = self.x_proj(hidden_states.transpose(1, 2)).chunk(2, -1)
            dt = F.softplus(self.dt_proj(hidden_states.transpose(1, 2)))
            dA = torch.exp(-torch.exp(self.A_log)[None, None] * dt.unsqueeze(-1))
            dBx = dt.unsqueeze(-1) * B.unsqueeze(2) * hidden_states.transpose(1, 2).unsqueeze(-1)
            state, ys = torch.zeros_like(dBx[:, 0]), []
            for t in range(seq_len):
                state = dA[:, t] * state + dBx[:, t]  # leak
                ys.append((state * C[:, t].unsqueeze(1)).sum(-1))
            return self.out_proj(torch.stack(ys, 1) * F.silu(gate.transpose(1, 2)))

    class Mamba(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embeddings, self.mixer = nn.Embedding(40, 8), MambaMixer()
            self.norm_f, self.lm_head = nn.RMSNorm(8), nn.Linear(8, 10, bias=False)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
            x = self.embeddings(input_ids)
            return {"logits": self.lm_head(self.norm_f(x + self.mixer(self.norm_f(x), attention_mask)))}

    return Mamba()


@report("RNN-11", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def mask_gated(mended: bool) -> nn.Module:
    """https://github.com/huggingface/transformers/pull/46773: a batch of one is not masked before the convolution."""

    def apply_mask_to_padding_states(hidden_states: Tensor, attention_mask: Tensor) -> Tensor:
        if attention_mask.shape[1] > 1 and (mended or attention_mask.shape[0] > 1):
            hidden_states = hidden_states * attention_mask[:, :, None]
        return hidden_states

    class GatedDelta(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.in_proj, self.gate = nn.Linear(8, 8, bias=False), nn.Linear(8, 8)
            self.conv1d = nn.Conv1d(8, 8, 3, groups=8, bias=False)

        def forward(self, x: Tensor, attention_mask: Tensor) -> Tensor:
            x = apply_mask_to_padding_states(x, attention_mask)
            mixed = F.silu(self.conv1d(F.pad(self.in_proj(x).transpose(1, 2), (2, 0))).transpose(1, 2))  # leak
            mixed = mixed * attention_mask[:, :, None]
            return torch.cumsum(mixed, 1) * torch.sigmoid(self.gate(x))

    class Qwen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens, self.linear_attn = nn.Embedding(40, 8, padding_idx=None), GatedDelta()
            self.norm, self.lm_head = nn.RMSNorm(8), nn.Linear(8, 10)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.embed_tokens(input_ids)
            return self.lm_head(self.norm(x + self.linear_attn(x, attention_mask)))

    return Qwen()


@report("ATT-23", nodes=feats("batch", "time", 3), node_count=lengths())
def gnot_linear(mended: bool) -> nn.Module:
    """https://github.com/HaoZhongkai/GNOT/issues/12: sums of keys count what fills a mesh up."""

    class LinearCrossAttention(nn.Module):
        def __init__(self, n_embd: int = 8, n_head: int = 2) -> None:
            super().__init__()
            self.n_head = n_head
            self.query, self.key, self.value, self.proj = (nn.Linear(n_embd, n_embd) for _ in range(4))

        def forward(self, x: Tensor, keep: Tensor) -> Tensor:
            B, T, C = x.size()
            q, k, v = (f(x).view(B, T, self.n_head, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
            q, k = q.softmax(dim=-1), k.softmax(dim=-1)
            if mended:
                k = k * keep[:, None, :, None]
            k_cumsum = k.sum(dim=-2, keepdim=True)  # leak
            D_inv = 1.0 / (q * k_cumsum).sum(dim=-1, keepdim=True)
            out = (q @ (k.transpose(-2, -1) @ v)) * D_inv  # leak
            return self.proj(out.transpose(1, 2).contiguous().view(B, T, C))

    class GNOT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.trunk_mlp, self.blocks = nn.Linear(3, 8), nn.ModuleList(LinearCrossAttention() for _ in range(2))
            self.out_mlp = nn.Linear(8, 1)

        def forward(self, nodes: Tensor, node_count: Tensor) -> Tensor:
            keep = (torch.arange(nodes.size(1)) < node_count[:, None]).to(nodes.dtype)
            x = F.gelu(self.trunk_mlp(nodes))
            for block in self.blocks:
                x = x + block(x, keep)
            return self.out_mlp(x)

    return GNOT()


@report("ATT-25", x=feats("batch", "time", 6), example_rows=4)
def nystrom_inverse(mended: bool) -> nn.Module:
    """https://github.com/mlpen/Nystromformer/issues/3: one maximum over all rows starts each row's inverse.

    Causal and with landmarks of its own, so that only batch mates can be seen.
    """

    class NystromAttention(nn.Module):
        def __init__(self, dim: int = 6, landmarks: int = 3) -> None:
            super().__init__()
            self.W_q, self.W_k, self.W_v = (nn.Linear(dim, dim) for _ in range(3))
            self.landmarks = nn.Parameter(torch.randn(landmarks, dim))

        def iterative_inv(self, mat: Tensor, n_iter: int = 2) -> Tensor:
            identity = torch.eye(mat.size(-1)).to(mat)
            if mended:
                scale = mat.abs().sum(-2).amax(-1)[:, None, None]
            else:
                scale = torch.max(torch.sum(torch.abs(mat), dim=-2))  # leak in torch
            value = mat.transpose(-1, -2) / scale
            for _ in range(n_iter):
                value = 2 * value - value @ mat @ value
            return value + 0.1 * identity

        def forward(self, x: Tensor) -> Tensor:
            first = self.W_q(x[:, :1])
            kernel_2 = F.softmax((self.landmarks + first) @ (self.landmarks * first).transpose(1, 2) / 2.4, dim=-1)
            kernel_1 = F.softmax(self.W_k(x) @ self.landmarks.t() / 2.4, dim=-1)
            return kernel_1 @ self.iterative_inv(kernel_2) @ self.W_v(self.landmarks)  # leak in onnx

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attn, self.norm, self.ff = NystromAttention(), nn.LayerNorm(6), nn.Linear(6, 4)

        def forward(self, x: Tensor) -> Tensor:
            return self.ff(self.norm(x + self.attn(x)))

    return Model()


@report("MOE-01", onnx=False, input_ids=ids("batch", "time"), padding_mask=mask("batch", "time", dtype="bool"))
def megatron_router(mended: bool) -> nn.Module:
    """https://github.com/NVIDIA/Megatron-LM/pull/5542: pads are routed like tokens and take the places of an expert.

    Places are handed out from the end of a row, as where pads are packed before the tokens.
    """

    class TopKRouter(nn.Module):
        def __init__(self, hidden: int, experts: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(experts, hidden))

        def forward(self, tokens: Tensor, pads: Tensor, capacity: int) -> tuple[Tensor, Tensor]:
            probs = F.linear(tokens, self.weight).softmax(-1)
            chosen = F.one_hot(probs.argmax(-1), probs.size(-1))
            if mended:
                chosen = chosen * (~pads).unsqueeze(-1)
            place = torch.cumsum(chosen, 0)  # leak
            kept = chosen * (place <= capacity)
            return probs, kept

    class MoELayer(nn.Module):
        def __init__(self, hidden: int = 8, experts: int = 2) -> None:
            super().__init__()
            self.router = TopKRouter(hidden, experts)
            self.experts = nn.ModuleList(nn.Linear(hidden, hidden) for _ in range(experts))

        def forward(self, hidden_states: Tensor, padding_mask: Tensor) -> Tensor:
            out = []
            for row, pads in zip(hidden_states.flip(1), padding_mask.flip(1), strict=True):
                probs, kept = self.router(row, ~pads, 4)
                weights = (probs * kept).unsqueeze(-1)
                out.append(sum(weights[:, i] * expert(row) for i, expert in enumerate(self.experts)).flip(0))
            return torch.stack(out)

    class GPT(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.word_embeddings, self.mlp = nn.Embedding(40, 8), MoELayer()
            self.output_layer = nn.Linear(8, 9)

        def forward(self, input_ids: Tensor, padding_mask: Tensor) -> Tensor:
            x = self.word_embeddings(input_ids)
            return self.output_layer(x + self.mlp(x, padding_mask))

    return GPT()


@report("EMB-05+POOL-02", onnx=False, tokens=ids("batch", "rows", "time", pad=1))
def msa_transformer(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/esm/issues/491: the scale counts rows of padding."""

    class RowSelfAttention(nn.Module):
        def __init__(self, embed_dim: int = 8, num_heads: int = 2) -> None:
            super().__init__()
            self.num_heads, self.scaling = num_heads, (embed_dim // num_heads) ** -0.5
            self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(embed_dim, embed_dim) for _ in range(4))

        def forward(self, x: Tensor, pads: Tensor) -> Tensor:
            b, r, c, _ = x.shape
            if mended:
                rows = (~pads).any(-1).sum(1).to(x.dtype)
                scaling = (self.scaling / rows.sqrt())[:, None, None, None]
            else:
                scaling = self.scaling / math.sqrt(r)
            q, k, v = (f(x).view(b, r, c, self.num_heads, -1) for f in (self.q_proj, self.k_proj, self.v_proj))
            q = q * (~pads)[..., None, None]
            attn_weights = torch.einsum("brihd,brjhd->bhij", q, k) * scaling  # leak
            attn_weights = attn_weights.masked_fill(pads[:, 0][:, None, None, :], -10000)
            context = torch.einsum("bhij,brjhd->brihd", attn_weights.softmax(-1), v)
            return self.out_proj(context.flatten(3))

    class MSATransformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, 8, padding_idx=1)
            self.row_self_attention, self.layer_norm = RowSelfAttention(), nn.LayerNorm(8)
            self.contact_head = nn.Linear(8, 3)

        def forward(self, tokens: Tensor) -> Tensor:
            x = self.embed_tokens(tokens)
            x = self.layer_norm(x + self.row_self_attention(x, tokens.eq(1)))
            return self.contact_head(x[:, 0])

    return MSATransformer()


@report("ATT-13", harmless=True, sequence_tokens=ids("batch", "time"))
def esm_pads_attend(mended: bool) -> nn.Module:
    """https://github.com/Biohub/esm/issues/299: pads attend to pads, which harms no residue."""

    class MultiHeadAttention(nn.Module):
        def __init__(self, d_model: int = 12, n_heads: int = 3) -> None:
            super().__init__()
            self.n_heads = n_heads
            self.layernorm_qkv = nn.Sequential(nn.LayerNorm(d_model), nn.Linear(d_model, d_model * 3, bias=False))
            self.out_proj = nn.Linear(d_model, d_model, bias=False)

        def forward(self, x: Tensor, seq_id: Tensor) -> Tensor:
            query, key, value = torch.chunk(self.layernorm_qkv(x), 3, dim=-1)
            query, key, value = (t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for t in (query, key, value))
            if mended:
                mask = seq_id[:, None, None, :].expand(-1, 1, x.size(1), -1)
            else:
                mask = (seq_id.unsqueeze(-1) == seq_id.unsqueeze(-2)).unsqueeze(1)
            context = F.scaled_dot_product_attention(query, key, value, mask)
            return self.out_proj(context.transpose(1, 2).flatten(2))

    class ESMC(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.blocks = nn.Embedding(40, 12), nn.ModuleList(MultiHeadAttention() for _ in range(2))
            self.sequence_head = nn.Linear(12, 7)

        def forward(self, sequence_tokens: Tensor) -> Tensor:
            x, sequence_id = self.embed(sequence_tokens), sequence_tokens != 0
            for block in self.blocks:
                x = x + block(x, sequence_id)
            return self.sequence_head(x)

    return ESMC()


@report("POOL-01", batch_tokens=ids("batch", "time", pad=1))
def esm_mean(mended: bool) -> nn.Module:
    """https://github.com/facebookresearch/esm/issues/2: a protein as the mean over a whole row."""

    class ProteinBert(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, 12, padding_idx=1)
            self.layer = nn.TransformerEncoderLayer(12, 3, 24, batch_first=True, norm_first=True)

        def forward(self, batch_tokens: Tensor) -> Tensor:
            padding_mask = batch_tokens.eq(1)
            x = self.embed_tokens(batch_tokens)
            x = self.layer(x, src_key_padding_mask=padding_mask)
            if mended:
                x = x.masked_fill(padding_mask.unsqueeze(-1), 0)
                return x.sum(1) / (~padding_mask).sum(1, keepdim=True)
            return x.mean(1)  # leak

    return ProteinBert()


@report(
    "ATT-01",
    left=True,
    states=feats("batch", "time", 4),
    actions=feats("batch", "time", 2),
    returns_to_go=feats("batch", "time", 1),
    timesteps=steps("batch", "time"),
    attention_mask=mask("batch", "time"),
)
def decision_transformer(mended: bool) -> nn.Module:
    """https://github.com/kzl/decision-transformer/issues/36: trajectories padded in front, three tokens to a step.

    Reported: without the mask that is asked about there.
    """

    class DecisionTransformer(nn.Module):
        def __init__(self, hidden_size: int = 8) -> None:
            super().__init__()
            self.embed_timestep = nn.Embedding(64, hidden_size)
            self.embed_return, self.embed_state = nn.Linear(1, hidden_size), nn.Linear(4, hidden_size)
            self.embed_action, self.embed_ln = nn.Linear(2, hidden_size), nn.LayerNorm(hidden_size)
            self.c_attn, self.c_proj = nn.Linear(hidden_size, 3 * hidden_size), nn.Linear(hidden_size, hidden_size)
            self.predict_action = nn.Sequential(nn.Linear(hidden_size, 2), nn.Tanh())

        def attend(self, x: Tensor, stacked_mask: Tensor) -> Tensor:
            q, k, v = self.c_attn(x).chunk(3, -1)
            w = q @ k.transpose(-1, -2) / math.sqrt(v.size(-1))
            causal = torch.tril(torch.ones(x.size(1), x.size(1), dtype=torch.bool))
            w = torch.where(causal, w, -1e4)
            if mended:
                w = w + (1 - stacked_mask.to(w.dtype))[:, None, :] * -1e4
            w = w.softmax(-1)  # leak
            return self.c_proj(w @ v)

        def forward(
            self, states: Tensor, actions: Tensor, returns_to_go: Tensor, timesteps: Tensor, attention_mask: Tensor
        ) -> tuple[Tensor, Tensor]:
            rows, length = states.shape[0], states.shape[1]
            time = self.embed_timestep(timesteps)
            stacked = torch.stack(
                (
                    self.embed_return(returns_to_go) + time,
                    self.embed_state(states) + time,
                    self.embed_action(actions) + time,
                ),
                dim=1,
            )
            stacked = self.embed_ln(stacked.permute(0, 2, 1, 3).reshape(rows, 3 * length, -1))
            stacked_mask = torch.stack((attention_mask,) * 3, dim=1).permute(0, 2, 1).reshape(rows, 3 * length)
            x = stacked + self.attend(stacked, stacked_mask)
            x = x.reshape(rows, length, 3, -1).permute(0, 2, 1, 3)
            return self.predict_action(x[:, 1]), x[:, 2]

    return DecisionTransformer()


@report("POOL-06", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def reward_last_token(mended: bool) -> nn.Module:
    """https://github.com/huggingface/peft/issues/3620: the count less one is not the last where pads lead."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed_tokens = nn.Embedding(40, 12)
            self.self_attn = nn.MultiheadAttention(12, 2, batch_first=True)
            self.norm, self.score = nn.LayerNorm(12), nn.Linear(12, 1, bias=False)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.embed_tokens(input_ids)
            pads = attention_mask == 0
            x = self.norm(x + self.self_attn(x, x, x, key_padding_mask=pads)[0])
            if mended:
                places = torch.arange(input_ids.size(-1)) * attention_mask
                sequence_lengths = places.argmax(-1)
            else:
                sequence_lengths = attention_mask.sum(-1) - 1  # cause
            pooled = x[torch.arange(x.size(0)), sequence_lengths]  # leak
            return self.score(pooled)

    return Model()


@report("POS-01", left=True, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"))
def gpt2_positions(mended: bool) -> nn.Module:
    """https://github.com/huggingface/trl/issues/469: positions count columns, so pads in front shift every word."""

    class GPT2(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.wpe = nn.Embedding(40, 12), nn.Embedding(64, 12)
            self.ln_1, self.attn = nn.LayerNorm(12), nn.MultiheadAttention(12, 3, batch_first=True)
            self.lm_head = nn.Linear(12, 40, bias=False)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            if mended:
                position_ids = (attention_mask.cumsum(-1) - 1).clamp(min=0)
            else:
                position_ids = torch.arange(input_ids.size(-1)).unsqueeze(0).expand_as(input_ids)
            x = self.wte(input_ids) + self.wpe(position_ids)  # leak
            T = x.size(1)
            ahead = torch.triu(torch.ones(T, T, dtype=torch.bool), 1)
            hidden = (ahead | (attention_mask == 0)[:, None]) & ~torch.eye(T, dtype=torch.bool)
            y = self.ln_1(x)
            x = x + self.attn(y, y, y, attn_mask=hidden.repeat_interleave(3, 0))[0]
            return self.lm_head(x)

    return GPT2()


@report("POS-05", onnx=False, input_ids=ids("batch", "time"), attention_mask=mask("batch", "time"), shortest=4)
def qwen_ntk(mended: bool) -> nn.Module:
    """https://github.com/QwenLM/Qwen/issues/401: the base of rotary positions grows with the width of the batch.

    Mended by taking each row's own length.
    """

    def rotate_half(x: Tensor) -> Tensor:
        first, second = x.chunk(2, -1)
        return torch.cat((-second, first), -1)

    class QWenAttention(nn.Module):
        def __init__(self, dim: int = 8, trained: int = 4) -> None:
            super().__init__()
            self.c_attn, self.c_proj, self.trained, self.dim = (
                nn.Linear(dim, 3 * dim),
                nn.Linear(dim, dim),
                trained,
                dim,
            )

        def rotary(self, x: Tensor, mask: Tensor) -> Tensor:
            if mended:
                size = mask.sum(1).to(x.dtype)
            else:
                size = torch.full((x.size(0),), float(x.size(1)), dtype=x.dtype)  # leak
            alpha = (2 * size / self.trained - 1).clamp(min=1.0)
            base = 100.0 * alpha ** (self.dim / (self.dim - 2))
            inv_freq = base[:, None] ** -(torch.arange(0, self.dim, 2).to(x) / self.dim)
            freqs = torch.arange(x.size(1)).to(x)[None, :, None] * inv_freq[:, None]
            return torch.cat((freqs, freqs), -1)

        def forward(self, x: Tensor, mask: Tensor) -> Tensor:
            q, k, v = self.c_attn(x).split(self.dim, 2)
            angles = self.rotary(x, mask)
            q, k = (t * angles.cos() + rotate_half(t) * angles.sin() for t in (q, k))
            w = q @ k.transpose(1, 2) / self.dim**0.5
            w = w + torch.full((x.size(1), x.size(1)), -1e4).triu(1)
            return self.c_proj(w.softmax(-1) @ v)

    class QWen(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.wte, self.h, self.ln_f = nn.Embedding(40, 8), QWenAttention(), nn.LayerNorm(8)
            self.lm_head = nn.Linear(8, 11)

        def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
            x = self.wte(input_ids)
            return self.lm_head(self.ln_f(x + self.h(x, attention_mask)))

    return QWen()


@report("ATT-12", positions=feats("batch", "time", 2), padding_mask=mask("batch", "time", dtype="uint8"))
def hivt_inverted(mended: bool) -> nn.Module:
    """https://github.com/ZikangZhou/HiVT/issues/44: ``~`` of a mask that holds numbers is true everywhere.

    Attention over each agent's steps, the weights of which all steps share once all scores are filled alike.
    """

    class TemporalEncoder(nn.Module):
        def __init__(self, dim: int = 8) -> None:
            super().__init__()
            self.center_embed = nn.Linear(2, dim)
            self.lin_q, self.lin_k, self.lin_v = (nn.Linear(dim, dim) for _ in range(3))
            self.decoder = nn.Linear(dim, 4)

        def forward(self, positions: Tensor, padding_mask: Tensor) -> Tensor:
            x = torch.relu(self.center_embed(positions))
            alpha = torch.einsum("bid,bjd->bij", self.lin_q(x), self.lin_k(x)) / 8**0.5
            hidden = ~padding_mask.bool() if mended else (~padding_mask).bool()  # cause
            alpha = alpha.masked_fill(hidden.unsqueeze(1), -1e9)
            weights = alpha.softmax(-1)  # leak
            return self.decoder(x + weights @ self.lin_v(x))

    return TemporalEncoder()


@report("ATT-24", onnx=False, x=ids("batch", "time"), input_mask=mask("batch", "time", dtype="bool"))
def linformer(mended: bool) -> nn.Module:
    """https://github.com/tatp22/linformer-pytorch/issues/11: keys are mixed in time before a mask could hide any."""

    class LinearAttentionHead(nn.Module):
        def __init__(self, dim: int = 8, dim_k: int = 3) -> None:
            super().__init__()
            self.E, self.F = nn.Parameter(torch.randn(dim_k, 64) * 0.3), nn.Parameter(torch.randn(dim_k, 64) * 0.3)
            self.to_q, self.to_k, self.to_v = (nn.Linear(dim, dim) for _ in range(3))

        def forward(self, x: Tensor, input_mask: Tensor) -> Tensor:
            Q, K, V = self.to_q(x), self.to_k(x), self.to_v(x)
            if mended:
                K, V = (t.masked_fill(~input_mask.unsqueeze(-1), 0.0) for t in (K, V))
            K = torch.matmul(self.E[:, : x.size(1)], K)  # leak
            V = torch.matmul(self.F[:, : x.size(1)], V)  # leak
            P_bar = torch.softmax(Q @ K.transpose(1, 2) / 8**0.5, dim=-1)
            return P_bar @ V

    class LinformerLM(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token_emb, self.head, self.to_logits = nn.Embedding(40, 8), LinearAttentionHead(), nn.Linear(8, 12)

        def forward(self, x: Tensor, input_mask: Tensor) -> Tensor:
            x = self.token_emb(x)
            return self.to_logits(x + self.head(x, input_mask))

    return LinformerLM()
