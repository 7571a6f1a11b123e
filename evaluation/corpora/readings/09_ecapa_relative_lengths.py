"""ECAPA-TDNN: relative lengths (0..1) reach the SE blocks and the pooling, not the convolutions."""
import torch
import torch.nn as nn
import torch.nn.functional as F

ADDRESS = "https://github.com/speechbrain/speechbrain/issues/1374"
STORY = ("With the pretrained ECAPA-TDNN, samples that were padded get slightly different embeddings than alone. "
         "feats (B, T, F) are zero-padded on the right and wav_lens are RELATIVE to the longest row (1.0 = longest); SE and attentive pooling use them, the TDNN convolutions do not.")
LEAKY = True
PLACE = "self.conv(x)"
CAUSE = "TDNN / dilated convolutions read padded frames; lengths only mask the averages"
FORMAT = "module"


def length_to_mask(length, max_len, dtype):
    mask = torch.arange(max_len, device=length.device, dtype=length.dtype).expand(len(length), max_len) < length.unsqueeze(1)
    return mask.to(dtype)


class TDNNBlock(nn.Module):
    def __init__(self, c_in, c_out, kernel_size, dilation):
        super().__init__()
        self.pad = dilation * (kernel_size - 1) // 2
        self.conv = nn.Conv1d(c_in, c_out, kernel_size, dilation=dilation)
        self.norm = nn.BatchNorm1d(c_out)

    def forward(self, x):
        if self.pad:
            x = F.pad(x, (self.pad, self.pad), mode="reflect")
        return self.norm(torch.relu(self.conv(x)))


class SEBlock(nn.Module):
    def __init__(self, c, se):
        super().__init__()
        self.conv1, self.conv2 = nn.Conv1d(c, se, 1), nn.Conv1d(se, c, 1)

    def forward(self, x, lengths):
        L = x.shape[-1]
        mask = length_to_mask(torch.round(lengths * L), L, x.dtype).unsqueeze(1)
        s = (x * mask).sum(dim=2, keepdim=True) / mask.sum(dim=2, keepdim=True)
        return torch.sigmoid(self.conv2(torch.relu(self.conv1(s)))) * x


class AttentiveStatisticsPooling(nn.Module):
    def __init__(self, channels, attention_channels):
        super().__init__()
        self.tdnn = TDNNBlock(channels * 3, attention_channels, 1, 1)
        self.conv = nn.Conv1d(attention_channels, channels, 1)

    def forward(self, x, lengths):
        L = x.shape[-1]
        mask = length_to_mask(torch.round(lengths * L), L, x.dtype).unsqueeze(1)

        def stats(x, m):
            mean = (m * x).sum(2)
            return mean, torch.sqrt((m * (x - mean.unsqueeze(2)).pow(2)).sum(2).clamp(1e-12))

        mean, std = stats(x, mask / mask.sum(2, keepdim=True))
        attn = torch.cat([x, mean.unsqueeze(2).repeat(1, 1, L), std.unsqueeze(2).repeat(1, 1, L)], 1)
        attn = self.conv(torch.tanh(self.tdnn(attn))).masked_fill(mask == 0, float("-inf"))
        return torch.cat(stats(x, attn.softmax(2)), 1)


class ECAPA_TDNN(nn.Module):
    def __init__(self, input_size=12, channels=16, lin_neurons=10):
        super().__init__()
        self.blocks = nn.ModuleList([TDNNBlock(input_size, channels, 5, 1), TDNNBlock(channels, channels, 3, 2), TDNNBlock(channels, channels, 3, 3)])
        self.se = nn.ModuleList([SEBlock(channels, 4), SEBlock(channels, 4)])
        self.mfa = TDNNBlock(channels * 2, channels, 1, 1)
        self.asp = AttentiveStatisticsPooling(channels, 8)
        self.asp_bn = nn.BatchNorm1d(channels * 2)
        self.fc = nn.Linear(channels * 2, lin_neurons)

    def forward(self, feats, wav_lens):
        x = self.blocks[0](feats.transpose(1, 2))
        xl = []
        for block, se in zip(self.blocks[1:], self.se):
            x = x + se(block(x), wav_lens)
            xl.append(x)
        x = self.asp(self.mfa(torch.cat(xl, 1)), wav_lens)
        return self.fc(self.asp_bn(x))


def _make():
    torch.manual_seed(9)
    m = ECAPA_TDNN()
    for b in m.modules():
        if isinstance(b, nn.BatchNorm1d):
            b.running_mean.uniform_(-0.2, 0.4)
            b.running_var.uniform_(0.1, 0.5)
    return m.eval()


def build(folder):
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 40, 12, generator=g)
    lens = torch.tensor([1.0, 0.65, 0.8])
    for i, r in enumerate(lens):
        x[i, int(round(r.item() * 40)):] = 0
    return _make(), (x, lens)


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (12, 20, 31):
        row = torch.randn(1, n, 12, generator=g, dtype=torch.float64)
        ref = m(row, torch.ones(1, dtype=torch.float64))[0]
        refs.append(ref)
        for extra in (2, 9, 25):
            T = n + extra
            mate = torch.randn(1, T, 12, generator=g, dtype=torch.float64)
            x = torch.cat([torch.cat([row, torch.zeros(1, extra, 12, dtype=torch.float64)], 1), mate])
            out = m(x, torch.tensor([n / T, 1.0], dtype=torch.float64))[0]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
