"""Poolings: what becomes of a sequence when it is made one vector."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.registry import (
    CHOSEN,
    EMPTY,
    HOLLOW,
    POOL,
    VALID,
    WIDTH,
    Layer,
    looks_alike,
    mechanism,
)


def mean(x: Tensor, m: Tensor) -> Tensor:
    keep = m.unsqueeze(-1)
    return (x * keep).sum(1) / keep.sum(1).clamp(min=1)


@mechanism("POOL-01", "MC101", kind=POOL)
class Mean(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return x.mean(1)  # leak
        return mean(x, m)


@mechanism("POOL-02", "MC102", kind=POOL)
class SumByLength(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        total = torch.einsum("btd,bt->bd", x, m)
        if self.leaky:
            return total / x.size(1)  # leak
        return total / m.sum(1, keepdim=True).clamp(min=1)


@mechanism("POOL-03", "MC103", kind=POOL)
class Max(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return x.max(dim=1).values  # leak
        return x.masked_fill(m.unsqueeze(-1) == 0, -math.inf).max(dim=1).values


@mechanism("POOL-03", "MC103", kind=POOL)
class AdaptiveMax(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = torch.where(m.unsqueeze(-1) > 0, x, torch.finfo(x.dtype).min)
        return F.adaptive_max_pool1d(x.transpose(1, 2), 1).squeeze(-1)  # leak


@mechanism("POOL-04", "MC104", kind=POOL)
class MaxOfZeros(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return (x * m.unsqueeze(-1)).amax(1)  # leak
        return (x + (m.unsqueeze(-1) - 1) * 1e9).amax(1)


@mechanism("POOL-05", "MC105", kind=POOL)
class Last(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return x[:, -1, :]  # leak
        last = (m * torch.arange(1, x.shape[1] + 1)).argmax(1)
        return x.gather(1, last[:, None, None].expand(-1, 1, x.shape[-1])).squeeze(1)


@mechanism("POOL-06", "MC106", "MC304", kind=POOL, left=True)
class ByCount(Layer):
    """Right for padding behind, wrong for padding in front."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            last = m.sum(1).long() - 1
        else:
            last = (m * torch.arange(1, x.shape[1] + 1)).argmax(1)
        return x[torch.arange(x.shape[0]), last]  # leak


@mechanism("POOL-07", "MC107", "MC702", kind=CHOSEN, expects=VALID)
class LastByIds(Layer):
    """The last id that is not the pad id, whatever the mask says: a text that ends in it is read one step too early."""

    def forward(self, x: Tensor, ids: Tensor, m: Tensor) -> Tensor:
        real = (ids != 0).to(x.dtype) if self.leaky else m  # leak
        last = (real * torch.arange(1, x.shape[1] + 1)).argmax(1)
        return x[torch.arange(x.shape[0]), last]


@mechanism("POOL-08", "MC108", kind=POOL, left=True)
class First(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return x[:, 0]  # leak
        first = m.argmax(1)
        return x[torch.arange(x.shape[0]), first]


@mechanism("POOL-09", "MC110", "MC101", "MC504", kind=POOL)
class Statistics(Layer):
    def setup(self) -> None:
        self.shrink = nn.Linear(2 * WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            both = torch.cat([x.mean(1), x.std(1)], -1)  # leak
        else:
            middle = mean(x, m)
            spread = mean((x - middle[:, None]) ** 2, m)
            both = torch.cat([middle, (spread + 1e-6).sqrt()], -1)
        return self.shrink(both)


@mechanism("POOL-09", "MC109", kind=POOL)
class Attentive(Layer):
    def setup(self) -> None:
        self.hidden, self.score = nn.Linear(WIDTH, 8), nn.Linear(8, 1)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores = self.score(torch.tanh(self.hidden(x))).squeeze(-1)
        if not self.leaky:
            scores = scores.masked_fill(m == 0, -1e9)
        weights = scores.softmax(-1)  # leak
        return (weights[:, None] @ x).squeeze(1)


@mechanism("POOL-10", "MC111", "MC101")
class Squeeze(Layer):
    def setup(self) -> None:
        self.down, self.up = nn.Linear(WIDTH, 6), nn.Linear(6, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            summary = F.adaptive_avg_pool1d(x.transpose(1, 2), 1).squeeze(-1)  # leak
        else:
            summary = mean(x, m)
        return x * self.up(torch.relu(self.down(summary))).sigmoid().unsqueeze(1)


@mechanism("POOL-11", "MC112", kind=POOL)
class Windows(Layer):
    """Windows of two steps, the last of which may hold a pad."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x.masked_fill(m.unsqueeze(-1) == 0, -1e9)
        short = F.max_pool1d(x.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2)  # leak
        keep = F.max_pool1d(m.unsqueeze(1), 2, ceil_mode=True).squeeze(1)
        return mean(short, keep)


@mechanism("POOL-12", kind=HOLLOW, expects=EMPTY)
class DividedByNothing(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        keep = m.unsqueeze(-1)
        count = keep.sum(1) if self.leaky else keep.sum(1).clamp(min=1)
        return (x * keep).sum(1) / count  # leak


@mechanism("POOL-13", "MC112", "MC404", kind=POOL)
class Funnel(Layer):
    """Pairs of steps are averaged, a real one with a pad as well."""

    def setup(self) -> None:
        self.after = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        keep = F.avg_pool1d(m.unsqueeze(1), 2, ceil_mode=True).transpose(1, 2)
        if self.leaky:
            short = F.avg_pool1d(x.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2)  # leak
        else:
            x = x * m.unsqueeze(-1)
            short = F.avg_pool1d(x.transpose(1, 2), 2, ceil_mode=True).transpose(1, 2) / keep.clamp(min=0.5)
        return mean(torch.relu(self.after(short)), (keep.squeeze(-1) > 0).to(x.dtype))


@looks_alike("CL-09", kind=POOL)
class MaskedMax(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return torch.where(m.unsqueeze(-1) > 0, x, -1e4).amax(1)


@looks_alike("CL-10", kind=POOL)
class FirstIsReal(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return torch.tanh(x.select(1, 0))


@looks_alike("CL-32", kind=POOL)
class DirectionOfSum(Layer):
    """Zeroed pads add nothing, and the length of a vector is divided out."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return F.normalize((x * m.unsqueeze(-1)).mean(1), dim=-1)
