"""Motion forecasting: agents and their history steps both padded, True = padding."""
import os
import tempfile
import torch
import torch.nn as nn

ADDRESS = "https://github.com/jchengai/forecast-mae/issues/15"
STORY = ("Discussion of padding_mask in Forecast-MAE: tracks shorter than the window carry x_padding_mask (B, N, T) = True on missing steps and absent agents x_key_padding_mask (B, N) = True. "
         "x (B, N, T, 2) displacements are zero where padded: histories start late (left padding of T), scenes have fewer agents (right padding of N); answers are the trajectories of the real agents.")
LEAKY = False
PLACE = None
CAUSE = "masked before every temporal conv, masked max over time, key padding mask over agents"
FORMAT = "pt2"


class AgentEmbedding(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.embed = nn.Linear(3, d)
        self.conv1, self.conv2 = nn.Conv1d(d, d, 3, padding=1), nn.Conv1d(d, d, 3, padding=1)

    def forward(self, x, padding_mask):
        B, N, T, _ = x.shape
        valid = (~padding_mask).to(x.dtype).unsqueeze(-1)
        h = self.embed(torch.cat([x, valid], -1)) * valid
        h = h.view(B * N, T, -1).transpose(1, 2)
        v = valid.view(B * N, T, 1).transpose(1, 2)
        h = torch.relu(self.conv1(h)) * v
        h = torch.relu(self.conv2(h)) * v        # relu >= 0, so zeroed steps never win the maximum
        return h.amax(-1).view(B, N, -1)


class Block(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.qkv, self.proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.mlp = nn.Sequential(nn.Linear(d, 2 * d), nn.GELU(), nn.Linear(2 * d, d))

    def forward(self, x, key_padding_mask):
        B, N, D = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(B, N, 3, self.h, -1).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).masked_fill(key_padding_mask[:, None, None, :], float("-inf")).softmax(-1)
        x = x + self.proj((w @ v).transpose(1, 2).reshape(B, N, D))
        return x + self.mlp(self.norm2(x))


class ModelForecast(nn.Module):
    def __init__(self, d=16, heads=2, depth=2, modes=3, future=6):
        super().__init__()
        self.modes, self.future = modes, future
        self.hist_embed = AgentEmbedding(d)
        self.pos_embed = nn.Sequential(nn.Linear(2, d), nn.GELU(), nn.Linear(d, d))
        self.blocks = nn.ModuleList([Block(d, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(d)
        self.decoder = nn.Linear(d, modes * future * 2)
        self.dense_predictor = nn.Linear(d, future * 2)

    def forward(self, x, x_padding_mask, x_key_padding_mask, x_centers):
        h = self.hist_embed(x, x_padding_mask) + self.pos_embed(x_centers)
        for block in self.blocks:
            h = block(h, x_key_padding_mask)
        h = self.norm(h)
        y_hat = self.decoder(h[:, 0]).unflatten(-1, (self.modes, self.future, 2))
        y_hat_others = self.dense_predictor(h[:, 1:]).unflatten(-1, (self.future, 2))
        return y_hat, y_hat_others


def _make():
    torch.manual_seed(21)
    return ModelForecast().eval()


def _scene(n, t, g):
    x = torch.randn(n, t, 2, generator=g)
    mask = torch.zeros(n, t, dtype=torch.bool)
    for i in range(1, n):
        k = int(torch.randint(0, t - 2, (1,), generator=g))
        mask[i, :k] = True
        x[i, :k] = 0
    return x, mask, torch.randn(n, 2, generator=g) * 3


def _batch(scenes, N, T):
    B = len(scenes)
    x, m = torch.zeros(B, N, T, 2), torch.ones(B, N, T, dtype=torch.bool)
    k, c = torch.ones(B, N, dtype=torch.bool), torch.zeros(B, N, 2)
    for i, (a, b, d) in enumerate(scenes):
        n, t = b.shape
        x[i, :n, T - t:], m[i, :n, T - t:], k[i, :n], c[i, :n] = a, b, False, d
    return x, m, k, c


def build(folder):
    g = torch.Generator().manual_seed(0)
    args = _batch([_scene(6, 10, g), _scene(4, 10, g), _scene(3, 8, g)], 6, 10)
    B, N, T = torch.export.Dim("B", min=1, max=64), torch.export.Dim("N", min=3, max=128), torch.export.Dim("T", min=3, max=256)
    ep = torch.export.export(_make(), args, dynamic_shapes={
        "x": {0: B, 1: N, 2: T}, "x_padding_mask": {0: B, 1: N, 2: T}, "x_key_padding_mask": {0: B, 1: N}, "x_centers": {0: B, 1: N}})
    path = os.path.join(folder, "forecast.pt2")
    torch.export.save(ep, path)
    return path


@torch.no_grad()
def truth():
    with tempfile.TemporaryDirectory() as folder:
        m = torch.export.load(build(folder)).module()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n, t in ((3, 6), (5, 9), (4, 12)):
        s = _scene(n, t, g)
        a, b = m(*_batch([s], n, t))
        refs += [a.flatten(), b.flatten()]
        for dn, dt in ((0, 3), (2, 0), (7, 10)):
            c, e = m(*_batch([s, _scene(n + dn, t + dt, g)], n + dn, t + dt))
            worst = max(worst, (c[0] - a[0]).abs().max().item(), (e[0, :n - 1] - b[0]).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
