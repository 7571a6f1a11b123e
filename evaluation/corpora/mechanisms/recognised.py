"""Padding that a model tells by its value: by an id that words may have, by frames that were scaled before."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from evaluation.corpora.mechanisms.positions import WORDS
from evaluation.corpora.mechanisms.registry import FRAMES, IDS, MARKED, VALID, VALUED, WIDTH, Layer, mechanism


class Attending(Layer):
    """Ids to words that have attended to each other under a mask, and zeros elsewhere."""

    def setup(self) -> None:
        self.words, self.dense = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH)

    def attend(self, x: Tensor, keep: Tensor) -> Tensor:
        scores = self.dense(x) @ x.transpose(1, 2) / WIDTH**0.5
        return (x + scores.masked_fill(~keep[:, None, :], -1e9).softmax(-1) @ x) * keep.unsqueeze(-1)


@mechanism("EMB-02", "MC702", kind=IDS, expects=VALID)
class ZeroIsAWord(Attending):
    """Id 0 is a word as well, and every one of it is hidden."""

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        keep = ids != 0 if self.leaky else m > 0  # leak
        return self.attend(self.words(ids), keep)


@mechanism("EMB-03", "MC702", kind=IDS, expects=VALID)
class PaddedWithEnd(Attending):
    """The end of a text is also what it is padded with; the mask that is made of the ids hides it."""

    pad = 2

    def setup(self) -> None:
        super().setup()
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        real = ids.ne(self.pad) if self.leaky else m > 0  # leak
        return self.rnn(self.attend(self.words(ids), real))[0]


@mechanism("EMB-02", "MC706", kind=FRAMES, expects=VALID)
class SilenceIsReal(Layer):
    """Frames of zeros are hidden, and silence is a frame of zeros."""

    def setup(self) -> None:
        self.dense, self.key = nn.LazyLinear(WIDTH, bias=False), nn.Linear(WIDTH, WIDTH)
        self.dense(torch.zeros(1, 7))

    def forward(self, features: Tensor, m: Tensor) -> Tensor:
        x = torch.cos(self.dense(features))
        if self.leaky:
            keep = (features != 0).any(-1)  # leak
        else:
            keep = m > 0
        scores = self.key(x) @ x.transpose(1, 2) / WIDTH**0.5
        return (x + scores.masked_fill(~keep[:, None, :], -1e9).softmax(-1) @ x) * keep.unsqueeze(-1)


@mechanism("EMB-06", "MC705", "MC210", kind=MARKED)
class LengthFromIds(Attending):
    """The number of words is counted, and they are taken to stand at the end of the row, as in CPM-Ant."""

    def forward(self, ids: Tensor) -> Tensor:
        real = ids != 0
        if self.leaky:
            count = real.sum(1, keepdim=True)
            real = torch.arange(ids.shape[1])[None] >= ids.shape[1] - count  # leak
        x = self.words(ids)
        scores = self.dense(x) @ x.transpose(1, 2) / WIDTH**0.5
        weights = scores.masked_fill(~real[:, None, :], -1e9).softmax(-1)
        return x + weights @ x


@mechanism("NORM-06", "MC706", "MC201", kind=VALUED)
class ScaledAway(Layer):
    """Frames are standardised, and compared with zero afterwards, when pads are no longer zero; or before."""

    def setup(self) -> None:
        self.dense, self.key = nn.LazyLinear(WIDTH), nn.Linear(WIDTH, WIDTH)
        self.register_buffer("mean", torch.tensor(0.4))
        self.register_buffer("deviation", torch.tensor(1.3))
        self.dense(torch.zeros(1, 7))

    def forward(self, features: Tensor) -> Tensor:
        scaled = (features - self.mean) / self.deviation
        if self.leaky:
            real = (scaled != 0).any(-1)  # cause
        else:
            real = (features != 0).any(-1)
        x = torch.relu(self.dense(scaled))
        scores = self.key(x) @ x.transpose(1, 2) / WIDTH**0.5
        weights = scores.masked_fill(~real[:, None, :], -1e9).softmax(-1)  # leak
        return x + weights @ x
