"""Convolutions whose kernels reach over the end of what is real."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.registry import IMAGE, POOL, WIDTH, Layer, looks_alike, mechanism


def conv(kernel: int = 3, **given: int) -> nn.Conv1d:
    return nn.Conv1d(WIDTH, WIDTH, kernel, padding=kernel // 2, **given)


def over_time(layer: nn.Module, x: Tensor) -> Tensor:
    return layer(x.transpose(1, 2)).transpose(1, 2)


@mechanism("CONV-01", "MC401", "MC402")
class Unmasked(Layer):
    def setup(self) -> None:
        self.conv = conv(5)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        return self.conv(x.transpose(1, 2)).transpose(1, 2)  # leak


@mechanism("CONV-02", "MC402", "MC401")
class Refilled(Layer):
    """The first convolution sees zeros at the pads, the second one the bias of the first."""

    def setup(self) -> None:
        self.first, self.second = conv(), conv()

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        keep = m.unsqueeze(1)
        x = torch.relu(self.first(x.transpose(1, 2) * keep))
        if not self.leaky:
            x = x * keep
        return self.second(x).transpose(1, 2)  # leak


@mechanism("CONV-03", "MC403", "MC401")
class Gated(Layer):
    def setup(self) -> None:
        self.up, self.deep = nn.Linear(WIDTH, 2 * WIDTH), conv(7, groups=WIDTH)
        self.norm, self.down = nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = F.glu(self.up(x), -1)
        if not self.leaky:
            x = x.masked_fill(m.unsqueeze(-1) == 0, 0.0)
        x = self.norm(self.deep(x.transpose(1, 2)))  # leak
        return self.down(F.silu(x).transpose(1, 2))


@mechanism("CONV-04", "MC404", "MC401", "MC402", kind=POOL)
class Subsampled(Layer):
    """Two strided convolutions; the mask is shortened beside them."""

    def setup(self) -> None:
        self.first = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.second = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        keep = m.unsqueeze(1)
        x = F.gelu(self.first(x.transpose(1, 2) * keep))
        keep = keep[:, :, ::2]
        if not self.leaky:
            x = x * keep
        x = F.gelu(self.second(x))  # leak
        keep = keep[:, :, ::2]
        return (x * keep).sum(-1) / keep.sum(-1).clamp(min=1)


@mechanism("CONV-05", "MC405", "MC404", kind=POOL)
class LengthFormula(Layer):
    """Lengths are halved downwards, the convolution halves upwards; a step too few or too many is pooled."""

    def setup(self) -> None:
        self.conv = nn.Conv1d(WIDTH, WIDTH, 4, stride=2, padding=1)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = torch.tanh(self.conv(x.transpose(1, 2) * m.unsqueeze(1)).transpose(1, 2))
        lengths = m.sum(1, keepdim=True)
        if self.leaky:
            lengths = torch.ceil(lengths / 2)
        else:
            lengths = torch.floor((lengths + 2 - 4) / 2) + 1
        keep = (torch.arange(x.shape[1])[None] < lengths).to(x.dtype)
        return torch.einsum("btd,bt->bd", x, keep) / keep.sum(1, keepdim=True).clamp(min=1)  # leak


@mechanism("CONV-06", "MC406", "MC401")
class Trigrams(Layer):
    """Every step beside its neighbours, as MobileBERT has it."""

    def setup(self) -> None:
        self.mix = nn.Linear(3 * WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        after = F.pad(x[:, 1:], (0, 0, 0, 1))  # leak
        before = F.pad(x[:, :-1], (0, 0, 1, 0))
        return self.mix(torch.cat([after, x, before], -1))


@mechanism("CONV-07", "MC407", "MC401", "MC402")
class Branch(Layer):
    """A sound attention and, beside it, a convolution that is not masked."""

    def setup(self) -> None:
        self.mha = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.conv = conv(3, groups=WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        seen = self.mha(x, x, x, key_padding_mask=m == 0, need_weights=False)[0]
        beside = x if self.leaky else x * m.unsqueeze(-1)
        near = self.conv(beside.transpose(1, 2)).transpose(1, 2)  # leak
        return seen + near


@mechanism("CONV-08", "MC408", left=True)
class CausalFromTheLeft(Layer):
    def setup(self) -> None:
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        return self.conv(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2)  # leak


@mechanism("CONV-09", "MC409", "MC401", "MC402", kind=IMAGE)
class Backbone(Layer):
    """Two convolutions over an image; the first one's bias refills what was padded. x, m (batch, ..., height, width)"""

    def setup(self) -> None:
        self.first, self.second = (nn.Conv2d(WIDTH, WIDTH, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = torch.relu(self.first(x * m))
        if not self.leaky:
            x = x * m
        return self.second(x)  # leak


@mechanism("CONV-09", "MC409", "MC401", kind=IMAGE)
class ReadsTheMargin(Layer):
    """The mask reaches only what comes after the convolution."""

    def setup(self) -> None:
        self.conv, self.norm = nn.Conv2d(WIDTH, WIDTH, 3, padding=1), nn.BatchNorm2d(WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m
        return torch.relu(self.norm(self.conv(x)))  # leak


@mechanism("CONV-10", "MC401", "MC402", "MC404")
class Vocoder(Layer):
    """Upsampled twofold and read back, as generators of waveforms do it between their blocks."""

    def setup(self) -> None:
        self.up = nn.ConvTranspose1d(WIDTH, WIDTH, 4, stride=2, padding=1)
        self.smooth = nn.Conv1d(WIDTH, WIDTH, 4, stride=2, padding=1)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        if not self.leaky:
            x = x * m.unsqueeze(1)
        x = F.leaky_relu(self.up(x))  # leak
        if not self.leaky:
            x = x * m.unsqueeze(1).repeat_interleave(2, -1)
        return self.smooth(x).transpose(1, 2)


@looks_alike("CL-08")
class MaskedBeforeEach(Layer):
    def setup(self) -> None:
        self.layers = nn.ModuleList(conv(k) for k in (3, 5, 3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(over_time(layer, x * m.unsqueeze(-1)))
        return x


@looks_alike("CL-04")
class Causal(Layer):
    def setup(self) -> None:
        self.conv = nn.Conv1d(WIDTH, WIDTH, 4)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.conv(F.pad(x.transpose(1, 2), (3, 0))).transpose(1, 2)


@looks_alike("CL-31")
class PaddedMaximum(Layer):
    """What max pooling pads with is minus infinity, so a masked maximum of neighbours is sound."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = x.masked_fill(m.unsqueeze(-1) == 0, -1e9).transpose(1, 2)
        return F.max_pool1d(x, 3, stride=1, padding=1).transpose(1, 2).clamp(min=-10)
