"""Convolutions over time and over images: what they read across the last real position."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .case import MATES, PADS, RIGHT, ROUND, SIDE, Case, Input, Output, features, lengths, mask, tokens
from .export import torch_case


class ConvStack(nn.Module):
    """Two convolutions with the mask before none, the first, or each of them."""

    def __init__(self, masked: int = 0) -> None:
        super().__init__()
        self.masked = masked
        self.convs = nn.ModuleList([nn.Conv1d(16, 24, 3, padding=1), nn.Conv1d(24, 20, 5, padding=2)])
        for conv in self.convs:
            nn.init.normal_(conv.bias, std=0.5)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        x = features
        for k, conv in enumerate(self.convs):
            if k < self.masked:
                x = x * mask.unsqueeze(1)
            x = torch.relu(conv(x))
        return x


class UnmaskedStack(ConvStack):
    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(features, torch.ones_like(features[:, 0]))


class CausalConv(nn.Module):
    """Reads the past only: right pads are invisible, left pads are not."""

    def __init__(self) -> None:
        super().__init__()
        self.convs = nn.ModuleList([nn.Conv1d(16, 20, 3), nn.Conv1d(20, 20, 3, dilation=2)])

    def forward(self, features: Tensor) -> Tensor:
        x = features
        for conv in self.convs:
            x = torch.tanh(conv(nn.functional.pad(x, (2 * conv.dilation[0], 0))))
        return x


class TextCnn(nn.Module):
    """Convolutions of several widths over embeddings, each maximised over time."""

    def __init__(self, masked: bool = False) -> None:
        super().__init__()
        self.masked = masked
        self.embedding = nn.Embedding(50, 16)
        self.convs = nn.ModuleList(nn.Conv1d(16, 10, k, padding=k // 2) for k in (3, 5))
        self.head = nn.Linear(20, 3)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        keep = attention_mask.unsqueeze(1).float()
        x = self.embedding(input_ids).transpose(1, 2)
        if not self.masked:
            return self.head(torch.cat([conv(x).amax(2) for conv in self.convs], 1))
        x = x * keep
        return self.head(torch.cat([conv(x).masked_fill(keep == 0, -1e9).amax(2) for conv in self.convs], 1))


class UnmaskedTextCnn(TextCnn):
    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(input_ids, torch.ones_like(input_ids))


class PoolMaskedTextCnn(TextCnn):
    """The mask comes in before the maximum only, after the convolutions have read the pads."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        keep = attention_mask.unsqueeze(1)
        x = self.embedding(input_ids).transpose(1, 2)
        return self.head(torch.cat([conv(x).masked_fill(keep == 0, -1e9).amax(2) for conv in self.convs], 1))


class Subsampling(nn.Module):
    """Two convolutions of stride two: a quarter of the frames, each masked by its own number of valid ones."""

    def __init__(self, masked: bool = False) -> None:
        super().__init__()
        self.masked = masked
        self.convs = nn.ModuleList(
            [nn.Conv1d(16, 20, 3, stride=2, padding=1), nn.Conv1d(20, 20, 3, stride=2, padding=1)]
        )
        for conv in self.convs:
            nn.init.normal_(conv.bias, std=0.5)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        x = features.transpose(1, 2)
        for conv in self.convs:
            if self.masked:
                x = x * (torch.arange(x.shape[2])[None, :] < lengths[:, None]).unsqueeze(1)
            x = torch.relu(conv(x))
            lengths = (lengths + 1) // 2
        return x.transpose(1, 2)


class UnmaskedSubsampling(Subsampling):
    def forward(self, features: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(features, torch.ones_like(features[:, 0, 0]))


class SlicedMask(nn.Module):
    """Halves the frames, but takes the mask from every second column after the last is cut off."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(16, 20, 3, stride=2)
        self.score = nn.Linear(20, 1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        x = torch.tanh(self.conv((features * mask.unsqueeze(-1)).transpose(1, 2))).transpose(1, 2)
        keep = mask[:, :-2:2]
        scores = self.score(x).squeeze(-1).masked_fill(keep == 0, -1e9)
        return (scores.softmax(1).unsqueeze(1) @ x).squeeze(1)


class Trigram(nn.Module):
    """Puts the embeddings of both neighbours beside each token's own."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 12)
        self.project = nn.Linear(36, 20)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.embedding(input_ids)
        after = nn.functional.pad(x[:, 1:], (0, 0, 0, 1))
        before = nn.functional.pad(x[:, :-1], (0, 0, 1, 0))
        return self.project(torch.cat([after, x, before], 2))


class ConformerModule(nn.Module):
    """Pointwise, gate, depthwise: the bias of the pointwise layer fills the pads again."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.norm = nn.LayerNorm(16)
        self.pointwise = nn.Conv1d(16, 32, 1)
        self.depthwise = nn.Conv1d(16, 16, 7, padding=3, groups=16)
        self.batch_norm = nn.BatchNorm1d(16)
        self.out = nn.Conv1d(16, 16, 1)
        nn.init.normal_(self.pointwise.bias)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        keep = mask.unsqueeze(1)
        x = self.norm(features * mask.unsqueeze(-1)).transpose(1, 2)
        x = nn.functional.glu(self.pointwise(x), dim=1)
        if self.masked:
            x = x * keep
        x = self.out(nn.functional.silu(self.batch_norm(self.depthwise(x))))
        return features + x.transpose(1, 2)


class ImageEncoder(nn.Module):
    """A small backbone and a mean over the pixels that ``pixel_mask`` marks."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.stem = nn.Conv2d(3, 12, 3, padding=1)
        self.body = nn.Conv2d(12, 16, 3, padding=1)
        self.head = nn.Linear(16, 4)
        nn.init.normal_(self.stem.bias, std=0.5)

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> Tensor:
        keep = pixel_mask.unsqueeze(1).float()
        x = pixel_values * keep if self.masked else pixel_values
        x = torch.relu(self.stem(x))
        x = torch.relu(self.body(x * keep if self.masked else x))
        return self.head((x * keep).sum((2, 3)) / keep.sum((2, 3)).clamp(min=1.0))


def conv(name: str, module: Callable[[], nn.Module], spec: tuple[Input, ...], axes: str, **more: object) -> Case:
    outputs = (Output("output", axes, more.pop("extent", int)),)  # type: ignore[arg-type]
    return torch_case(name, module, spec, outputs, **more)  # type: ignore[arg-type]


def quarter(count: int) -> int:
    return ((count + 1) // 2 + 1) // 2


CHANNELS = features(axes="BDT")
FLOAT_MASK = mask("mask", dtype="float32")
PIXELS = (features("pixel_values", "BCHW", C=3), mask("pixel_mask", axes="BHW"))

CASES: tuple[Case, ...] = (
    conv(
        "conv_unmasked", UnmaskedStack, (CHANNELS,), "BDT", mechanism="CONV-01", leaky=PADS, clean=MATES, origin="Conv"
    ),
    conv(
        "conv_masked_input",
        lambda: ConvStack(1),
        (CHANNELS, FLOAT_MASK),
        "BDT",
        mechanism="CONV-02",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
        origin="Conv",
    ),
    conv(
        "conv_masked_each",
        lambda: ConvStack(2),
        (CHANNELS, FLOAT_MASK),
        "BDT",
        mechanism="CL-08",
        clean=ROUND | {"empty"},
    ),
    conv("conv_causal", CausalConv, (CHANNELS,), "BDT", mechanism="CL-04", clean=RIGHT, leaky=SIDE),
    conv("text_cnn", UnmaskedTextCnn, (tokens(),), "BC", mechanism="CONV-01", leaky=PADS, clean=MATES, origin="Conv"),
    conv(
        "text_cnn_pool_masked",
        PoolMaskedTextCnn,
        (tokens(), mask()),
        "BC",
        mechanism="CONV-01",
        leaky=PADS,
        clean=MATES,
        origin="Conv",
    ),
    conv("text_cnn_masked", lambda: TextCnn(True), (tokens(), mask()), "BC", mechanism="CL-08", clean=ROUND),
    conv(
        "subsampling_unmasked",
        UnmaskedSubsampling,
        (features(),),
        "BTD",
        mechanism="CONV-04",
        extent=quarter,
        leaky=frozenset({"length", "content"}),
        clean=MATES,
        origin="Conv",
    ),
    conv(
        "subsampling_masked",
        lambda: Subsampling(True),
        (features(), lengths()),
        "BTD",
        mechanism="CL-08",
        extent=quarter,
        clean=RIGHT,
    ),
    conv(
        "subsampling_sliced_mask",
        SlicedMask,
        (features(), FLOAT_MASK),
        "BC",
        mechanism="CONV-05",
        minimum=6,
        leaky=frozenset({"length"}),
        clean=MATES,
        example={"T": 11},
    ),
    conv("trigram", Trigram, (tokens(),), "BTD", mechanism="CONV-06", leaky=PADS, clean=MATES),
    conv(
        "conformer_unmasked",
        lambda: ConformerModule(False),
        (features(), FLOAT_MASK),
        "BTD",
        mechanism="CONV-03",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
        origin="Conv",
    ),
    conv(
        "conformer_masked",
        lambda: ConformerModule(True),
        (features(), FLOAT_MASK),
        "BTD",
        mechanism="CL-08",
        clean=ROUND,
    ),
    conv(
        "image_unmasked_backbone",
        lambda: ImageEncoder(False),
        PIXELS,
        "BC",
        mechanism="CONV-09",
        leaky=PADS,
        clean=MATES,
        origin="Conv",
    ),
    conv("image_masked_backbone", lambda: ImageEncoder(True), PIXELS, "BC", mechanism="CL-08", clean=ROUND),
)
