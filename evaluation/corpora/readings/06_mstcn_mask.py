"""MS-TCN: every dilated layer is multiplied by the mask, but not the 1x1 conv before them."""
import torch
import torch.nn as nn
import torch.nn.functional as F

ADDRESS = "https://github.com/yabufarha/ms-tcn/issues/4"
STORY = ("The authors explain that `mask` (B, num_classes, T) cleans the outputs of shorter videos; it multiplies the output of every dilated layer. "
         "Videos are zero-padded features (B, D, T): the bias of conv_1x1 makes the padded frames non-zero and the first dilated layer of each stage reads them.")
LEAKY = True
PLACE = "self.conv_1x1(x)"
CAUSE = "bias of an unmasked 1x1 conv fills padded frames that the next dilated conv reads"
FORMAT = "module"


class DilatedResidualLayer(nn.Module):
    def __init__(self, dilation, in_channels, out_channels):
        super().__init__()
        self.conv_dilated = nn.Conv1d(in_channels, out_channels, 3, padding=dilation, dilation=dilation)
        self.conv_1x1 = nn.Conv1d(out_channels, out_channels, 1)
        self.dropout = nn.Dropout()

    def forward(self, x, mask):
        out = F.relu(self.conv_dilated(x))
        out = self.dropout(self.conv_1x1(out))
        return (x + out) * mask[:, 0:1, :]


class SingleStageModel(nn.Module):
    def __init__(self, num_layers, num_f_maps, dim, num_classes):
        super().__init__()
        self.conv_1x1 = nn.Conv1d(dim, num_f_maps, 1)
        self.layers = nn.ModuleList([DilatedResidualLayer(2 ** i, num_f_maps, num_f_maps) for i in range(num_layers)])
        self.conv_out = nn.Conv1d(num_f_maps, num_classes, 1)

    def forward(self, x, mask):
        out = self.conv_1x1(x)
        for layer in self.layers:
            out = layer(out, mask)
        return self.conv_out(out) * mask[:, 0:1, :]


class MultiStageModel(nn.Module):
    def __init__(self, num_stages=3, num_layers=4, num_f_maps=12, dim=20, num_classes=5):
        super().__init__()
        self.stage1 = SingleStageModel(num_layers, num_f_maps, dim, num_classes)
        self.stages = nn.ModuleList([SingleStageModel(num_layers, num_f_maps, num_classes, num_classes) for _ in range(num_stages - 1)])

    def forward(self, x, mask):
        out = self.stage1(x, mask)
        outputs = out.unsqueeze(0)
        for s in self.stages:
            out = s(F.softmax(out, dim=1) * mask[:, 0:1, :], mask)
            outputs = torch.cat((outputs, out.unsqueeze(0)), dim=0)
        return outputs


def _make():
    torch.manual_seed(6)
    return MultiStageModel().eval()


def _batch(rows, T):
    x = torch.zeros(len(rows), 20, T, dtype=rows[0].dtype)
    mask = torch.zeros(len(rows), 5, T, dtype=rows[0].dtype)
    for i, r in enumerate(rows):
        x[i, :, :r.shape[1]] = r
        mask[i, :, :r.shape[1]] = 1
    return x, mask


def build(folder):
    g = torch.Generator().manual_seed(0)
    x, mask = _batch([torch.randn(20, n, generator=g) for n in (30, 21, 26)], 30)
    return _make(), (x, mask)


@torch.no_grad()
def truth():
    m = _make().double()
    g = torch.Generator().manual_seed(5)
    worst, refs = 0.0, []
    for n in (10, 17, 25):
        row = torch.randn(20, n, generator=g, dtype=torch.float64)
        ref = m(*_batch([row], n))[:, 0]
        refs.append(ref.flatten())
        for extra in (1, 8, 21):
            out = m(*_batch([row, torch.randn(20, n + extra, generator=g, dtype=torch.float64)], n + extra))[:, 0, :, :n]
            worst = max(worst, (out - ref).abs().max().item())
    return worst / torch.cat(refs).std().item()


if __name__ == "__main__":
    d = truth()
    print(d)
    assert (d > 1e-3) if LEAKY else (d < 1e-5)
