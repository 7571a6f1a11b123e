"""wenet Conv2dSubsampling4: the mask is sliced with [:-2:2], which drops frames only from the longest row."""
import math
import os
import tempfile
import torch
import torch.nn as nn

ADDRESS = "https://github.com/wenet-e2e/wenet/issues/1513"
STORY = ("x_mask[:, :, :-2:2][:, :, :-2:2] gives 11 output frames for a 50-frame utterance alone and 13 in a batch with a 100-frame one, because the two trimmed frames come off the padded tail. "
         "xs (B, T, 20) are zero-padded log-mel frames with xs_lens (B,); the two extra mask positions let attention look at convolved padding.")
LEAKY = True
PLACE = ":-2:2"
CAUSE = "subsampled mask keeps up to two padded output frames of shorter rows as attention keys"
FORMAT = "pt2"


class Conv2dSubsampling4(nn.Module):
    def __init__(self, idim, odim):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, odim, 3, 2), nn.ReLU(), nn.Conv2d(odim, odim, 3, 2), nn.ReLU())
        self.out = nn.Linear(odim * (((idim - 1) // 2 - 1) // 2), odim)
        self.odim = odim

    def forward(self, x, x_mask):
        x = self.conv(x.unsqueeze(1))
        b, c, t, f = x.size()
        x = self.out(x.transpose(1, 2).contiguous().view(b, t, c * f))
        pos = torch.arange(t, device=x.device).to(x.dtype)[:, None] * torch.exp(torch.arange(0, self.odim, 2, device=x.device) * -(math.log(10000.0) / self.odim))
        pe = torch.stack([pos.sin(), pos.cos()], -1).flatten(1)
        x = x * self.odim ** 0.5 + pe
        return x, x_mask[:, :, :-2:2][:, :, :-2:2]


class TransformerEncoderLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (nn.Linear(d, d) for _ in range(4))
        self.norm1, self.norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.w_1, self.w_2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, mask):
        B, T, D = x.shape
        y = self.norm1(x)
        q, k, v = (p(y).view(B, T, self.h, -1).transpose(1, 2) for p in (self.linear_q, self.linear_k, self.linear_v))
        scores = q @ k.transpose(-2, -1) / math.sqrt(D // self.h)
        m = mask.unsqueeze(1).eq(0)
        attn = torch.softmax(scores.masked_fill(m, -1e30), dim=-1).masked_fill(m, 0.0)
        x = x + self.linear_out((attn @ v).transpose(1, 2).contiguous().view(B, T, D))
        return x + self.w_2(torch.relu(self.w_1(self.norm2(x))))


class TransformerEncoder(nn.Module):
    def __init__(self, idim=20, d=16, heads=2, layers=2, vocab=10):
        super().__init__()
        self.embed = Conv2dSubsampling4(idim, d)
        self.encoders = nn.ModuleList([TransformerEncoderLayer(d, heads) for _ in range(layers)])
        self.after_norm = nn.LayerNorm(d)
        self.ctc_lo = nn.Linear(d, vocab)

    def forward(self, xs, xs_lens):
        masks = (torch.arange(xs.shape[1], device=xs.device)[None, :] < xs_lens[:, None]).unsqueeze(1)
        xs, masks = self.embed(xs, masks)
        for layer in self.encoders:
            xs = layer(xs, masks)
        return self.ctc_lo(self.after_norm(xs)), masks


def _make():
    torch.manual_seed(20)
    return TransformerEncoder().eval()


def _batch(rows, T):
    x = torch.zeros(len(rows), T, 20)
    for i, r in enumerate(rows):
        x[i, :len(r)] = r
    return x, torch.tensor([len(r) for r in rows])


def build(folder):
    g = torch.Generator().manual_seed(0)
    x, n = _batch([torch.randn(k, 20, generator=g) for k in (83, 50)], 83)
    batch, k = torch.export.Dim("batch", min=1, max=64), torch.export.Dim("k", min=2, max=1000)
    ep = torch.export.export(_make(), (x, n), dynamic_shapes={"xs": {0: batch, 1: 4 * k + 3}, "xs_lens": {0: batch}})
    path = os.path.join(folder, "wenet_encoder.pt2")
    torch.export.save(ep, path)
    return path


def _sub(n):
    return ((n - 1) // 2 - 1) // 2


@torch.no_grad()
def truth():
    with tempfile.TemporaryDirectory() as folder:
        m = torch.export.load(build(folder)).module()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (31, 51, 75):
        row = torch.randn(n, 20, generator=g)
        ref = m(*_batch([row], n))[0][0]
        assert len(ref) == _sub(n)
        refs.append(ref.flatten())
        for extra in (4, 24, 60):
            out = m(*_batch([row, torch.randn(n + extra, 20, generator=g)], n + extra))[0][0, :_sub(n)]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
