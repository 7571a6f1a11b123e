"""Citrinet blocks: strided separable convs and squeeze-excite, both masked by the running length."""
import torch
import torch.nn as nn

ADDRESS = "https://github.com/NVIDIA-NeMo/Speech/pull/3216"
STORY = ("NeMo's SqueezeExcite averaged over padded frames so the transcript depended on the batch; the pull request masks it with lengths tracked through the stride. "
         "Users zero-pad spectrograms (B, D, T) on the right and pass `length`; answers are the first encoded_len steps.")
LEAKY = False
PLACE = None
CAUSE = "masked before each conv, lengths recomputed after the stride, masked global average"
FORMAT = "module"


class MaskedConv1d(nn.Module):
    def __init__(self, c_in, c_out, kernel_size, stride=1, groups=1, bias=False):
        super().__init__()
        self.conv = nn.Conv1d(c_in, c_out, kernel_size, stride=stride, padding=kernel_size // 2, groups=groups, bias=bias)

    def get_seq_len(self, lens):
        k, s, p = self.conv.kernel_size[0], self.conv.stride[0], self.conv.padding[0]
        return (lens + 2 * p - k) // s + 1

    def forward(self, x, lens):
        keep = torch.arange(x.size(2), device=x.device)[None, :] < lens[:, None]
        x = x * keep.unsqueeze(1).to(x.dtype)
        return self.conv(x), self.get_seq_len(lens)


class SqueezeExcite(nn.Module):
    def __init__(self, channels, reduction_ratio=4):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(channels, channels // reduction_ratio, bias=False), nn.ReLU(),
                                nn.Linear(channels // reduction_ratio, channels, bias=False))

    def forward(self, x, lens):
        keep = (torch.arange(x.size(2), device=x.device)[None, :] < lens[:, None]).unsqueeze(1).to(x.dtype)
        y = (x * keep).sum(-1) / lens[:, None].to(x.dtype)
        return x * torch.sigmoid(self.fc(y)).unsqueeze(-1)


class JasperBlock(nn.Module):
    def __init__(self, c_in, c_out, kernel_size, stride=1, residual=True):
        super().__init__()
        self.depthwise = MaskedConv1d(c_in, c_in, kernel_size, stride, groups=c_in)
        self.pointwise = MaskedConv1d(c_in, c_out, 1)
        self.bn = nn.BatchNorm1d(c_out)
        self.se = SqueezeExcite(c_out)
        self.res = MaskedConv1d(c_in, c_out, 1) if residual else None
        self.res_bn = nn.BatchNorm1d(c_out) if residual else None

    def forward(self, x, lens):
        y, out_lens = self.depthwise(x, lens)
        y, out_lens = self.pointwise(y, out_lens)
        y = self.se(self.bn(y), out_lens)
        if self.res is not None:
            y = y + self.res_bn(self.res(x, lens)[0])
        return torch.relu(y), out_lens


class Citrinet(nn.Module):
    def __init__(self, feat_in=16, width=24, vocab=12):
        super().__init__()
        self.prologue = JasperBlock(feat_in, width, 5, residual=False)
        self.down = JasperBlock(width, width, 5, stride=2, residual=False)
        self.body = nn.ModuleList([JasperBlock(width, width, 7), JasperBlock(width, width, 9)])
        self.decoder = nn.Conv1d(width, vocab, 1)

    def forward(self, audio_signal, length):
        x, length = self.prologue(audio_signal, length)
        x, length = self.down(x, length)
        for block in self.body:
            x, length = block(x, length)
        return self.decoder(x).transpose(1, 2).log_softmax(-1), length


def _make():
    torch.manual_seed(2)
    m = Citrinet()
    for b in m.modules():
        if isinstance(b, nn.BatchNorm1d):
            b.running_mean.uniform_(-0.3, 0.3)
            b.running_var.uniform_(0.2, 0.6)
            b.bias.data.uniform_(-0.5, 0.5)
    return m.eval()


def build(folder):
    g = torch.Generator().manual_seed(0)
    length = torch.tensor([40, 27, 33])
    x = torch.randn(3, 16, 40, generator=g)
    for i, n in enumerate(length):
        x[i, :, n:] = 0
    return _make(), {"audio_signal": x, "length": length}


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (11, 18, 29):
        row = torch.randn(1, 16, n, generator=g, dtype=torch.float64)
        ref, out_len = m(row, torch.tensor([n]))
        ref = ref[0, :out_len[0]]
        refs.append(ref)
        for extra in (1, 7, 24):
            mate = torch.randn(1, 16, n + extra, generator=g, dtype=torch.float64)
            x = torch.cat([torch.cat([row, torch.zeros(1, 16, extra, dtype=torch.float64)], 2), mate])
            out, ol = m(x, torch.tensor([n, n + extra]))
            assert ol[0] == out_len[0]
            worst = max(worst, (out[0, :ol[0]] - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
