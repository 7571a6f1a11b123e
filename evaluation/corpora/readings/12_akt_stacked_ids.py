"""AKT knowledge tracing: ids stacked as (B, 2, T), pad -1, no padding mask at all: strictly causal attention."""
import torch
import torch.nn as nn
import torch.nn.functional as F

ADDRESS = "https://github.com/arghosh/AKT/issues/6"
STORY = ("'key_padding_mask not implemented?': the author answers that padding is on the right and the triangular mask hides every later step, so pads never reach a real step. "
         "interactions (B, 2, T) stacks question ids (row 0) and responses 0/1 (row 1), padded with -1 at the end; the answer is the probability of a correct response at each real step.")
LEAKY = False
PLACE = None
CAUSE = "right padding behind a causal (previous steps only) attention with monotonic decay"
FORMAT = "module"


class MonotonicAttention(nn.Module):
    def __init__(self, d, h, zero_pad):
        super().__init__()
        self.h, self.dk, self.zero_pad = h, d // h, zero_pad
        self.k_linear, self.v_linear, self.out_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.gammas = nn.Parameter(torch.zeros(h, 1, 1))

    def forward(self, q, k, v, mask):
        B, T, D = q.shape
        q, k = (self.k_linear(t).view(B, T, self.h, self.dk).transpose(1, 2) for t in (q, k))
        v = self.v_linear(v).view(B, T, self.h, self.dk).transpose(1, 2)
        scores = q @ k.transpose(-1, -2) / self.dk ** 0.5
        x1 = torch.arange(T, device=q.device)
        position_effect = (x1[None, :] - x1[:, None]).abs().to(q.dtype)
        scores_ = F.softmax(scores.masked_fill(~mask, -1e32), dim=-1) * mask
        distcum = torch.cumsum(scores_, dim=-1)
        disttotal = scores_.sum(-1, keepdim=True)
        dist = torch.clamp((disttotal - distcum) * position_effect, min=0.0).sqrt()
        total_effect = torch.clamp((dist * -F.softplus(self.gammas)).exp(), min=1e-5, max=1e5)
        w = F.softmax((scores * total_effect).masked_fill(~mask, -1e32), dim=-1)
        if self.zero_pad:
            w = torch.cat([torch.zeros_like(w[:, :, :1]), w[:, :, 1:]], dim=2)
        return self.out_proj((w @ v).transpose(1, 2).reshape(B, T, D))


class AKT(nn.Module):
    def __init__(self, n_question=30, d=16, h=2):
        super().__init__()
        self.q_embed = nn.Embedding(n_question, d)
        self.qa_embed = nn.Embedding(2, d)
        self.question_encoder = MonotonicAttention(d, h, zero_pad=False)
        self.knowledge_encoder = MonotonicAttention(d, h, zero_pad=False)
        self.retriever = MonotonicAttention(d, h, zero_pad=True)
        self.norms = nn.ModuleList([nn.LayerNorm(d) for _ in range(3)])
        self.out = nn.Sequential(nn.Linear(2 * d, 16), nn.ReLU(), nn.Linear(16, 1))

    def forward(self, interactions):
        q_data, target = interactions[:, 0].clamp(min=0), interactions[:, 1].clamp(min=0)
        T = q_data.shape[1]
        q = self.q_embed(q_data)
        qa = q + self.qa_embed(target)
        nopeek = torch.ones(T, T, dtype=torch.bool, device=q.device).tril(-1)
        peek = torch.ones(T, T, dtype=torch.bool, device=q.device).tril(0)
        y = self.norms[0](qa + self.knowledge_encoder(qa, qa, qa, peek))
        x = self.norms[1](q + self.question_encoder(q, q, q, peek))
        x = self.norms[2](x + self.retriever(x, x, y, nopeek))
        return torch.sigmoid(self.out(torch.cat([x, q], -1))).squeeze(-1)


def _make():
    torch.manual_seed(12)
    m = AKT()
    nn.init.normal_(m.qa_embed.weight, std=2.0)
    return m.eval()


def _row(n, g):
    return torch.stack([torch.randint(0, 30, (n,), generator=g), torch.randint(0, 2, (n,), generator=g)])


def _batch(rows, T):
    x = torch.full((len(rows), 2, T), -1)
    for i, r in enumerate(rows):
        x[i, :, :r.shape[1]] = r
    return x


def build(folder):
    g = torch.Generator().manual_seed(0)
    return _make(), (_batch([_row(n, g) for n in (15, 8, 11)], 15),)


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (4, 9, 14):
        row = _row(n, g)
        ref = m(_batch([row], n))[0]
        refs.append(ref)
        for extra in (1, 6, 20):
            out = m(_batch([row, _row(n + extra, g)], n + extra))[0, :n]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
