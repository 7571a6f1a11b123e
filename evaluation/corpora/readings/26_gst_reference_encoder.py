"""Global style tokens: strided 2-d convs over mel frames x bins with lengths halved and re-masked; tokens are an input."""
import os
import tempfile
import numpy as np
import torch
import torch.nn as nn

ADDRESS = "https://github.com/KinglittleQ/GST-Tacotron/issues/7"
STORY = ("'Reference encoder padding': the reference encoder saw the padding of the mel spectrogram, so style depended on the length of the batch; commenters mask before the recurrent layer. "
         "mels (B, T, 16) are padded on the right with the log floor -11.5, mel_lens (B,), and style_tokens (K, 12) are shared by all rows; the answer is the style embedding of each row.")
LEAKY = False
PLACE = None
CAUSE = "mask before every stride-2 conv with length (L+1)//2, masked mean, then attention over shared tokens"
FORMAT = "onnx"


class ReferenceEncoder(nn.Module):
    def __init__(self, n_mels=16, filters=(6, 8, 8), out=12):
        super().__init__()
        c = [1, *filters]
        self.convs = nn.ModuleList([nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(c[:-1], c[1:])])
        self.bns = nn.ModuleList([nn.BatchNorm2d(b) for b in filters])
        for _ in filters:
            n_mels = (n_mels + 1) // 2
        self.proj = nn.Linear(filters[-1] * n_mels, out)

    def forward(self, mels, mel_lens):
        x = mels.unsqueeze(1)
        for conv, bn in zip(self.convs, self.bns):
            keep = torch.arange(x.shape[2], device=x.device)[None, :] < mel_lens[:, None]
            x = torch.where(keep[:, None, :, None], x, 0.0)
            x = torch.relu(bn(conv(x)))
            mel_lens = (mel_lens + 1) // 2
        keep = (torch.arange(x.shape[2], device=x.device)[None, :] < mel_lens[:, None]).to(x.dtype)
        h = torch.tanh(self.proj(x.transpose(1, 2).flatten(2)))
        return (h * keep.unsqueeze(-1)).sum(1) / mel_lens.unsqueeze(-1)


class GST(nn.Module):
    def __init__(self, d=12, heads=2):
        super().__init__()
        self.encoder = ReferenceEncoder(out=d)
        self.heads = heads
        self.W_query, self.W_key, self.W_value = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)

    def forward(self, mels, mel_lens, style_tokens):
        q = self.W_query(self.encoder(mels, mel_lens)).unflatten(-1, (self.heads, -1))
        keys = torch.tanh(style_tokens)
        k, v = self.W_key(keys).unflatten(-1, (self.heads, -1)), self.W_value(keys).unflatten(-1, (self.heads, -1))
        w = (torch.einsum("bhd,khd->bhk", q, k) * 3).softmax(-1)
        return torch.einsum("bhk,khd->bhd", w, v).flatten(1)


def _make():
    torch.manual_seed(26)
    m = GST()
    for b in m.modules():
        if isinstance(b, nn.BatchNorm2d):
            b.running_mean.uniform_(-2, 2)
            b.running_var.uniform_(0.5, 4.0)
            b.bias.data.uniform_(0, 1)
    for p in (m.W_query, m.W_key):
        p.weight.data *= 2
    return m.eval()


def build(folder):
    path = os.path.join(folder, "gst.onnx")
    D = torch.export.Dim
    B = D("batch", min=1, max=64)
    torch.onnx.export(_make(), (torch.randn(2, 40, 16), torch.tensor([40, 27]), torch.randn(10, 12)), path, dynamo=True, verbose=False, external_data=False,
                      input_names=["mels", "mel_lens", "style_tokens"], output_names=["style_embed"],
                      dynamic_shapes={"mels": {0: B, 1: D("frames", min=9, max=2000)}, "mel_lens": {0: B}, "style_tokens": {0: D("tokens", min=2, max=50)}})
    return path


def truth():
    import onnxruntime as ort
    with tempfile.TemporaryDirectory() as folder:
        s = ort.InferenceSession(build(folder), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(5)
    mel = lambda n: (rng.standard_normal((1, n, 16)) * 2 - 5 + rng.standard_normal((1, 1, 16)) * 2).astype(np.float32)
    tokens = rng.standard_normal((10, 12)).astype(np.float32)
    run = lambda x, n: s.run(None, {"mels": x, "mel_lens": np.array(n, np.int64), "style_tokens": tokens})[0]
    worst, refs = 0.0, []
    for n in (13, 22, 37):
        row = mel(n)
        ref = run(row, [n])[0]
        refs.append(ref)
        for extra in (1, 10, 51):
            x = np.concatenate([np.pad(row, ((0, 0), (0, extra), (0, 0)), constant_values=-11.5), mel(n + extra)])
            worst = max(worst, float(np.abs(run(x, [n, n + extra])[0] - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
