"""ACT (action chunking transformer) CVAE: is_pad True = padded action, class token and joints prepended."""
import math
import torch
import torch.nn as nn

ADDRESS = "https://github.com/tonyzhaozh/act/issues/6"
STORY = ("ACT policies are trained on action chunks padded at the end of an episode; detr_vae.py builds cls_joint_is_pad and hands [False, False, is_pad] to the encoder as src_key_padding_mask. "
         "actions (B, T, 6) are zero-padded on the right, is_pad (B, T) is True on padding, qpos (B, 6) has no time axis; the answers are a_hat and (mu, logvar).")
LEAKY = False
PLACE = None
CAUSE = "inverted-polarity key mask extended for the two prepended tokens; latent read from the class token"
FORMAT = "module"


def get_sinusoid_encoding_table(n_position, d_hid):
    pos = torch.arange(n_position, dtype=torch.float64)[:, None]
    i = torch.arange(d_hid)
    ang = pos / torch.pow(torch.tensor(10000.0, dtype=torch.float64), 2 * (i // 2) / d_hid)
    ang[:, 0::2], ang[:, 1::2] = ang[:, 0::2].sin(), ang[:, 1::2].cos()
    return ang.float().unsqueeze(0)


class TransformerEncoderLayer(nn.Module):
    def __init__(self, d, h, ff):
        super().__init__()
        self.self_attn = nn.MultiheadAttention(d, h)
        self.linear1, self.linear2 = nn.Linear(d, ff), nn.Linear(ff, d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)

    def forward(self, src, pos, src_key_padding_mask=None):
        q = k = src + pos
        src = self.norm1(src + self.self_attn(q, k, value=src, key_padding_mask=src_key_padding_mask)[0])
        return self.norm2(src + self.linear2(torch.relu(self.linear1(src))))


class DETRVAE(nn.Module):
    def __init__(self, state_dim=6, hidden_dim=16, num_queries=8, latent_dim=4, max_actions=64):
        super().__init__()
        self.latent_dim = latent_dim
        self.cls_embed = nn.Embedding(1, hidden_dim)
        self.encoder_action_proj = nn.Linear(state_dim, hidden_dim)
        self.encoder_joint_proj = nn.Linear(state_dim, hidden_dim)
        self.register_buffer("pos_table", get_sinusoid_encoding_table(2 + max_actions, hidden_dim))
        self.encoder = nn.ModuleList([TransformerEncoderLayer(hidden_dim, 2, 32) for _ in range(2)])
        self.latent_proj = nn.Linear(hidden_dim, latent_dim * 2)
        self.latent_out_proj = nn.Linear(latent_dim, hidden_dim)
        self.input_proj_robot_state = nn.Linear(state_dim, hidden_dim)
        self.query_embed = nn.Embedding(num_queries, hidden_dim)
        self.decoder_attn = nn.MultiheadAttention(hidden_dim, 2)
        self.action_head = nn.Linear(hidden_dim, state_dim)

    def forward(self, qpos, actions, is_pad):
        bs, _ = qpos.shape
        action_embed = self.encoder_action_proj(actions)
        qpos_embed = torch.unsqueeze(self.encoder_joint_proj(qpos), 1)
        cls_embed = torch.unsqueeze(self.cls_embed.weight, 0).repeat(bs, 1, 1)
        encoder_input = torch.cat([cls_embed, qpos_embed, action_embed], 1).permute(1, 0, 2)
        # do not mask cls token
        cls_joint_is_pad = torch.full((bs, 2), False).to(qpos.device)
        is_pad = torch.cat([cls_joint_is_pad, is_pad], 1)
        pos_embed = self.pos_table[:, :encoder_input.shape[0]].permute(1, 0, 2)
        x = encoder_input
        for layer in self.encoder:
            x = layer(x, pos_embed, src_key_padding_mask=is_pad)
        latent_info = self.latent_proj(x[0])
        mu, logvar = latent_info[:, :self.latent_dim], latent_info[:, self.latent_dim:]
        latent_input = self.latent_out_proj(mu)
        memory = torch.stack([latent_input, self.input_proj_robot_state(qpos)])
        queries = self.query_embed.weight.unsqueeze(1).repeat(1, bs, 1)
        hs = queries + self.decoder_attn(queries, memory, memory)[0]
        a_hat = self.action_head(torch.relu(hs)).transpose(0, 1)
        return a_hat, mu, logvar


def _make():
    torch.manual_seed(7)
    return DETRVAE().eval()


def _batch(rows, T):
    a = torch.zeros(len(rows), T, 6, dtype=rows[0].dtype)
    p = torch.ones(len(rows), T, dtype=torch.bool)
    for i, r in enumerate(rows):
        a[i, :len(r)] = r
        p[i, :len(r)] = False
    return a, p


def build(folder):
    g = torch.Generator().manual_seed(0)
    a, p = _batch([torch.randn(n, 6, generator=g) for n in (16, 9, 12)], 16)
    return _make(), {"qpos": torch.randn(3, 6, generator=g), "actions": a, "is_pad": p}


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (4, 9, 15):
        q = torch.randn(2, 6, generator=g, dtype=torch.float64)
        row = torch.randn(n, 6, generator=g, dtype=torch.float64)
        ref = torch.cat([t[0].flatten() for t in m(q[:1], *_batch([row], n))])
        refs.append(ref)
        for extra in (1, 5, 30):
            out = m(q, *_batch([row, torch.randn(n + extra, 6, generator=g, dtype=torch.float64)], n + extra))
            worst = max(worst, (torch.cat([t[0].flatten() for t in out]) - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
