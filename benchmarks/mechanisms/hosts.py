"""The two architectures around a layer: one reads words with a mask, the other frames with lengths."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from benchmarks.mechanisms.positions import WORDS
from benchmarks.mechanisms.registry import IDS, POOL, STEPS, WIDTH, Layer

CLASSES, FEATURES = 5, 7


class Words(nn.Module):
    """A tagger of words, its mask computed from the ids: embedding, the layer beside a residual, a head."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH)
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor) -> Tensor:
        mask = (input_ids != 0).to(self.head.weight.dtype)
        x = self.embed(input_ids)
        return self.head(torch.tanh(self.norm(x + self.layer(x, mask))))


class Frames(nn.Module):
    """A classifier of frames with lengths: a masked convolution, the layer, a masked mean, a head."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.start, self.conv = nn.Linear(FEATURES, WIDTH), nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.layer, self.norm, self.head = layer, nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        mask = (torch.arange(features.shape[1]) < lengths[:, None]).to(features.dtype)
        keep = mask.unsqueeze(-1)
        x = torch.relu(self.conv((self.start(features) * keep).transpose(1, 2)).transpose(1, 2))
        x = self.norm(self.layer(x, mask)) * keep
        return self.head(x.sum(1) / keep.sum(1).clamp(min=1))


class PooledWords(nn.Module):
    """A classifier of words: a sound attention, the pooling, two dense layers."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.mha = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.layer = layer
        self.head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.GELU(), nn.Linear(WIDTH, CLASSES))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids)
        x = x + self.mha(x, x, x, key_padding_mask=attention_mask == 0, need_weights=False)[0]
        return self.head(self.layer(x, attention_mask.to(x.dtype)))


class PooledFrames(nn.Module):
    """A classifier of frames: dense layers that keep to their step, the pooling, a head."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.start = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH))
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layer(self.start(features), mask.to(features.dtype))))


class ReadWords(nn.Module):
    """A tagger whose layer reads the ids itself."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layer(input_ids, attention_mask.to(self.head.weight.dtype))))


class ReadPooledWords(nn.Module):
    """A classifier whose layer reads the ids itself; a masked mean follows."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        m = attention_mask.to(self.head.weight.dtype)
        x = torch.relu(self.layer(input_ids, m)) * m.unsqueeze(-1)
        return self.head(x.sum(1) / m.sum(1, keepdim=True).clamp(min=1))


class Bagged(nn.Module):
    """Ids without a mask, straight into a bag; ``wide`` adds a hidden layer."""

    wide = False

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer = layer
        hidden = [nn.Linear(WIDTH, WIDTH), nn.ReLU()] if self.wide else []
        self.head = nn.Sequential(*hidden, nn.Linear(WIDTH, CLASSES))

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.layer(input_ids, input_ids))


class DeepBagged(Bagged):
    wide = True


HOSTS: dict[str, tuple[type[nn.Module], ...]] = {
    STEPS: (Words, Frames),
    POOL: (PooledWords, PooledFrames),
    IDS: (ReadWords, ReadPooledWords),
    "bag": (Bagged, DeepBagged),
}
