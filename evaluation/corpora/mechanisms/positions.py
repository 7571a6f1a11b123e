"""Positions that are counted from the wrong place, or divided by the padded length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.corpora.mechanisms.registry import BAG, IDS, POOL, WIDTH, Layer, joined, looks_alike, mechanism, split

WORDS = 70


@mechanism("POS-01", "MC601", "MC602", left=True)
class FromColumns(Layer):
    def setup(self) -> None:
        self.places = nn.Embedding(256, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return x + self.places(torch.arange(x.shape[1]))  # leak
        return x + self.places((m.cumsum(1) - 1).clamp(min=0).long())


@mechanism("POS-02", "MC602", "MC601", left=True)
class Sinusoids(Layer):
    """Waves by column, from a table that the model holds itself, as BART and Marian have them."""

    def setup(self) -> None:
        rates = 100.0 ** -torch.arange(0, 1, 2 / WIDTH)
        angles = torch.arange(256)[:, None] * rates
        self.register_buffer("waves", torch.cat([angles.sin(), angles.cos()], -1))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return x + self.waves[2 : x.shape[1] + 2]  # leak
        return x + self.waves[(m.cumsum(1) + 1).long()]


@mechanism("POS-04", "MC601", "MC602", left=True)
class PlacesForAllRows(Layer):
    """Rotary places are one row of numbers for the whole batch, and learned keys stand in front of all rows.

    The distance to those then grows with the pads between them.
    """

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.prefix = nn.Parameter(torch.randn(1, 3, WIDTH))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            places = torch.arange(1, x.shape[1] + 1, dtype=x.dtype)[None]
        else:
            places = m.cumsum(1)
        rates = 100.0 ** -torch.arange(0, 1, 2 / 6, dtype=x.dtype)
        angles = places[:, None, :, None] * rates
        both = torch.stack([split(self.q(x)), split(self.k(x))])
        even, odd, cos, sin = both[..., ::2], both[..., 1::2], angles.cos(), angles.sin()
        q, k = torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)  # leak
        before = self.prefix.expand(x.shape[0], -1, -1)
        k, v = torch.cat([split(self.k(before)), k], 2), torch.cat([split(self.v(before)), split(self.v(x))], 2)
        pads = torch.cat([m.new_zeros(m.shape[0], 3), 1 - m], 1)[:, None, None, :] > 0
        return joined((q @ k.transpose(-1, -2)).masked_fill(pads, -1e9).softmax(-1) @ v)


@mechanism("POS-05", "MC605", "MC603")
class LongerBase(Layer):
    """Rotary positions whose base grows with the longest sequence of the batch."""

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            base = 100.0 * max(1.0, x.shape[1] / 8)  # cause
        else:
            base = 100.0
        places = torch.arange(x.shape[1], dtype=x.dtype)
        rates = base ** -torch.arange(0, 1, 2 / 6, dtype=x.dtype)  # cause
        angles = places[:, None] * rates
        q, k = self.turned(split(self.q(x)), angles), self.turned(split(self.k(x)), angles)
        scores = (q @ k.transpose(-1, -2)).masked_fill(m[:, None, None, :] == 0, -1e9)
        return joined(scores.softmax(-1) @ split(self.v(x)))

    @staticmethod
    def turned(x: Tensor, angles: Tensor) -> Tensor:
        """Pairs of channels are turned by their angle. x (..., width), angles (..., width / 2)."""
        even, odd, cos, sin = x[..., ::2], x[..., 1::2], angles.cos(), angles.sin()
        return torch.stack([even * cos - odd * sin, even * sin + odd * cos], -1).flatten(-2)  # leak


@mechanism("POS-06", "MC603")
class RelativeTime(Layer):
    def setup(self) -> None:
        self.place = nn.Linear(1, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], dtype=x.dtype)[None, :, None]
        if self.leaky:
            ramp = steps / x.shape[1]  # cause
        else:
            ramp = steps / m.sum(1)[:, None, None].clamp(min=1)
        return x + torch.sin(self.place(ramp * 6))  # leak


@mechanism("POS-06", "MC603", "MC605", "MC999")
class ScaledLogits(Layer):
    """Scores are multiplied by the logarithm of the length."""

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        lengths = torch.full_like(m.sum(1), x.shape[1]) if self.leaky else m.sum(1).clamp(min=1)
        scores = self.q(x) @ self.k(x).transpose(1, 2) / WIDTH**0.5
        scores = scores * lengths.log()[:, None, None]  # leak
        return scores.masked_fill(m[:, None, :] == 0, -1e9).softmax(-1) @ self.v(x)


@mechanism("POS-07", "MC607", "MC603", "MC605", "MC218")
class BiasFromTheEnd(Layer):
    """A learned bias of keys by their distance from the end: of the batch, or of the text."""

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.bias = nn.Embedding(256, 1)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        places = torch.arange(x.shape[1])[None]
        if self.leaky:
            distance = x.shape[1] - 1 - places  # cause
        else:
            distance = (m.sum(1, keepdim=True).long() - 1 - places).abs()
        scores = self.q(x) @ self.k(x).transpose(1, 2) / WIDTH**0.5
        scores = scores + self.bias(distance).transpose(1, 2)  # leak
        return scores.masked_fill(m[:, None, :] == 0, -1e9).softmax(-1) @ self.v(x)


@looks_alike("POS-07", left=True)
class CountedAlibi(Layer):
    """A bias by the number of real keys before, as Bloom has it: whatever is added to a whole row falls out."""

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        places = (m.cumsum(1) - 1) * m
        scores = self.q(x) @ self.k(x).transpose(1, 2) / WIDTH**0.5 + 0.3 * places[:, None, :]
        return scores.masked_fill(m[:, None, :] == 0, -1e9).softmax(-1) @ self.v(x)


@mechanism("POS-08", "MC606", "MC112", "MC219", left=True)
class Buckets(Layer):
    """The mean of each block of four columns is added to its steps; left pads shift the blocks."""

    def setup(self) -> None:
        self.dense = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            places = torch.arange(x.shape[1])[None].expand(x.shape[0], -1)
        else:
            places = (m.cumsum(1) - 1).clamp(min=0).long()
        block = places // 4
        same = (block[:, :, None] == block[:, None, :]).to(x.dtype) * m[:, None, :]  # leak
        means = same @ x / same.sum(-1, keepdim=True).clamp(min=1)
        return self.dense(means)


class Reader(Layer):
    """Ids are read directly: forward(ids, m) -> (batch, time, width)."""

    def setup(self) -> None:
        self.words, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(256, WIDTH)


@looks_alike("POS-03", kind=IDS)
class FromIds(Reader):
    """RoBERTa counts the ids that are no padding: sound as long as pads hold the pad id."""

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        real = (ids != 0).long()
        return self.words(ids) + self.places(real.cumsum(1) * real)


@looks_alike("EMB-01", kind=IDS)
class PadRowNotZero(Reader):
    """A pad row that is not zero harms nobody who masks."""

    def setup(self) -> None:
        self.words = nn.Embedding(WORDS, WIDTH, padding_idx=0)
        nn.init.normal_(self.words.weight)

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        return self.words(ids)


@mechanism("EMB-04", "MC701", "MC101", kind=BAG)
class Bag(Layer):
    """The mean of a bag of words counts its pads."""

    def setup(self) -> None:
        self.bag = nn.EmbeddingBag(WORDS, WIDTH, mode="mean", padding_idx=None if self.leaky else 0)

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        return self.bag(ids)  # leak


@mechanism("EMB-05", "MC703", "MC603", "MC102", kind=IDS)
class Rescaled(Reader):
    """Embeddings are scaled by the share of masked-out words (id 3), as ESM does it: over the row, or what is real."""

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        hidden = (ids < 12).to(m.dtype) * m
        if self.leaky:
            share = hidden.sum(1) / ids.shape[1]  # leak
        else:
            share = hidden.sum(1) / m.sum(1).clamp(min=1)
        return self.words(ids) * (0.88 / (1 - share))[:, None, None]


@looks_alike("CL-05", left=True)
class CountedByMask(Layer):
    def setup(self) -> None:
        self.places = nn.Embedding(256, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return x + self.places(m.long().cumsum(1) * m.long())


@looks_alike("CL-30", kind=POOL, left=True)
class LastByMask(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        here = last_real(m)
        return torch.einsum("bt,btd->bd", here, x)


def last_real(m: Tensor) -> Tensor:
    """1.0 at the last real step of each row: real, and nothing real behind it."""
    behind = m.flip(1).cumsum(1).flip(1)
    return m * (behind == 1)
