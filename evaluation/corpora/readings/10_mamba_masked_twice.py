"""Mamba block, left padded, masked before the causal conv and again before the selective scan."""
import torch
import torch.nn as nn
import torch.nn.functional as F

ADDRESS = "https://github.com/state-spaces/mamba/issues/66"
STORY = ("Batched generation needs LEFT padding; a user patches the slow path of Mamba.forward to mask twice, once before the causal conv1d and once after it (the conv has a bias), so that the state is still zero at the first real token. "
         "input_ids are left-padded with 0, attention_mask is 0 there; next-token logits are read at every real position.")
LEAKY = False
PLACE = None
CAUSE = "scan over left pads multiplies only a zero state: inputs of conv and of scan are zeroed"
FORMAT = "module"


class MambaBlock(nn.Module):
    def __init__(self, d_model, d_state=4, d_conv=4, expand=2, dt_rank=3):
        super().__init__()
        d_inner = expand * d_model
        self.d_conv, self.dt_rank, self.d_state = d_conv, dt_rank, d_state
        self.norm = nn.LayerNorm(d_model)
        self.in_proj = nn.Linear(d_model, 2 * d_inner, bias=False)
        self.conv1d = nn.Conv1d(d_inner, d_inner, d_conv, groups=d_inner, padding=d_conv - 1)
        self.x_proj = nn.Linear(d_inner, dt_rank + 2 * d_state, bias=False)
        self.dt_proj = nn.Linear(dt_rank, d_inner)
        self.A_log = nn.Parameter(torch.log(torch.arange(1, d_state + 1).float()).repeat(d_inner, 1))
        self.D = nn.Parameter(torch.ones(d_inner))
        self.out_proj = nn.Linear(d_inner, d_model)

    def forward(self, hidden_states, mask=None):
        seqlen = hidden_states.shape[1]
        x, z = self.in_proj(self.norm(hidden_states)).transpose(1, 2).chunk(2, dim=1)
        if mask is not None:
            x = x * mask.unsqueeze(1)
        x = F.silu(self.conv1d(x)[..., :seqlen])
        if mask is not None:
            x = x * mask.unsqueeze(1)
        dt, B, C = self.x_proj(x.transpose(1, 2)).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        dt = F.softplus(self.dt_proj(dt))
        A = -torch.exp(self.A_log)
        state = torch.zeros(x.shape[0], x.shape[1], self.d_state, dtype=x.dtype, device=x.device)
        ys = []
        for t in range(seqlen):
            d = dt[:, t].unsqueeze(-1)
            state = torch.exp(d * A) * state + d * B[:, t].unsqueeze(1) * x[:, :, t].unsqueeze(-1)
            ys.append((state * C[:, t].unsqueeze(1)).sum(-1))
        y = torch.stack(ys, 2) + self.D[None, :, None] * x
        return hidden_states + self.out_proj((y * F.silu(z)).transpose(1, 2))


class MambaLMHeadModel(nn.Module):
    def __init__(self, vocab=40, d_model=12, n_layer=2):
        super().__init__()
        self.embedding = nn.Embedding(vocab, d_model)
        self.layers = nn.ModuleList([MambaBlock(d_model) for _ in range(n_layer)])
        self.norm_f = nn.LayerNorm(d_model)
        self.lm_head = nn.Linear(d_model, vocab, bias=False)

    def forward(self, input_ids, attention_mask):
        h = self.embedding(input_ids)
        mask = attention_mask.to(h.dtype)
        for layer in self.layers:
            h = layer(h, mask=mask)
        return self.lm_head(self.norm_f(h))


def _make():
    torch.manual_seed(10)
    return MambaLMHeadModel().eval()


def _left(rows, T):
    ids = torch.zeros(len(rows), T, dtype=torch.long)
    mask = torch.zeros(len(rows), T, dtype=torch.long)
    for i, r in enumerate(rows):
        ids[i, T - len(r):] = r
        mask[i, T - len(r):] = 1
    return ids, mask


def build(folder):
    g = torch.Generator().manual_seed(0)
    ids, mask = _left([torch.randint(1, 40, (n,), generator=g) for n in (12, 7, 9)], 12)
    return _make(), {"input_ids": ids, "attention_mask": mask}


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (3, 7, 12):
        row = torch.randint(1, 40, (n,), generator=g)
        ref = m(*_left([row], n))[0]
        refs.append(ref.flatten())
        for extra in (1, 5, 17):
            out = m(*_left([row, torch.randint(1, 40, (n + extra,), generator=g)], n + extra))[0, extra:]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
