"""Music: compound words (tempo, chord, bar, type, pitch, duration) with linear attention and length masks."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/idiap/fast-transformers/issues/46"
STORY = ("Question on length_masks of fast-transformers' linear attention: there is no softmax to fill with -inf, keys beyond the length are multiplied by zero after the feature map, which removes them from numerator and normaliser alike. "
         "Songs are compound words x (B, T, 6) of ids padded with 0 at the end, `lengths` (B,) gives the events; answers are the event-type logits at real steps and the emotion of the song.")
LEAKY = False
PLACE = None
CAUSE = "keys multiplied by the length mask in linear attention; pooling weighted by the same mask"
FORMAT = "factory"


class LinearAttention(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.heads = heads
        self.query_projection, self.key_projection, self.value_projection, self.out_projection = (nn.Linear(d, d) for _ in range(4))

    def forward(self, x, length_mask):
        N, L, D = x.shape
        Q = nn.functional.elu(self.query_projection(x).view(N, L, self.heads, -1)) + 1
        K = nn.functional.elu(self.key_projection(x).view(N, L, self.heads, -1)) + 1
        V = self.value_projection(x).view(N, L, self.heads, -1)
        K = K * length_mask[:, :, None, None]
        KV = torch.einsum("nshd,nshm->nhmd", K, V)
        Z = 1 / (torch.einsum("nlhd,nhd->nlh", Q, K.sum(dim=1)) + 1e-6)
        return self.out_projection(torch.einsum("nlhd,nhmd,nlh->nlhm", Q, KV, Z).reshape(N, L, D))


class EncoderLayer(nn.Module):
    def __init__(self, d, heads):
        super().__init__()
        self.attention = LinearAttention(d, heads)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.linear1, self.linear2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, length_mask):
        x = self.norm1(x + self.attention(x, length_mask))
        return self.norm2(x + self.linear2(torch.nn.functional.gelu(self.linear1(x))))


class CompoundWordTransformer(nn.Module):
    n_class = (20, 30, 10, 4, 50, 18)     # tempo, chord, barbeat, type, pitch, duration
    emb_sizes = (6, 8, 4, 4, 12, 6)

    def __init__(self, d_model=24, heads=3, layers=2, max_len=256):
        super().__init__()
        self.word_emb = nn.ModuleList([nn.Embedding(n, e) for n, e in zip(self.n_class, self.emb_sizes)])
        self.in_linear = nn.Linear(sum(self.emb_sizes), d_model)
        self.pos_emb = nn.Embedding(max_len, d_model)
        self.transformer_encoder = nn.ModuleList([EncoderLayer(d_model, heads) for _ in range(layers)])
        self.proj_type = nn.Linear(d_model, 4)
        self.proj_emotion = nn.Linear(d_model, 4)

    def forward(self, x: torch.LongTensor, lengths: torch.LongTensor):
        """x: (batch, seq_len, 6) compound words, lengths: (batch,) -> type logits (batch, seq_len, 4), emotion logits (batch, 4)"""
        emb = torch.cat([e(x[..., i]) for i, e in enumerate(self.word_emb)], dim=-1)
        steps = torch.arange(x.shape[1], device=x.device)
        h = self.in_linear(emb) + self.pos_emb(steps)
        length_mask = (steps[None] < lengths[:, None]).to(h.dtype)
        for layer in self.transformer_encoder:
            h = layer(h, length_mask)
        pooled = torch.einsum("nld,nl->nd", h, length_mask) / lengths[:, None]
        return self.proj_type(h), self.proj_emotion(pooled)


def make():
    torch.manual_seed(16)
    return CompoundWordTransformer().eval()


def build(folder):
    return make(), None


def _row(n, g):
    return torch.stack([torch.randint(0, k, (n,), generator=g) for k in CompoundWordTransformer.n_class], -1)


def _batch(rows, T):
    x = torch.zeros(len(rows), T, 6, dtype=torch.long)
    for i, r in enumerate(rows):
        x[i, :len(r)] = r
    return x, torch.tensor([len(r) for r in rows])


@torch.no_grad()
def truth():
    m = make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (5, 11, 18):
        row = _row(n, g)
        a, b = m(*_batch([row], n))
        refs += [a.flatten(), b.flatten()]
        for extra in (1, 7, 30):
            c, e = m(*_batch([row, _row(n + extra, g)], n + extra))
            worst = max(worst, (c[0, :n] - a[0]).abs().max().item(), (e[0] - b[0]).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
