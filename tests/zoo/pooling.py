"""Sequence to vector: means, maxima, chosen positions, attention and statistics, with and without the mask."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from .attention import SelfAttention, TextEncoder, Unmasked
from .case import Case, Input, Output, features, lengths, mask, tokens
from .export import torch_case

ROUND = frozenset({"length", "content", "mates", "side"})
PADS = frozenset({"length", "content", "side"})
MATES = frozenset({"mates"})
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
    """Frames and their number: the mask is made inside the graph. ``relative`` lengths are shares of the padded length."""

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


def pooled(name: str, pool: Callable[[], nn.Module], width: int = 32, **more: object) -> Case:
    """A classifier over ids and mask with that pooling."""
    make = partial(lambda: Classifier(pool(), width=width))
    return torch_case(name, make, (tokens(), mask()), LOGITS, **more)  # type: ignore[arg-type]


def framed(name: str, module: Callable[[], nn.Module], spec: tuple[Input, ...], axes: str, **more: object) -> Case:
    outputs = (Output("output", axes, more.pop("extent", int)),)  # type: ignore[arg-type]
    return torch_case(name, module, spec, outputs, **more)  # type: ignore[arg-type]


def half(count: int) -> int:
    return (count + 1) // 2


FRAMES = (features(),)
MASKED_FRAMES = (features(), mask(dtype="float32"))
CHANNELS = (features(axes="BDT"),)

CASES: tuple[Case, ...] = (
    pooled("pool_mean", Mean, mechanism="POOL-01", leaky=PADS, clean=MATES, origin="ReduceMean"),
    pooled("pool_masked_mean", MaskedMean, mechanism="CL-09", clean=ROUND | {"empty"}),
    pooled("pool_unguarded_mean", UnguardedMean, mechanism="POOL-12", clean=ROUND | {"empty"},
           contract_note="a row without valid positions is NaN, and no other row is"),
    pooled("pool_sum_over_length", MaskedSumOverLength, mechanism="POOL-02", leaky=frozenset({"length", "side"}),
           clean=frozenset({"content", "mates"}), origin="Div"),
    pooled("pool_maximum", Maximum, mechanism="POOL-03", leaky=PADS, clean=MATES, origin="ReduceMax"),
    pooled("pool_maximum_zero_filled", ZeroFilledMaximum, mechanism="POOL-04", leaky=frozenset({"length", "side"}),
           clean=frozenset({"content", "mates"}), origin="ReduceMax"),
    pooled("pool_masked_maximum", MaskedMaximum, mechanism="CL-09", clean=ROUND | {"empty"}),
    pooled("pool_last", Last, mechanism="POOL-05", leaky=frozenset({"length", "content"}),
           clean=frozenset({"mates", "side"}), origin="Gather", contract_note="right under left padding (CL-30)"),
    pooled("pool_last_by_count", LastValidByCount, mechanism="POOL-06", leaky=frozenset({"side"}),
           clean=ROUND - {"side"}),
    pooled("pool_last_by_position", LastValidByPosition, mechanism="CL-30", clean=ROUND),
    pooled("pool_first", First, mechanism="POOL-08", leaky=frozenset({"side"}), clean=ROUND - {"side"},
           contract_note="right under right padding (CL-10)"),
    pooled("pool_attention", partial(AttentionPooling, False), mechanism="POOL-09", leaky=PADS, clean=MATES,
           origin="Softmax"),
    pooled("pool_masked_attention", partial(AttentionPooling, True), mechanism="CL-09", clean=ROUND),
    pooled("pool_statistics", partial(StatisticsPooling, False), 64, mechanism="POOL-09", leaky=PADS, clean=MATES,
           origin="ReduceSum"),
    pooled("pool_masked_statistics", partial(StatisticsPooling, True), 64, mechanism="CL-09", clean=ROUND),
    pooled("pool_cosine_sum", CosineSum, mechanism="CL-32", clean=ROUND),
    torch_case("pool_two_leaks", TwoLeaks, (tokens(),), LOGITS, mechanism="ATT-01", leaky=PADS, clean=MATES,
               origin="Softmax", contract_note="two origins: the attention, and POOL-01 behind it"),
    torch_case("pool_by_pad_id", IdClassifier, (tokens(reads_padding=True),), LOGITS, mechanism="POOL-07",
               leaky=frozenset({"side"}), clean=frozenset({"length", "mates"}),
               contract_note="the pooled position is read off the ids; sound as long as no real token has the pad id"),
    framed("pool_frames_mean", lambda: FeaturePooler(Mean()), FRAMES, "BC", mechanism="POOL-01", leaky=PADS,
           clean=MATES, origin="ReduceMean", contract_note="no mask in the graph"),
    framed("pool_frames_maximum", lambda: FeaturePooler(Maximum()), FRAMES, "BC", mechanism="POOL-03",
           leaky=frozenset({"content"}), clean=ROUND - {"content"}, origin="ReduceMax",
           contract_note="no mask in the graph; a zero frame never is the largest"),
    framed("pool_lengths", lambda: LengthPooler(False), (features(), lengths()), "BC", clean=ROUND - {"side"},
           leaky=frozenset({"side"})),
    framed("pool_lengths_int32", lambda: LengthPooler(False), (features(), lengths("x_lens", dtype="int32")), "BC",
           clean=ROUND - {"side"}, leaky=frozenset({"side"})),
    framed("pool_lengths_relative", lambda: LengthPooler(True),
           (features(), lengths("wav_lens", dtype="float32", relative=True)), "BC",
           clean=ROUND - {"side"}, leaky=frozenset({"side"}),
           contract_note="lengths are shares of the padded length"),
    framed("pool_squeeze_excitation", UnmaskedSqueeze, CHANNELS, "BCT", mechanism="POOL-10", leaky=PADS, clean=MATES,
           origin="ReduceMean"),
    framed("pool_masked_squeeze_excitation", lambda: SqueezeExcitation(True), (*CHANNELS, mask(dtype="float32")), "BCT",
           mechanism="CL-09", clean=ROUND),
    framed("pool_windows", UnmaskedWindows, FRAMES, "BTD", mechanism="POOL-11", extent=half, leaky=PADS, clean=MATES,
           contract_note="only odd lengths show it"),
    framed("pool_masked_windows", lambda: Windows(True), MASKED_FRAMES, "BTD", mechanism="CL-09", extent=half,
           clean=ROUND - {"side"}, contract_note="under left padding odd and even shifts pair other frames"),
    framed("pool_padded_maximum", PaddedMaximum, MASKED_FRAMES, "BTD", mechanism="CL-31", clean=ROUND),
)
