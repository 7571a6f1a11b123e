"""wenet streaming encoder chunk: attention caches are inputs, filled up on the left with zeros, att_mask hides them."""
import os
import tempfile
import numpy as np
import torch
import torch.nn as nn

ADDRESS = "https://github.com/wenet-e2e/wenet/issues/1516"
STORY = ("For ONNX, key and value are padded with a cache of required_cache_size frames; for the first chunks the cache is (partly) fake zeros and att_mask (B, 1, cache + chunk) is 0 on it. "
         "chunk (B, C, 16), offset (1,) shared by all rows, att_cache (layers, B, heads, cache, 2 * d_k) whose fake frames are the leftmost, att_mask True on real frames; the answer is the chunk's output.")
LEAKY = False
PLACE = None
CAUSE = "fake cache frames excluded as keys by att_mask, positions come from offset"
FORMAT = "onnx"


class EncoderLayer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h, self.dk = h, d // h
        self.linear_q, self.linear_k, self.linear_v, self.linear_out = (nn.Linear(d, d) for _ in range(4))
        self.norm_mha, self.norm_ff = nn.LayerNorm(d), nn.LayerNorm(d)
        self.w_1, self.w_2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, cache, att_mask):
        B, T, D = x.shape
        y = self.norm_mha(x)
        q, k, v = (p(y).view(B, T, self.h, self.dk).transpose(1, 2) for p in (self.linear_q, self.linear_k, self.linear_v))
        k = torch.cat([cache[..., :self.dk], k], dim=2)
        v = torch.cat([cache[..., self.dk:], v], dim=2)
        new_cache = torch.cat([k, v], dim=-1)
        scores = q @ k.transpose(-2, -1) / self.dk ** 0.5
        m = ~att_mask.unsqueeze(1)
        attn = scores.masked_fill(m, -1e9).softmax(-1).masked_fill(m, 0.0)
        x = x + self.linear_out((attn @ v).transpose(1, 2).reshape(B, T, D))
        return x + self.w_2(nn.functional.silu(self.w_1(self.norm_ff(x)))), new_cache


class StreamingEncoder(nn.Module):
    def __init__(self, feat=16, d=16, h=2, layers=2, vocab=8):
        super().__init__()
        self.embed = nn.Linear(feat, d)
        self.register_buffer("div", torch.exp(torch.arange(0, d, 2) * -(np.log(10000.0) / d)).float())
        self.encoders = nn.ModuleList([EncoderLayer(d, h) for _ in range(layers)])
        self.after_norm, self.ctc = nn.LayerNorm(d), nn.Linear(d, vocab)

    def forward(self, chunk, offset, att_cache, att_mask):
        pos = (offset + torch.arange(chunk.shape[1], device=chunk.device)).to(chunk.dtype)[:, None] * self.div
        x = self.embed(chunk) + torch.cat([pos.sin(), pos.cos()], -1)
        r = []
        for i, layer in enumerate(self.encoders):
            x, c = layer(x, att_cache[i], att_mask)
            r.append(c)
        return self.ctc(self.after_norm(x)), torch.stack(r)


def build(folder):
    torch.manual_seed(24)
    m = StreamingEncoder().eval()
    path = os.path.join(folder, "encoder.onnx")
    args = (torch.randn(2, 8, 16), torch.tensor([6]), torch.zeros(2, 2, 2, 12, 16), torch.ones(2, 1, 20, dtype=torch.bool))
    D = torch.export.Dim
    B, C, K = D("batch", min=1, max=64), D("chunk", min=2, max=64), D("cache", min=2, max=256)
    torch.onnx.export(m, args, path, dynamo=True, input_names=["chunk", "offset", "att_cache", "att_mask"], output_names=["output", "r_att_cache"], verbose=False,
                      dynamic_shapes={"chunk": {0: B, 1: C}, "offset": {}, "att_cache": {1: B, 3: K}, "att_mask": {0: B, 2: D.AUTO}}, external_data=False)
    return path


def truth():
    import onnxruntime as ort
    with tempfile.TemporaryDirectory() as folder:
        s = ort.InferenceSession(build(folder), providers=["CPUExecutionProvider"])
    run = lambda *a: s.run(None, dict(zip(["chunk", "offset", "att_cache", "att_mask"], a)))
    rng = np.random.default_rng(5)
    worst, refs = 0.0, []
    for done in (3, 6, 10):
        past = rng.standard_normal((2, 1, 2, done, 16)).astype(np.float32)
        row = rng.standard_normal((1, 8, 16)).astype(np.float32)
        off = np.array([done], np.int64)
        ref, rc = run(row, off, past, np.ones((1, 1, done + 8), bool))
        refs.append(ref.ravel())
        for extra in (1, 5, 22):
            K = done + extra
            cache = np.zeros((2, 2, 2, K, 16), np.float32)
            cache[:, :1, :, extra:] = past
            cache[:, 1:] = rng.standard_normal(cache[:, 1:].shape)
            mask = np.ones((2, 1, K + 8), bool)
            mask[0, 0, :extra] = False
            out, oc = run(np.concatenate([row, rng.standard_normal(row.shape).astype(np.float32)]), off, cache, mask)
            worst = max(worst, float(np.abs(out[0] - ref[0]).max()), float(np.abs(oc[:, 0, :, extra:] - rc[:, 0]).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
