"""Patch forecaster that takes NaN as padding / missing value in its context."""
import os
import tempfile
import torch
import torch.nn as nn

ADDRESS = "https://github.com/NX-AI/tirex/issues/4"
STORY = ("Asked about input masking, the authors answer that missing values may simply be np.nan in the context, the masking is internal. "
         "context (B, T) is LEFT-padded with NaN to a common T (a multiple of the patch of 4) and may hold NaN gaps; scale and patch attention ignore NaN, patches are numbered from the end, the answer is the forecast (B, 3 quantiles, 8).")
LEAKY = False
PLACE = None
CAUSE = "NaN-aware mean/std, NaN replaced after scaling, empty patches excluded as keys, positions from the end"
FORMAT = "pt2"


class Layer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.qkv, self.out = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.SiLU(), nn.Linear(2 * d, d))

    def forward(self, x, keep):
        B, P, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, P, 3, self.h, -1).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).masked_fill(~keep[:, None, None, :], -1e9).softmax(-1)
        x = x + self.out((w @ v).transpose(1, 2).reshape(B, P, D))
        return x + self.mlp(self.norm2(x))


class PatchForecaster(nn.Module):
    patch = 4

    def __init__(self, d=16, h=2, layers=2, horizon=8, quantiles=3):
        super().__init__()
        self.horizon, self.quantiles = horizon, quantiles
        self.input_patch_embedding = nn.Sequential(nn.Linear(2 * self.patch, 2 * d), nn.ReLU(), nn.Linear(2 * d, d))
        self.register_buffer("freqs", 0.5 ** torch.arange(d // 2))
        self.blocks = nn.ModuleList([Layer(d, h) for _ in range(layers)])
        self.output_patch_embedding = nn.Linear(d, horizon * quantiles)

    def forward(self, context):
        observed = ~torch.isnan(context)
        n = observed.sum(-1, keepdim=True).clamp(min=1)
        x = torch.where(observed, context, torch.zeros_like(context))
        loc = x.sum(-1, keepdim=True) / n
        x = torch.where(observed, context - loc, torch.zeros_like(context))
        scale = ((x ** 2).sum(-1, keepdim=True) / n).sqrt().clamp(min=1e-5)
        x = x / scale
        patches = x.unflatten(-1, (-1, self.patch))
        seen = observed.unflatten(-1, (-1, self.patch))
        h = self.input_patch_embedding(torch.cat([patches, seen.to(x.dtype)], -1))
        from_end = torch.arange(patches.shape[1] - 1, -1, -1, device=x.device).to(x.dtype)[:, None] * self.freqs
        h = h + torch.cat([from_end.sin(), from_end.cos()], -1)
        keep = seen.any(-1)
        for block in self.blocks:
            h = block(h, keep)
        out = self.output_patch_embedding(h[:, -1]).unflatten(-1, (self.quantiles, self.horizon))
        return out * scale.unsqueeze(-1) + loc.unsqueeze(-1)


def _make():
    torch.manual_seed(19)
    return PatchForecaster().eval()


def _series(n, g):
    t = torch.arange(n)
    s = 5 * torch.rand(1, generator=g) + torch.sin(t / 3 + torch.rand(1, generator=g) * 6) * 2 + 0.5 * torch.randn(n, generator=g)
    s[n // 3] = float("nan")
    return s


def _batch(rows, T):
    x = torch.full((len(rows), T), float("nan"))
    for i, r in enumerate(rows):
        x[i, T - len(r):] = r
    return x


def build(folder):
    g = torch.Generator().manual_seed(0)
    x = _batch([_series(n, g) for n in (32, 18, 25)], 32)
    batch, p = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("patches", min=2, max=512)
    ep = torch.export.export(_make(), (x,), dynamic_shapes={"context": {0: batch, 1: 4 * p}})
    path = os.path.join(folder, "forecaster.pt2")
    torch.export.save(ep, path)
    return path


@torch.no_grad()
def truth():
    with tempfile.TemporaryDirectory() as folder:
        m = torch.export.load(build(folder)).module()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (12, 19, 30):
        row = _series(n, g)
        T = -(-n // 4) * 4
        ref = m(_batch([row], T))[0]
        refs.append(ref.flatten())
        for extra in (4, 16, 64):
            out = m(_batch([row, _series(T + extra, g)], T + extra))[0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
