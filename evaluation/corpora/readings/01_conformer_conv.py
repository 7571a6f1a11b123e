"""Conformer encoder whose convolution module never sees the lengths."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/pytorch/audio/issues/4205"
STORY = ("torchaudio's Conformer gives different frames for the same utterance depending on how many zero frames are appended, "
         "although correct `lengths` are passed. Attention respects the lengths, the depthwise convolution does not; users zero-pad on the right to the longest utterance.")
LEAKY = True
PLACE = "self.depthwise("
CAUSE = "depthwise convolution reads padding frames (non-zero after the feed-forward)"
FORMAT = "module"


def _lengths_to_padding_mask(lengths, max_length):
    return torch.arange(max_length, device=lengths.device).expand(lengths.shape[0], max_length) >= lengths.unsqueeze(1)


class _ConvolutionModule(nn.Module):
    def __init__(self, dim, kernel_size):
        super().__init__()
        self.layer_norm = nn.LayerNorm(dim)
        self.pointwise1 = nn.Conv1d(dim, 2 * dim, 1)
        self.glu = nn.GLU(dim=1)
        self.depthwise = nn.Conv1d(dim, dim, kernel_size, padding=(kernel_size - 1) // 2, groups=dim)
        self.norm = nn.BatchNorm1d(dim)
        self.act = nn.SiLU()
        self.pointwise2 = nn.Conv1d(dim, dim, 1)

    def forward(self, input):
        x = self.layer_norm(input).transpose(1, 2)
        x = self.glu(self.pointwise1(x))
        x = self.depthwise(x)
        x = self.pointwise2(self.act(self.norm(x)))
        return x.transpose(1, 2)


class _FeedForwardModule(nn.Module):
    def __init__(self, dim, hidden):
        super().__init__()
        self.sequential = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, hidden), nn.SiLU(), nn.Linear(hidden, dim))

    def forward(self, input):
        return self.sequential(input)


class ConformerLayer(nn.Module):
    def __init__(self, dim, ffn_dim, heads, kernel_size):
        super().__init__()
        self.ffn1 = _FeedForwardModule(dim, ffn_dim)
        self.self_attn_layer_norm = nn.LayerNorm(dim)
        self.self_attn = nn.MultiheadAttention(dim, heads)
        self.conv_module = _ConvolutionModule(dim, kernel_size)
        self.ffn2 = _FeedForwardModule(dim, ffn_dim)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, input, key_padding_mask):
        x = input + 0.5 * self.ffn1(input)
        residual = x
        x = self.self_attn_layer_norm(x)
        x, _ = self.self_attn(x, x, x, key_padding_mask=key_padding_mask, need_weights=False)
        x = x + residual
        x = x + self.conv_module(x.transpose(0, 1)).transpose(0, 1)
        x = x + 0.5 * self.ffn2(x)
        return self.final_layer_norm(x)


class Conformer(nn.Module):
    def __init__(self, input_dim=16, num_heads=2, ffn_dim=32, num_layers=2, depthwise_conv_kernel_size=7):
        super().__init__()
        self.conformer_layers = nn.ModuleList(
            [ConformerLayer(input_dim, ffn_dim, num_heads, depthwise_conv_kernel_size) for _ in range(num_layers)])

    def forward(self, input, lengths):
        """input: (B, T, input_dim), lengths: (B,). Returns (frames, lengths)."""
        mask = _lengths_to_padding_mask(lengths, input.shape[1])
        x = input.transpose(0, 1)
        for layer in self.conformer_layers:
            x = layer(x, mask)
        return x.transpose(0, 1), lengths


def _make():
    torch.manual_seed(1)
    m = Conformer()
    for p in m.modules():
        if isinstance(p, nn.BatchNorm1d):
            p.running_mean.uniform_(-0.2, 0.2)
            p.running_var.uniform_(0.3, 1.0)
    return m.eval()


def build(folder):
    g = torch.Generator().manual_seed(0)
    lengths = torch.tensor([24, 17, 20])
    x = torch.randn(3, 24, 16, generator=g)
    for i, n in enumerate(lengths):
        x[i, n:] = 0
    return _make(), {"input": x, "lengths": lengths}


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (9, 14, 21):
        row = torch.randn(1, n, 16, generator=g, dtype=torch.float64)
        ref = m(row, torch.tensor([n]))[0][0]
        refs.append(ref)
        for extra in (1, 6, 19):
            mate = torch.randn(1, n + extra, 16, generator=g, dtype=torch.float64)
            x = torch.cat([torch.cat([row, torch.zeros(1, extra, 16, dtype=torch.float64)], 1), mate])
            out = m(x, torch.tensor([n, n + extra]))[0][0, :n]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
