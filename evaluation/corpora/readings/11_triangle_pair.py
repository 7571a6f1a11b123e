"""AlphaFold-like trunk: pair features (B, N, N, C); attention is masked, the triangle update is not."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/bytedance/Protenix/issues/9"
STORY = ("A user asks how padded residues are masked: AttentionPairBias takes no mask because the authors run batch size 1. "
         "Here proteins are batched: s (B, N, Cs) and z (B, N, N, Cz) zero-padded on the residue axes with seq_mask (B, N); attention masks the keys, the outgoing triangle multiplication still sums over padded residues.")
LEAKY = True
PLACE = "bikc,bjkc->bijc"
CAUSE = "triangle multiplication sums over padded k (layer norm and projection biases make them non-zero)"
FORMAT = "module"


class TriangleMultiplicationOutgoing(nn.Module):
    def __init__(self, c_z, c_hidden):
        super().__init__()
        self.layer_norm_in = nn.LayerNorm(c_z)
        self.linear_a_p, self.linear_a_g = nn.Linear(c_z, c_hidden), nn.Linear(c_z, c_hidden)
        self.linear_b_p, self.linear_b_g = nn.Linear(c_z, c_hidden), nn.Linear(c_z, c_hidden)
        self.layer_norm_out = nn.LayerNorm(c_hidden)
        self.linear_z = nn.Linear(c_hidden, c_z)
        self.linear_g = nn.Linear(c_z, c_z)

    def forward(self, z):
        x = self.layer_norm_in(z)
        a = torch.sigmoid(self.linear_a_g(x)) * self.linear_a_p(x)
        b = torch.sigmoid(self.linear_b_g(x)) * self.linear_b_p(x)
        p = torch.einsum("bikc,bjkc->bijc", a, b)
        return torch.sigmoid(self.linear_g(x)) * self.linear_z(self.layer_norm_out(p))


class AttentionPairBias(nn.Module):
    def __init__(self, c_s, c_z, heads):
        super().__init__()
        self.heads = heads
        self.layernorm_a, self.layernorm_z = nn.LayerNorm(c_s), nn.LayerNorm(c_z)
        self.linear_qkv = nn.Linear(c_s, 3 * c_s)
        self.linear_nobias_z = nn.Linear(c_z, heads, bias=False)
        self.linear_o = nn.Linear(c_s, c_s)

    def forward(self, s, z, seq_mask):
        B, N, C = s.shape
        q, k, v = self.linear_qkv(self.layernorm_a(s)).view(B, N, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        w = q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + self.linear_nobias_z(self.layernorm_z(z)).permute(0, 3, 1, 2)
        w = w.masked_fill(seq_mask[:, None, None, :] == 0, torch.finfo(w.dtype).min).softmax(-1)
        return self.linear_o((w @ v).transpose(1, 2).reshape(B, N, C))


class PairformerBlock(nn.Module):
    def __init__(self, c_s, c_z):
        super().__init__()
        self.tri_mul_out = TriangleMultiplicationOutgoing(c_z, 8)
        self.attention_pair_bias = AttentionPairBias(c_s, c_z, 2)
        self.pair_transition = nn.Sequential(nn.LayerNorm(c_z), nn.Linear(c_z, 16), nn.ReLU(), nn.Linear(16, c_z))

    def forward(self, s, z, seq_mask):
        z = z + self.tri_mul_out(z)
        z = z + self.pair_transition(z)
        return s + self.attention_pair_bias(s, z, seq_mask), z


class Pairformer(nn.Module):
    def __init__(self, c_s=12, c_z=8, blocks=2, bins=6):
        super().__init__()
        self.blocks = nn.ModuleList([PairformerBlock(c_s, c_z) for _ in range(blocks)])
        self.plddt = nn.Linear(c_s, 4)
        self.distogram = nn.Linear(c_z, bins)

    def forward(self, s, z, seq_mask):
        for block in self.blocks:
            s, z = block(s, z, seq_mask)
        logits = self.distogram(z)
        return {"distogram": logits + logits.transpose(1, 2), "plddt": self.plddt(s)}


def _make():
    torch.manual_seed(11)
    m = Pairformer()
    for p in m.modules():
        if isinstance(p, nn.LayerNorm):
            nn.init.normal_(p.bias, std=0.2)
    return m.eval()


def _batch(rows, N):
    B, dt = len(rows), rows[0][0].dtype
    s, z, mask = torch.zeros(B, N, 12, dtype=dt), torch.zeros(B, N, N, 8, dtype=dt), torch.zeros(B, N, dtype=dt)
    for i, (a, b) in enumerate(rows):
        n = len(a)
        s[i, :n], z[i, :n, :n], mask[i, :n] = a, b, 1
    return {"s": s, "z": z, "seq_mask": mask}


def _row(n, g, dt=torch.float32):
    return torch.randn(n, 12, generator=g, dtype=dt), torch.randn(n, n, 8, generator=g, dtype=dt)


def build(folder):
    g = torch.Generator().manual_seed(0)
    return _make(), _batch([_row(n, g) for n in (10, 7)], 10)


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (4, 7, 9):
        row = _row(n, g, torch.float64)
        ref = m(**_batch([row], n))
        refs.append(ref["distogram"].flatten())
        for extra in (1, 5, 12):
            out = m(**_batch([row, _row(n + extra, g, torch.float64)], n + extra))
            worst = max(worst, (out["distogram"][0, :n, :n] - ref["distogram"][0]).abs().max().item(),
                        (out["plddt"][0, :n] - ref["plddt"][0]).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
