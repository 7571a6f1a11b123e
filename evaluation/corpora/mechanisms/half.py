"""Masks in half precision, whose largest number is 65504."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from evaluation.corpora.mechanisms.registry import UNFIT, WIDTH, Layer, mechanism

LOW = -1e9


class Single(Layer):
    """Attention of one head."""

    def setup(self) -> None:
        self.q, self.k, self.v = (nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def scores(self, x: Tensor) -> Tensor:
        return self.q(x) @ self.k(x).transpose(1, 2) / math.sqrt(WIDTH)


@mechanism("ATT-18", "MC221", expects=UNFIT, half=("half", "half onnx"))
class TimesInfinity(Single):
    """The fill becomes minus infinity in a graph of half precision, and zero times infinity stands at words."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores = self.scores(x)
        if self.leaky:
            weights = (scores + ((1 - m) * LOW)[:, None, :]).softmax(-1)  # leak
        else:
            weights = scores.masked_fill(m[:, None, :] == 0, torch.finfo(x.dtype).min).softmax(-1)
        return weights @ self.v(x)


@mechanism("ATT-18", "MC221", "MC213", exports=False, half=("half",))
class OnlyWherePadded(Single):
    """The same in a module that masks only where there is something to mask."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores = self.scores(x)
        if bool((m == 0).any()):
            low = torch.tensor(LOW if self.leaky else -1e4, dtype=x.dtype)
            scores = scores + ((1 - m) * low)[:, None, :]  # leak
        return scores.softmax(-1) @ self.v(x)


@mechanism("QNT-04", "MC221", half=("converted",))
class Converted(Single):
    """A converter that cuts constants off at the largest number there is keeps a mask a mask."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        scores = self.scores(x)
        if self.leaky:
            scores = scores + ((1 - m) * LOW)[:, None, :]  # leak
        else:
            scores = scores.masked_fill(m[:, None, :] == 0, LOW)
        return scores.softmax(-1) @ self.v(x)
