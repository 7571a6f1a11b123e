"""Zero-shot video classification: zero-padded CLIP frame embeddings, attentional pooling, prompts shared by all rows."""
import os
import tempfile
import numpy as np
import torch
import torch.nn as nn

ADDRESS = "https://github.com/LAION-AI/temporal-embedding-aggregation/pull/14"
STORY = ("'AttentionalPooling: mask zero padding' fixes the aggregation of frame embeddings whose sequences were filled with zeros to a common length; this is the model before the fix. "
         "embeddings (B, T, 16) are zero-padded on T, text_embeddings (P, 16) are class prompts shared by all videos, the answer is the (B, P) similarity.")
LEAKY = True
PLACE = "cross_attn"
CAUSE = "attentional pooling attends to zero frames (layer norm bias)"
FORMAT = "onnx"


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.to_q, self.to_kv, self.to_out = nn.Linear(dim, dim, bias=False), nn.Linear(dim, 2 * dim, bias=False), nn.Linear(dim, dim, bias=False)

    def forward(self, query, context):
        B, T, D = context.shape
        q = self.to_q(query).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        k, v = self.to_kv(context).unflatten(-1, (2, self.heads, -1)).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2) / k.shape[-1] ** 0.5).softmax(-1)
        return self.to_out((w @ v).transpose(1, 2).flatten(2))


class AttentionalPooling(nn.Module):
    def __init__(self, dim=16, heads=2, depth=2):
        super().__init__()
        self.query = nn.Parameter(torch.randn(1, 1, dim))
        self.norm_context = nn.LayerNorm(dim)
        self.cross_attn = nn.ModuleList([Attention(dim, heads) for _ in range(depth)])
        self.ff = nn.ModuleList([nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)) for _ in range(depth)])
        self.logit_scale = nn.Parameter(torch.tensor(2.0))
        nn.init.normal_(self.norm_context.bias, std=0.3)

    def forward(self, embeddings, text_embeddings):
        context = self.norm_context(embeddings)
        x = self.query.expand(embeddings.shape[0], -1, -1)
        for attn, ff in zip(self.cross_attn, self.ff):
            x = x + attn(x, context)
            x = x + ff(x)
        v = x[:, 0]
        v = v / v.norm(dim=-1, keepdim=True)
        t = text_embeddings / text_embeddings.norm(dim=-1, keepdim=True)
        return self.logit_scale.exp() * v @ t.t()


def build(folder):
    torch.manual_seed(25)
    m = AttentionalPooling().eval()
    path = os.path.join(folder, "video_head.onnx")
    D = torch.export.Dim
    torch.onnx.export(m, (torch.randn(3, 12, 16), torch.randn(5, 16)), path, dynamo=True, input_names=["embeddings", "text_embeddings"],
                      output_names=["logits_per_video"], verbose=False, external_data=False,
                      dynamic_shapes={"embeddings": {0: D("batch", min=1, max=64), 1: D("frames", min=2, max=256)}, "text_embeddings": {0: D("prompts", min=2, max=100)}})
    return path


def truth():
    import onnxruntime as ort
    with tempfile.TemporaryDirectory() as folder:
        s = ort.InferenceSession(build(folder), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(5)
    f = lambda *k: rng.standard_normal(k).astype(np.float32)
    text = f(6, 16)
    run = lambda x: s.run(None, {"embeddings": x, "text_embeddings": text})[0]
    worst, refs = 0.0, []
    for n in (4, 9, 15):
        row = f(1, n, 16)
        ref = run(row)[0]
        refs.append(ref)
        for extra in (1, 8, 40):
            x = np.concatenate([np.pad(row, ((0, 0), (0, extra), (0, 0))), f(1, n + extra, 16)])
            worst = max(worst, float(np.abs(run(x)[0] - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
