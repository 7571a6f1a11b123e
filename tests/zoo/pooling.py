"""Sequence to vector: means, maxima, chosen positions, attention and statistics, with and without the mask."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .attention import SelfAttention, TextEncoder, Unmasked
from .case import Output

LOGITS = (Output("logits", "BC"),)


class Mean(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.mean(1)


class MaskedMean(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        keep = mask.unsqueeze(-1).to(x.dtype)
        return (x * keep).sum(1) / keep.sum(1).clamp(min=1.0)


class UnguardedMean(nn.Module):
    """Divides by the number of real positions, be it zero."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        keep = mask.unsqueeze(-1).to(x.dtype)
        return (x * keep).sum(1) / keep.sum(1)


class MaskedSumOverLength(nn.Module):
    """The pads are left out of the sum, but counted in the divisor."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask.unsqueeze(-1)).sum(1) / x.shape[1]


class Maximum(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.amax(1)


class ZeroFilledMaximum(nn.Module):
    """Zeros at pads win against negative features."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return (x * mask.unsqueeze(-1)).amax(1)


class MaskedMaximum(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x.masked_fill((mask == 0).unsqueeze(-1), -1e9).amax(1)


class First(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x[:, 0]


class Last(nn.Module):
    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return x[:, -1]


class LastValidByCount(nn.Module):
    """Assumes that the real positions come first."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        at = (mask.sum(1) - 1).clamp(min=0)
        return x.gather(1, at[:, None, None].expand(-1, 1, x.shape[2])).squeeze(1)


class LastValidByPosition(nn.Module):
    """The largest column whose mask is set, wherever the pads stand."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        at = (mask * torch.arange(x.shape[1])).argmax(1)
        return x.gather(1, at[:, None, None].expand(-1, 1, x.shape[2])).squeeze(1)


class AttentionPooling(nn.Module):
    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.score = nn.Linear(32, 1)
        nn.init.normal_(self.score.weight, std=0.5)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        scores = self.score(torch.tanh(x)).squeeze(-1)
        if self.masked:
            scores = scores.masked_fill(mask == 0, -1e9)
        return (scores.softmax(1).unsqueeze(1) @ x).squeeze(1)


class InvertedPooling(nn.Module):
    """Attends to the pads alone, so that no real frame counts."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Linear(16, 32)
        self.score = nn.Linear(32, 1)

    def forward(self, features: Tensor, attention_mask: Tensor) -> Tensor:
        x = torch.tanh(self.frames(features))
        scores = self.score(x).squeeze(-1).masked_fill(attention_mask == 1, -1e9)
        return (scores.softmax(1).unsqueeze(1) @ x).squeeze(1)


class StatisticsPooling(nn.Module):
    """Mean and deviation over time, as for speaker vectors."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        keep = mask.unsqueeze(-1).to(x.dtype) if self.masked else torch.ones_like(x[:, :, :1])
        count = keep.sum(1).clamp(min=1.0)
        mean = (x * keep).sum(1) / count
        variance = (((x - mean.unsqueeze(1)) ** 2) * keep).sum(1) / count
        return torch.cat([mean, (variance + 1e-5).sqrt()], 1)


class CosineSum(nn.Module):
    """A masked sum, normalised: the number of positions cancels."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return nn.functional.normalize((x * mask.unsqueeze(-1)).sum(1) / x.shape[1], dim=1)


class Classifier(nn.Module):
    """A text encoder, a way to pool and a linear head."""

    def __init__(self, pool: nn.Module, attention: nn.Module | None = None, width: int = 32) -> None:
        super().__init__()
        self.encoder = TextEncoder(attention or SelfAttention())
        self.pool = pool
        self.head = nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.pool(self.encoder(input_ids, attention_mask), attention_mask))


class IdClassifier(nn.Module):
    """Reads the last id that is not the pad id, as sequence classification heads on decoders do."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 32)
        self.rnn = nn.LSTM(32, 24, batch_first=True)
        self.score = nn.Linear(24, 5)

    def forward(self, input_ids: Tensor) -> Tensor:
        hidden, _ = self.rnn(self.embedding(input_ids))
        last = ((input_ids != 0).int() * torch.arange(input_ids.shape[1])).argmax(1)
        return self.score(hidden).gather(1, last[:, None, None].expand(-1, 1, 5)).squeeze(1)


class FeaturePooler(nn.Module):
    """Frames, no mask in the graph at all."""

    def __init__(self, pool: nn.Module) -> None:
        super().__init__()
        self.frames = nn.Sequential(nn.Linear(16, 32), nn.Tanh())
        self.pool = pool
        self.head = nn.Linear(32, 5)

    def forward(self, features: Tensor) -> Tensor:
        x = self.frames(features)
        return self.head(self.pool(x, torch.ones_like(x[:, :, 0])))


class LengthPooler(nn.Module):
    """Frames and their number, or its share of the padded length; the mask is made inside the graph."""

    def __init__(self, relative: bool) -> None:
        super().__init__()
        self.relative = relative
        self.frames = nn.Sequential(nn.Linear(16, 32), nn.Tanh())
        self.pool = StatisticsPooling(masked=True)
        self.head = nn.Linear(64, 5)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        columns = torch.arange(features.shape[1])
        if self.relative:
            lengths = (lengths * features.shape[1]).round()
        return self.head(self.pool(self.frames(features), (columns[None, :] < lengths[:, None]).float()))


class SqueezeExcitation(nn.Module):
    """A gate for every channel out of its mean over time."""

    def __init__(self, masked: bool = False) -> None:
        super().__init__()
        self.masked = masked
        self.frames = nn.Conv1d(16, 32, 1)
        self.gate = nn.Sequential(nn.Linear(32, 8), nn.ReLU(), nn.Linear(8, 32), nn.Sigmoid())

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        x = self.frames(features)
        if self.masked:
            keep = mask.unsqueeze(1).to(x.dtype)
            squeezed = (x * keep).sum(2) / keep.sum(2).clamp(min=1.0)
        else:
            squeezed = x.mean(2)
        return x * self.gate(3 * squeezed).unsqueeze(-1)


class UnmaskedSqueeze(SqueezeExcitation):
    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(features, torch.ones_like(features[:, 0]))


class Windows(nn.Module):
    """Halves the time by pooling pairs of frames; odd lengths share their last window with a pad."""

    def __init__(self, masked: bool = False) -> None:
        super().__init__()
        self.masked = masked
        self.frames = nn.Linear(16, 32)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        x = self.frames(features).transpose(1, 2)
        if not self.masked:
            return nn.functional.avg_pool1d(x, 2, ceil_mode=True, count_include_pad=False).transpose(1, 2)
        keep = mask.unsqueeze(1).to(x.dtype)
        x = nn.functional.pad(x * keep, (0, 1))
        keep = nn.functional.pad(keep, (0, 1))
        pairs = nn.functional.avg_pool1d(x, 2) / nn.functional.avg_pool1d(keep, 2).clamp(min=0.5)
        return pairs.transpose(1, 2)


class UnmaskedWindows(Windows):
    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(features, features)


class PaddedMaximum(nn.Module):
    """``MaxPool1d`` pads with minus infinity, so zeros in its window come from the data only."""

    def __init__(self) -> None:
        super().__init__()
        self.frames = nn.Linear(16, 32)
        self.pool = nn.MaxPool1d(3, stride=1, padding=1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        x = self.frames(features).masked_fill((mask == 0).unsqueeze(-1), -1e9)
        return self.pool(x.transpose(1, 2)).transpose(1, 2)


class TwoLeaks(Classifier):
    """Attention without a mask, then a mean without one."""

    def __init__(self) -> None:
        super().__init__(Mean(), Unmasked())

    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(input_ids, torch.ones_like(input_ids))
