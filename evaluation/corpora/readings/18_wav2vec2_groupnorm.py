"""wav2vec2 base feature extractor: group norm over the whole time axis, lengths used only later."""
import os
import tempfile
import torch
import torch.nn as nn
import torch.nn.functional as F

ADDRESS = "https://github.com/pytorch/audio/issues/2242"
STORY = ("torchaudio's wav2vec2 base gives other emissions for the same waveform when it is zero-padded in a batch although lengths are passed: the group norm after the first convolution takes its statistics over the padding. "
         "waveforms (B, samples) are zero-padded on the right, lengths (B,) in samples; answers are the first output_lengths frames.")
LEAKY = True
PLACE = "group_norm"
CAUSE = "GroupNorm statistics over time include padded samples"
FORMAT = "pt2"


class FeatureExtractor(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.conv0 = nn.Conv1d(1, c, 10, stride=5, bias=False)
        self.group_norm0 = nn.GroupNorm(c, c)
        self.conv1 = nn.Conv1d(c, c, 3, stride=2, bias=False)

    def forward(self, x, length):
        x = F.gelu(self.group_norm0(self.conv0(x.unsqueeze(1))))
        x = F.gelu(self.conv1(x))
        length = torch.div(length - 10, 5, rounding_mode="floor") + 1
        length = torch.div(length - 3, 2, rounding_mode="floor") + 1
        return x.transpose(1, 2), length


class EncoderLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(d, d) for _ in range(4))
        self.layer_norm, self.final_layer_norm = nn.LayerNorm(d), nn.LayerNorm(d)
        self.fc1, self.fc2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, bias):
        B, T, D = x.shape
        q, k, v = (p(x).view(B, T, self.h, -1).transpose(1, 2) for p in (self.q_proj, self.k_proj, self.v_proj))
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + bias).softmax(-1)
        x = self.layer_norm(x + self.out_proj((w @ v).transpose(1, 2).reshape(B, T, D)))
        return self.final_layer_norm(x + self.fc2(F.gelu(self.fc1(x))))


class Wav2Vec2Model(nn.Module):
    def __init__(self, c=12, d=16, vocab=9):
        super().__init__()
        self.feature_extractor = FeatureExtractor(c)
        self.projection = nn.Sequential(nn.LayerNorm(c), nn.Linear(c, d))
        self.layers = nn.ModuleList([EncoderLayer(d, 2) for _ in range(2)])
        self.aux = nn.Linear(d, vocab)

    def forward(self, waveforms, lengths):
        x, out_lengths = self.feature_extractor(waveforms, lengths)
        x = self.projection(x)
        mask = torch.arange(x.shape[1], device=x.device)[None, :] >= out_lengths[:, None]
        x = x.masked_fill(mask.unsqueeze(-1), 0.0)
        bias = mask[:, None, None, :].to(x.dtype) * -10000.0
        for layer in self.layers:
            x = layer(x, bias)
        return self.aux(x), out_lengths


def _make():
    torch.manual_seed(18)
    return Wav2Vec2Model().eval()


def _batch(rows, T):
    x = torch.zeros(len(rows), T)
    for i, r in enumerate(rows):
        x[i, :len(r)] = r
    return x, torch.tensor([len(r) for r in rows])


def build(folder):
    g = torch.Generator().manual_seed(0)
    x, n = _batch([torch.randn(k, generator=g) for k in (400, 260)], 400)
    batch, time = torch.export.Dim("batch", min=1, max=64), torch.export.Dim.DYNAMIC
    ep = torch.export.export(_make(), (x, n), dynamic_shapes={"waveforms": {0: batch, 1: time}, "lengths": {0: batch}})
    path = os.path.join(folder, "wav2vec2.pt2")
    torch.export.save(ep, path)
    return path


@torch.no_grad()
def truth():
    with tempfile.TemporaryDirectory() as folder:
        m = torch.export.load(build(folder)).module()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (120, 233, 350):
        row = torch.randn(n, generator=g)
        ref, k = m(*_batch([row], n))
        ref = ref[0, :k[0]]
        refs.append(ref.flatten())
        for extra in (40, 200, 601):
            out, k2 = m(*_batch([row, torch.randn(n + extra, generator=g)], n + extra))
            worst = max(worst, (out[0, :k2[0]] - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
