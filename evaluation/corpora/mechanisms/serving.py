"""What servers add: rows without their pads, caches that are longer than the text, buffers, rows that fill a batch."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.attention import LOW, Projected
from evaluation.corpora.mechanisms.registry import HEADS, WIDTH, Layer, joined, mechanism, split

SLOTS = 64
"""Steps a cache has room for."""


@mechanism("ATT-22", "MC212", "MC211", exports=False)
class WithoutBounds(Projected):
    """The pads are taken out, and nothing says where one sequence ends and the next one begins."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        steps, real = x.flatten(0, 1), m.flatten().nonzero().squeeze(-1)
        q, k, v = packed(self, steps[real])
        scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH / HEADS)
        if not self.leaky:
            scores = scores.masked_fill(apart(m.sum(1)), LOW)
        weights = scores.softmax(-1)  # leak
        out = self.out((weights @ v).transpose(0, 1).flatten(1))
        return torch.zeros_like(steps).index_put((real,), out).view_as(x)


@mechanism("ATT-22", "MC106", "MC304", "MC201", "MC217", exports=False, left=True)
class TakenFromTheFront(Projected):
    """The real steps are taken to be the first ones of each row, as many as the mask counts; and put back there."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        taken = torch.arange(x.shape[1]) < m.sum(1, keepdim=True) if self.leaky else m > 0
        steps, real = x.flatten(0, 1), taken.flatten().nonzero().squeeze(-1)
        q, k, v = packed(self, steps[real])  # leak
        scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH / HEADS)
        weights = scores.masked_fill(apart(m.sum(1)), LOW).softmax(-1)
        out = self.out((weights @ v).transpose(0, 1).flatten(1))
        return torch.zeros_like(steps).index_put((real,), out).view_as(x)  # leak


def packed(layer: Projected, steps: Tensor) -> tuple[Tensor, ...]:
    """Queries, keys and values (heads, steps, width of a head) of steps in one row."""
    return tuple(f(steps).unflatten(-1, (HEADS, -1)).transpose(0, 1) for f in (layer.q, layer.k, layer.v))


def apart(lengths: Tensor) -> Tensor:
    """Which steps of one row belong to different sequences of these lengths."""
    ends = lengths.long().cumsum(0)
    owner = torch.bucketize(torch.arange(int(ends[-1])), ends, right=True)
    return owner[:, None] != owner


@mechanism("ATT-29", "MC201", "MC205", "MC222")
class EmptySlots(Projected):
    """A cache of fixed size: the mask covers what was written, and the slots behind it are seen."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        room = (0, 0, 0, SLOTS - x.shape[1])
        q, k, v = split(self.q(x)), F.pad(split(self.k(x)), room), F.pad(split(self.v(x)), room)
        if self.leaky:
            seen = F.pad(m, (0, SLOTS - x.shape[1]), value=1.0)  # cause
        else:
            seen = F.pad(m, (0, SLOTS - x.shape[1]))
        scores = q @ k.transpose(-1, -2) / math.sqrt(WIDTH / HEADS)
        weights = scores.masked_fill(seen[:, None, None, :] == 0, LOW).softmax(-1)  # leak
        return self.out(joined(weights @ v))


@mechanism("ATT-29", "MC201", "MC205", "MC217", left=True)
class StepWithoutMask(Projected):
    """All but the last step are read under the mask and kept; the last one sees all that was kept."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        q, k, v = split(self.q(x)), split(self.k(x)), split(self.v(x))
        pads = (m == 0)[:, None, None, :]
        size = math.sqrt(WIDTH / HEADS)
        later = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        first = (q[:, :, :-1] @ k.transpose(-1, -2) / size).masked_fill(pads | later[:-1], LOW).softmax(-1) @ v
        scores = q[:, :, -1:] @ k.transpose(-1, -2) / size
        if not self.leaky:
            scores = scores.masked_fill(pads, LOW)
        weights = scores.softmax(-1)  # leak
        return self.out(joined(torch.cat([first, weights @ v], 2)))


@mechanism("MIX-03", "MC945", "MC212", "MC114", exports=False)
class OldRows(Layer):
    """Steps are written into a buffer that is kept, and the whole of it is read: what longer calls left there, too."""

    def setup(self) -> None:
        self.register_buffer("held", torch.zeros(SLOTS, SLOTS, WIDTH))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        rows, steps = x.shape[:2]
        self.held[:rows, :steps] = x * m.unsqueeze(-1)
        if self.leaky:
            total = self.held[:rows].sum(1, keepdim=True)  # leak
        else:
            total = self.held[:rows, :steps].sum(1, keepdim=True)
        return x + torch.tanh(total * 0.1)


@mechanism("MIX-08", "MC801", "MC922", "MC212", "MC902")
class FilledBatch(Layer):
    """Batches are filled up to four rows; one scale of eight bits is chosen for all, or one for each real step."""

    def setup(self) -> None:
        self.dense, self.dummy = nn.Linear(WIDTH, WIDTH), nn.Parameter(torch.randn(WIDTH) * 3)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        short = -x.shape[0] % 4
        filled = torch.cat([x * m.unsqueeze(-1), self.dummy.expand(short, x.shape[1], -1)])
        if self.leaky:
            scale = filled.abs().amax((0, 1, 2)) / 127  # leak
        else:
            scale = filled.abs().amax(-1, keepdim=True).clamp(min=1e-6) / 127
        rounded = (filled / scale).round().clamp(-127, 127) * scale
        return self.dense(rounded)[: x.shape[0]]
