"""CLIP text tower: pooled at input_ids.argmax(), padded with the end token itself, no attention mask input."""
import os
import tempfile
import numpy as np
import torch
import torch.nn as nn

ADDRESS = "https://github.com/huggingface/transformers/issues/24650"
STORY = ("CLIP takes the pooled feature at input_ids.argmax(-1), the end-of-text token having the highest id; the issue is about added tokens with higher ids. "
         "CLIP tokenizers also PAD with end-of-text on the right: argmax returns the first one and the tower is causal, so padding does not matter although there is no mask.")
LEAKY = False
PLACE = None
CAUSE = "causal tower read at the first end-of-text token; later pads are never seen"
FORMAT = "onnx"
EOS, BOS = 99, 98


class Layer(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.in_proj, self.out_proj = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.fc1, self.fc2 = nn.Linear(d, 2 * d), nn.Linear(2 * d, d)

    def forward(self, x, mask):
        B, T, D = x.shape
        q, k, v = self.in_proj(self.layer_norm1(x)).view(B, T, 3, self.h, -1).permute(2, 0, 3, 1, 4)
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5 + mask).softmax(-1)
        x = x + self.out_proj((w @ v).transpose(1, 2).reshape(B, T, D))
        y = self.fc1(self.layer_norm2(x))
        return x + self.fc2(y * torch.sigmoid(1.702 * y))


class CLIPTextModelWithProjection(nn.Module):
    def __init__(self, vocab=100, d=16, h=2, layers=2, proj=8, max_position=77):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab, d)
        self.position_embedding = nn.Embedding(max_position, d)
        self.layers = nn.ModuleList([Layer(d, h) for _ in range(layers)])
        self.final_layer_norm = nn.LayerNorm(d)
        self.text_projection = nn.Linear(d, proj, bias=False)

    def forward(self, input_ids):
        steps = torch.arange(input_ids.shape[1], device=input_ids.device)
        x = self.token_embedding(input_ids) + self.position_embedding(steps)
        mask = torch.where(steps[None, :] > steps[:, None], -1e9, 0.0)
        for layer in self.layers:
            x = layer(x, mask)
        x = self.final_layer_norm(x)
        pooled = x[torch.arange(x.shape[0], device=x.device), input_ids.to(torch.int).argmax(dim=-1)]
        return self.text_projection(pooled)


def _ids(rows, T):
    x = np.full((len(rows), T), EOS, np.int64)
    for i, r in enumerate(rows):
        x[i, 0] = BOS
        x[i, 1:1 + len(r)] = r
    return x


def build(folder):
    torch.manual_seed(22)
    m = CLIPTextModelWithProjection().eval()
    path = os.path.join(folder, "clip_text.onnx")
    x = torch.from_numpy(_ids([np.arange(5, 12), np.arange(3)], 10))
    torch.onnx.export(m, (x,), path, dynamo=True, input_names=["input_ids"], output_names=["text_embeds"], verbose=False,
                      dynamic_shapes={"input_ids": {0: torch.export.Dim("batch", min=1, max=64), 1: torch.export.Dim("sequence", min=2, max=77)}}, external_data=False)
    return path


def truth():
    import onnxruntime as ort
    with tempfile.TemporaryDirectory() as folder:
        s = ort.InferenceSession(build(folder), providers=["CPUExecutionProvider"])
        run = lambda x: s.run(None, {"input_ids": x})[0]
        rng = np.random.default_rng(5)
        worst, refs = 0.0, []
        for n in (2, 6, 11):
            row = rng.integers(0, 98, n)
            ref = run(_ids([row], n + 2))[0]
            refs.append(ref)
            for extra in (1, 6, 40):
                out = run(_ids([row, rng.integers(0, 98, n + extra)], n + extra + 2))[0]
                worst = max(worst, float(np.abs(out - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
