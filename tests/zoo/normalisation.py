"""Normalisation whose statistics run over time."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .case import MATES, PADS, ROUND, Case, Input, Output, features, mask
from .export import torch_case


class Extractor(nn.Module):
    """Pointwise features, a norm in (batch, channels, time) order, and a projection."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.project = nn.Conv1d(16, 24, 1)
        self.norm = norm
        self.out = nn.Conv1d(24, 20, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.out(torch.relu(self.norm(self.project(features))))


class MaskedInstanceNorm(nn.Module):
    """Mean and variance over the real steps only."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Conv1d(16, 24, 1)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        x, keep = self.project(features), mask.unsqueeze(1)
        count = keep.sum(2, keepdim=True).clamp(min=1.0)
        mean = (x * keep).sum(2, keepdim=True) / count
        variance = ((x - mean) ** 2 * keep).sum(2, keepdim=True) / count
        return (x - mean) / (variance + 1e-5).sqrt()


class BatchStatistics(nn.Module):
    """Batch normalisation left in training mode: statistics of this batch, pads and mates included."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.randn(24))

    def forward(self, x: Tensor) -> Tensor:
        mean = x.mean((0, 2), keepdim=True)
        variance = ((x - mean) ** 2).mean((0, 2), keepdim=True)
        return (x - mean) / (variance + 1e-5).sqrt() * self.scale[:, None]


class WindowStandardised(nn.Module):
    """Standardises each series over the whole window before the model sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(6, 12, batch_first=True)

    def forward(self, past_values: Tensor) -> Tensor:
        mean = past_values.mean(1, keepdim=True)
        scale = (past_values - mean).pow(2).mean(1, keepdim=True).add(1e-5).sqrt()
        return self.rnn((past_values - mean) / scale)[0]


class CepstralMean(nn.Module):
    """Subtracts the utterance mean of the features, pads counted."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 20)

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.project(features - features.mean(1, keepdim=True)))


class TimeLayerNorm(nn.Module):
    """Layer norm over time and width together, at a fixed length."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm([20, 16])

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(features)


class TokenLayerNorm(nn.Module):
    """Layer norm over the width alone: every step by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 24)
        self.norm = nn.LayerNorm(24)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.project(features))


class TensorScale(nn.Module):
    """Divides by the largest value of the whole batch."""

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(3 * features / features.abs().max())


def norm(name: str, module: Callable[[], nn.Module], spec: tuple[Input, ...], axes: str, **more: object) -> Case:
    return torch_case(name, module, spec, (Output("output", axes),), **more)  # type: ignore[arg-type]


def extractor(name: str, layer: Callable[[], nn.Module], **more: object) -> Case:
    return norm(name, lambda: Extractor(layer()), (features(axes="BDT"),), "BDT", **more)


def trained_batch_norm() -> nn.Module:
    """Batch normalisation with running statistics other than its initial zeros and ones."""
    layer = nn.BatchNorm1d(24)
    layer.running_mean = 0.5 * torch.randn(24)
    layer.running_var = torch.rand(24) + 0.5
    return layer


CASES: tuple[Case, ...] = (
    extractor(
        "norm_group",
        lambda: nn.GroupNorm(4, 24),
        mechanism="NORM-01",
        leaky=PADS,
        clean=MATES,
        origin="InstanceNormalization",
    ),
    extractor(
        "norm_instance",
        lambda: nn.InstanceNorm1d(24),
        mechanism="NORM-01",
        leaky=PADS,
        clean=MATES,
        origin="InstanceNormalization",
    ),
    extractor("norm_batch_eval", trained_batch_norm, mechanism="CL-11", clean=ROUND),
    extractor("norm_batch_training", BatchStatistics, mechanism="NORM-02", leaky=PADS | MATES, origin="ReduceMean"),
    norm(
        "norm_masked_instance",
        MaskedInstanceNorm,
        (features(axes="BDT"), mask(dtype="float32")),
        "BDT",
        mechanism="CL-09",
        clean=ROUND,
    ),
    norm(
        "norm_window",
        WindowStandardised,
        (features("past_values", D=6),),
        "BTD",
        mechanism="NORM-04",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
    ),
    norm(
        "norm_cepstral_mean",
        CepstralMean,
        (features(),),
        "BTD",
        mechanism="NORM-07",
        leaky=PADS,
        clean=MATES,
        origin="ReduceMean",
    ),
    norm(
        "norm_over_time",
        TimeLayerNorm,
        (features(),),
        "BTD",
        mechanism="NORM-03",
        fixed={"T": 20},
        leaky=frozenset({"content"}),
        clean=MATES,
        origin="LayerNormalization",
    ),
    norm("norm_layer", TokenLayerNorm, (features(),), "BTD", clean=ROUND),
    norm(
        "norm_tensor_scale",
        TensorScale,
        (features(),),
        "BTD",
        mechanism="ATT-25",
        leaky=MATES | {"content"},
        clean=frozenset({"length", "side"}),
        contract_note="zero pads never hold the largest value",
        origin="ReduceMax",
    ),
)
