"""FastSpeech 2: the duration predictor masks its answer but not between its two convolutions."""
import os
import tempfile
import numpy as np
import torch
import torch.nn as nn

ADDRESS = "https://github.com/mozilla/TTS/issues/429"
STORY = ("'Masking intermediate model outputs against sequence padding': convolutions of padded parts distort shorter sentences of a batch of TTS inputs. "
         "texts (B, L) are phoneme ids padded with 0 and src_lens (B,); the encoder is masked, the variance predictor only fills its final log-durations, which are the answer at real phonemes.")
LEAKY = True
PLACE = "conv1d_2"
CAUSE = "second conv of the duration predictor reads padded positions made non-zero by the first conv and layer norm"
FORMAT = "onnx"


class Conv(nn.Module):
    def __init__(self, c_in, c_out, kernel_size, padding):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel_size, padding=padding)

    def forward(self, x):
        return self.conv(x.transpose(1, 2)).transpose(1, 2)


class FFTBlock(nn.Module):
    def __init__(self, d, h):
        super().__init__()
        self.h = h
        self.w_qs, self.w_ks, self.w_vs, self.fc = (nn.Linear(d, d) for _ in range(4))
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(d), nn.LayerNorm(d)
        self.w_1, self.w_2 = nn.Conv1d(d, 2 * d, 9, padding=4), nn.Conv1d(2 * d, d, 1)

    def forward(self, x, mask):
        B, T, D = x.shape
        q, k, v = (p(x).view(B, T, self.h, -1).transpose(1, 2) for p in (self.w_qs, self.w_ks, self.w_vs))
        w = (q @ k.transpose(-1, -2) / q.shape[-1] ** 0.5).masked_fill(mask[:, None, None, :], -1e9).softmax(-1)
        x = self.layer_norm1(x + self.fc((w @ v).transpose(1, 2).reshape(B, T, D)))
        x = x.masked_fill(mask.unsqueeze(-1), 0.0)
        y = self.w_2(torch.relu(self.w_1(x.transpose(1, 2)))).transpose(1, 2)
        return self.layer_norm2(x + y).masked_fill(mask.unsqueeze(-1), 0.0)


class VariancePredictor(nn.Module):
    def __init__(self, d, filter_size=16, kernel=3):
        super().__init__()
        self.conv1d_1 = Conv(d, filter_size, kernel, (kernel - 1) // 2)
        self.layer_norm_1 = nn.LayerNorm(filter_size)
        self.conv1d_2 = Conv(filter_size, filter_size, kernel, 1)
        self.layer_norm_2 = nn.LayerNorm(filter_size)
        self.linear_layer = nn.Linear(filter_size, 1)

    def forward(self, encoder_output, mask):
        out = self.layer_norm_1(torch.relu(self.conv1d_1(encoder_output)))
        out = self.layer_norm_2(torch.relu(self.conv1d_2(out)))
        return self.linear_layer(out).squeeze(-1).masked_fill(mask, 0.0)


class FastSpeech2Durations(nn.Module):
    def __init__(self, vocab=40, d=16, max_len=200):
        super().__init__()
        self.src_word_emb = nn.Embedding(vocab, d, padding_idx=0)
        self.position_enc = nn.Embedding(max_len, d)
        self.layer_stack = nn.ModuleList([FFTBlock(d, 2) for _ in range(2)])
        self.duration_predictor = VariancePredictor(d)

    def forward(self, texts, src_lens):
        steps = torch.arange(texts.shape[1], device=texts.device)
        mask = steps[None, :] >= src_lens[:, None]
        x = self.src_word_emb(texts) + self.position_enc(steps)
        for layer in self.layer_stack:
            x = layer(x, mask)
        return self.duration_predictor(x, mask)


def build(folder):
    torch.manual_seed(27)
    m = FastSpeech2Durations().eval()
    path = os.path.join(folder, "durations.onnx")
    D = torch.export.Dim
    B = D("batch", min=1, max=64)
    torch.onnx.export(m, (torch.randint(1, 40, (2, 12)), torch.tensor([12, 8])), path, dynamo=True, verbose=False, external_data=False,
                      input_names=["texts", "src_lens"], output_names=["log_d_predictions"],
                      dynamic_shapes={"texts": {0: B, 1: D("length", min=2, max=200)}, "src_lens": {0: B}})
    return path


def truth():
    import onnxruntime as ort
    with tempfile.TemporaryDirectory() as folder:
        s = ort.InferenceSession(build(folder), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(5)
    run = lambda x, n: s.run(None, {"texts": x, "src_lens": np.array(n, np.int64)})[0]
    worst, refs = 0.0, []
    for n in (5, 9, 16):
        row = rng.integers(1, 40, (1, n))
        ref = run(row, [n])[0]
        refs.append(ref)
        for extra in (1, 7, 30):
            x = np.concatenate([np.pad(row, ((0, 0), (0, extra))), rng.integers(1, 40, (1, n + extra))])
            worst = max(worst, float(np.abs(run(x, [n, n + extra])[0, :n] - ref).max()))
    return worst / float(np.std(np.concatenate(refs)))


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
