"""Statistics that are taken over time, over rows, or over blocks, and scales derived from them."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.registry import WIDTH, Layer, looks_alike, mechanism


def moments(x: Tensor, m: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of each channel over the real steps: (batch, 1, width)."""
    keep = m.unsqueeze(-1)
    count = keep.sum(1, keepdim=True).clamp(min=1)
    mean = (x * keep).sum(1, keepdim=True) / count
    return mean, (((x - mean) * keep) ** 2).sum(1, keepdim=True) / count


@mechanism("NORM-01", "MC501")
class Groups(Layer):
    def setup(self) -> None:
        self.norm = nn.GroupNorm(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)  # leak
        mean, variance = moments(x, m)
        return (x - mean) / (variance + 1e-5).sqrt() * self.norm.weight + self.norm.bias


@mechanism("NORM-01", "MC501", "MC504")
class Instances(Layer):
    def setup(self) -> None:
        self.norm = nn.InstanceNorm1d(WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)  # leak
        mean, variance = moments(x, m)
        return (x - mean) * torch.rsqrt(variance + 1e-5)


@mechanism("NORM-02", "MC503", "MC922")
class BatchStatistics(Layer):
    """Batch normalisation that goes on measuring when it should remember."""

    def setup(self) -> None:
        self.norm = nn.BatchNorm1d(WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = x.transpose(1, 2)
        if self.leaky:
            return F.batch_norm(x, None, None, training=True).transpose(1, 2)  # leak
        return self.norm(x).transpose(1, 2)


@mechanism("NORM-03", "MC502", "MC504")
class OverEverything(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            mean, variance = x.mean((1, 2), keepdim=True), x.var((1, 2), keepdim=True)  # leak
            return (x - mean) / (variance + 1e-5).sqrt()
        return F.layer_norm(x, x.shape[2:])


@mechanism("NORM-04", "MC504", "MC110")
class Reversible(Layer):
    """Instance statistics are taken out in front of a layer and put back behind it."""

    def setup(self) -> None:
        self.inner = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            mean, std = x.mean(1, keepdim=True), x.std(1, keepdim=True, correction=0)  # leak
        else:
            mean, variance = moments(x, m)
            std = (variance + 1e-8).sqrt()
        return torch.tanh(self.inner((x - mean) / (std + 1e-5))) * std + mean


@mechanism("NORM-07", "MC504", "MC110")
class MeanVariance(Layer):
    """Cepstral mean and variance normalisation of an utterance."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            mean, variance = moments(x, m)
            return (x - mean) / (variance + 1e-6).sqrt()
        mean = x.mean(dim=1, keepdim=True)  # leak
        return (x - mean) / (x.var(dim=1, keepdim=True) + 1e-6).sqrt()


@mechanism("QNT-01", "MC801")
class DynamicScale(Layer):
    """Eight bits with one scale for the whole tensor, as dynamic quantisation chooses it."""

    def setup(self) -> None:
        self.dense = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            scale = x.abs().amax((0, 1, 2)) / 127  # leak
        else:
            scale = x.abs().amax(-1, keepdim=True) / 127
        return self.dense((x / scale).round().clamp(-127, 127) * scale)


@mechanism("QNT-02", "MC802", "MC801")
class BlockScale(Layer):
    """One scale for four steps."""

    def setup(self) -> None:
        self.dense = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        short = -x.shape[1] % 4
        blocks = F.pad(x, (0, 0, 0, short)).unflatten(1, (-1, 4))
        scale = blocks.abs().amax((2, 3), keepdim=True).clamp(min=1e-6) / 127  # leak
        rounded = (blocks / scale).round() * scale
        return self.dense(rounded.flatten(1, 2)[:, : x.shape[1]])


@looks_alike("CL-11")
class RunningStatistics(Layer):
    def setup(self) -> None:
        self.norm = nn.BatchNorm1d(WIDTH)
        nn.init.normal_(self.norm.running_mean)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.norm(x.transpose(1, 2)).transpose(1, 2)


@looks_alike("CL-13")
class PerStep(Layer):
    """Only rounding changes with the number of steps."""

    def setup(self) -> None:
        self.norm, self.wide = nn.RMSNorm(WIDTH), nn.Linear(WIDTH, 8 * WIDTH)
        self.back = nn.Linear(8 * WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.back(F.gelu(self.wide(self.norm(x))))
