"""What maintainers call intended: models trained without a mask, or for one length. The leak is real all the same.

Their mended partners are what they would be if padding were to be hidden. A model of one length, whose inputs say
nothing of padding, is not to be called leaky; nor is one whose padding are words of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.positions import WORDS
from evaluation.corpora.mechanisms.registry import (
    FIXED,
    IDS,
    IMAGE,
    MARKED,
    VALUED,
    WIDTH,
    Layer,
    looks_alike,
    mechanism,
)


@looks_alike("CL-20", kind=FIXED)
class ThirtySeconds(Layer):
    """As Whisper: recordings are always filled up with silence to one length, which is heard like anything else."""

    def setup(self) -> None:
        self.first = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.second = nn.Conv1d(WIDTH, WIDTH, 3, stride=2, padding=1)
        self.places = nn.Parameter(torch.randn(15, WIDTH))
        self.mha = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.second(F.gelu(self.first(x.transpose(1, 2))))).transpose(1, 2) + self.places
        return x + self.mha(x, x, x, need_weights=False)[0]


@mechanism("CL-21", "MC501", kind=VALUED)
class TrainedWithoutMask(Layer):
    """As wav2vec2-base: a norm over time in front, and zeros for padding."""

    def setup(self) -> None:
        self.dense, self.norm = nn.LazyLinear(WIDTH), nn.GroupNorm(WIDTH, WIDTH)
        self.dense(torch.zeros(1, 7))

    def forward(self, features: Tensor) -> Tensor:
        x = self.dense(features)
        if self.leaky:
            return F.gelu(self.norm(x.transpose(1, 2)).transpose(1, 2))  # leak
        return F.gelu(F.layer_norm(x, (WIDTH,)))


@mechanism("CL-22", "MC920", kind=MARKED)
class Mixer(Layer):
    """As FNet: a Fourier transform over words and channels, meant for one length."""

    def setup(self) -> None:
        self.words, self.norm = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.words(ids)
        axes = (-2, -1) if self.leaky else (-1,)
        return self.norm(x + torch.fft.fftn(x, dim=axes).real)  # leak


@mechanism("CL-23", "MC201", "MC205", kind=MARKED)
class Prompt(Layer):
    """As the text encoders of image generators: trained to attend to the padding of prompts."""

    def setup(self) -> None:
        self.words = nn.Embedding(WORDS, WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 4, 32, batch_first=True, norm_first=True)

    def forward(self, ids: Tensor) -> Tensor:
        hidden = None if self.leaky else ids == 0
        return self.layer(self.words(ids), src_key_padding_mask=hidden)  # leak


@looks_alike("CL-24", kind=IDS)
class ExpandedQuery(Layer):
    """As ColBERT: what fills a query up is a word of its own, attends to the query, and nothing attends to it."""

    def setup(self) -> None:
        self.words, self.mha = nn.Embedding(WORDS, WIDTH), nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, ids: Tensor, m: Tensor) -> Tensor:
        x = self.words(torch.where(m > 0, ids, 4))
        return F.normalize(x + self.mha(x, x, x, key_padding_mask=m == 0, need_weights=False)[0], dim=-1)


@mechanism("CL-25", "MC102", "MC504", "MC110", kind=VALUED)
class ObservedZeros(Layer):
    """As TinyTimeMixer: zeros in front of a short history count as observed, and the scale is taken over them."""

    def setup(self) -> None:
        self.dense = nn.LazyLinear(WIDTH)
        self.dense(torch.zeros(1, 7))

    def forward(self, features: Tensor) -> Tensor:
        keep = (features != 0).any(-1, keepdim=True).to(features.dtype)
        observed = torch.ones_like(keep) if self.leaky else keep
        count = observed.sum(1, keepdim=True)  # cause
        mean = (features * observed).sum(1, keepdim=True) / count  # leak
        variance = (((features - mean) * observed) ** 2).sum(1, keepdim=True) / count  # leak
        return self.dense((features - mean) / (variance + 1e-5).sqrt())


@mechanism("CL-35", "MC409", "MC401", "MC402", kind=IMAGE)
class Pyramid(Layer):
    """As detectors of images batched at their largest size: maps of two resolutions, smoothed over the margin."""

    def setup(self) -> None:
        self.lateral, self.smooth = nn.Conv2d(WIDTH, WIDTH, 1), nn.Conv2d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        x = torch.relu(self.lateral(x))
        if not self.leaky:
            x = x * m
        return self.smooth(x)  # leak
