"""The two architectures around a layer: mostly one reads words with a mask, the other frames with lengths.

``sizes`` are the sizes of an input behind its batch axis where they are not those of a sequence; ``domains`` says which
inputs are padded together, and along which axis, where not all of them are along their first one; ``by_value``, that
nothing but the value of the pads tells where they are.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from evaluation.corpora.mechanisms.positions import WORDS
from evaluation.corpora.mechanisms.registry import (
    BAG,
    CHOSEN,
    CROSS,
    FIXED,
    FRAMES,
    HOLLOW,
    IDS,
    IMAGE,
    MARKED,
    NESTED,
    POOL,
    STEPS,
    VALUED,
    WIDTH,
    Layer,
)
from evaluation.corpora.mechanisms.truth import Domain

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


class PooledStates(nn.Module):
    """A recurrent reader of words and the pooling; a row without words passes it unharmed."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(WORDS, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.rnn(self.embed(input_ids))[0]
        return self.head(self.layer(x, attention_mask.to(x.dtype)))


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


class Marked(nn.Module):
    """A tagger of ids without a mask; its layer finds the padding itself."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layer(input_ids)))


class MarkedClassifier(Marked):
    """A classifier of ids without a mask: what the layer makes of them, and a mean over real words."""

    def forward(self, input_ids: Tensor) -> Tensor:
        keep = (input_ids != 0).to(self.head.weight.dtype).unsqueeze(-1)
        x = torch.relu(self.layer(input_ids)) * keep
        return self.head(x.sum(1) / keep.sum(1).clamp(min=1))


class ChosenAttention(nn.Module):
    """A causal transformer that classifies by one of its steps, which the layer chooses."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed, self.mha = nn.Embedding(WORDS, WIDTH), nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.embed(input_ids)
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        pads = attention_mask == 0
        x = x + self.mha(x, x, x, attn_mask=hidden, key_padding_mask=pads, need_weights=False)[0]
        return self.head(self.layer(x, input_ids, attention_mask.to(x.dtype)))


class ChosenState(nn.Module):
    """A recurrent reader that classifies by one of its states, which the layer chooses."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed, self.rnn = nn.Embedding(WORDS, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.layer = layer
        self.head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES))

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.rnn(self.embed(input_ids))[0]
        return self.head(self.layer(x, input_ids, attention_mask.to(x.dtype)))


class ValuedTagger(nn.Module):
    """Frames padded with zeros, and nothing beside them; the layer finds the padding itself."""

    by_value = True

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, features: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layer(features)))


class ValuedClassifier(ValuedTagger):
    """The same, and a mean over the frames that are not zero."""

    def forward(self, features: Tensor) -> Tensor:
        keep = (features != 0).any(-1, keepdim=True).to(features.dtype)
        x = torch.relu(self.layer(features)) * keep
        return self.head(x.sum(1) / keep.sum(1).clamp(min=1))


class ReadFrames(nn.Module):
    """A tagger whose layer reads the frames themselves."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.layer, self.head = layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.head(torch.tanh(self.layer(features, mask.to(features.dtype))))


class ReadPooledFrames(ReadFrames):
    """A classifier whose layer reads the frames themselves; a masked mean follows."""

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        m = mask.to(features.dtype)
        x = torch.relu(self.layer(features, m)) * m.unsqueeze(-1)
        return self.head(x.sum(1) / m.sum(1, keepdim=True).clamp(min=1))


class Decoder(nn.Module):
    """A causal decoder whose attention to what the encoder made is the layer."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.words, self.mha = nn.Embedding(WORDS, WIDTH), nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.layer, self.norm, self.head = layer, nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WORDS)

    def forward(self, ids: Tensor, memory: Tensor, m: Tensor) -> Tensor:
        x = self.words(ids)
        hidden = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).triu(1)
        x = self.norm(x + self.mha(x, x, x, attn_mask=hidden, need_weights=False)[0])
        return self.head(torch.tanh(x + self.layer(x, memory, m)))


class Translator(nn.Module):
    """Words to words, with a sound transformer as encoder."""

    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"decoder_input_ids": (6,)}
    domains: ClassVar[tuple[Domain, ...]] = ({"input_ids": 1, "attention_mask": 1}, {"decoder_input_ids": 1})

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed, self.mha = nn.Embedding(WORDS, WIDTH), nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.decoder = Decoder(layer)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        x = self.embed(input_ids)
        x = x + self.mha(x, x, x, key_padding_mask=attention_mask == 0, need_weights=False)[0]
        return self.decoder(decoder_input_ids, x, attention_mask.to(x.dtype))


class Transcriber(nn.Module):
    """Frames with lengths to words, with masked convolutions as encoder."""

    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"decoder_input_ids": (6,)}
    domains: ClassVar[tuple[Domain, ...]] = ({"features": 1, "lengths": 0}, {"decoder_input_ids": 1})

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.start, self.conv = nn.Linear(FEATURES, WIDTH), nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        self.decoder = Decoder(layer)

    def forward(self, features: Tensor, lengths: Tensor, decoder_input_ids: Tensor) -> Tensor:
        mask = (torch.arange(features.shape[1]) < lengths[:, None]).to(features.dtype)
        x = torch.relu(self.conv((self.start(features) * mask.unsqueeze(-1)).transpose(1, 2)).transpose(1, 2))
        return self.decoder(decoder_input_ids, x, mask)


class Documents(nn.Module):
    """Sentences of words, both padded with 0; the layer makes one vector of a document."""

    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"input_ids": (5, 7)}
    domains: ClassVar[tuple[Domain, ...]] = ({"input_ids": 1}, {"input_ids": 2})

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.embed, self.layer, self.head = nn.Embedding(WORDS, WIDTH), layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.embed(input_ids)
        return self.head(self.layer(x, (input_ids != 0).to(x.dtype)))


class Visits(nn.Module):
    """A patient's visits, each a series of measurements, with a mask of both."""

    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"features": (5, 6, FEATURES), "mask": (5, 6)}
    domains: ClassVar[tuple[Domain, ...]] = ({"features": 1, "mask": 1}, {"features": 2, "mask": 2})

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.start, self.layer = nn.Sequential(nn.Linear(FEATURES, WIDTH), nn.ReLU()), layer
        self.head = nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh(), nn.Linear(WIDTH, CLASSES))

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        return self.head(self.layer(self.start(features), mask.to(features.dtype)))


class Pixels(nn.Module):
    """A classifier of images of several sizes: the layer, and a mean over real pixels."""

    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"pixel_values": (3, 9, 11), "pixel_mask": (9, 11)}
    domains: ClassVar[tuple[Domain, ...]] = (
        {"pixel_values": 2, "pixel_mask": 1},
        {"pixel_values": 3, "pixel_mask": 2},
    )

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.start, self.layer, self.head = nn.Conv2d(3, WIDTH, 1), layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> Tensor:
        keep = pixel_mask.unsqueeze(1).to(pixel_values.dtype)
        x = self.layer(torch.relu(self.start(pixel_values)), keep) * keep
        return self.head(x.sum((2, 3)) / keep.sum((2, 3)).clamp(min=1))


class Detector(Pixels):
    """As DETR: what the layer makes is read by an attention that knows the mask."""

    def __init__(self, layer: Layer) -> None:
        super().__init__(layer)
        self.queries = nn.Parameter(torch.randn(3, WIDTH))
        self.mha = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, pixel_values: Tensor, pixel_mask: Tensor) -> Tensor:
        keep = pixel_mask.unsqueeze(1).to(pixel_values.dtype)
        x = self.layer(torch.tanh(self.start(pixel_values)), keep).flatten(2).transpose(1, 2)
        asked = self.queries[None].expand(x.shape[0], -1, -1)
        read = self.mha(asked, x, x, key_padding_mask=keep.flatten(1) == 0, need_weights=False)[0]
        return self.head(torch.relu(read).mean(1))


class Recordings(nn.Module):
    """Frames of recordings that are all filled up to one length: what the layer makes of them."""

    sizes: ClassVar[dict[str, tuple[int, ...]]] = {"features": (30, FEATURES)}
    domains: ClassVar[tuple[Domain, ...]] = ()

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.start, self.layer, self.head = nn.Linear(FEATURES, WIDTH), layer, nn.Linear(WIDTH, CLASSES)

    def forward(self, features: Tensor) -> Tensor:
        if features.shape[1] != 30:
            raise ValueError(f"expected features of 30 steps, found {features.shape[1]}")
        return self.answer(self.layer(self.start(features)))

    def answer(self, x: Tensor) -> Tensor:
        return self.head(x)


class Detected(Recordings):
    """One answer for each recording."""

    def answer(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(x).mean(1))


HOSTS: dict[str, tuple[type[nn.Module], ...]] = {
    STEPS: (Words, Frames),
    POOL: (PooledWords, PooledFrames),
    HOLLOW: (PooledStates, PooledFrames),
    IDS: (ReadWords, ReadPooledWords),
    BAG: (Bagged, DeepBagged),
    MARKED: (Marked, MarkedClassifier),
    CHOSEN: (ChosenAttention, ChosenState),
    VALUED: (ValuedTagger, ValuedClassifier),
    FRAMES: (ReadFrames, ReadPooledFrames),
    CROSS: (Translator, Transcriber),
    NESTED: (Documents, Visits),
    IMAGE: (Pixels, Detector),
    FIXED: (Recordings, Detected),
}
