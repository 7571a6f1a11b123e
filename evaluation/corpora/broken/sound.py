"""Ten sound models that can be broken at marked lines.

Every part asks ``self.broken(name)`` and takes the line marked ``# name`` when that fault was ordered. The line is
where the audit has to place the leak.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


class Part(nn.Module):
    """A module that knows its faults."""

    def __init__(self, faults: Iterable[str] = ()) -> None:
        super().__init__()
        self.faults = frozenset(faults)

    def broken(self, name: str) -> bool:
        return name in self.faults


class Attention(Part):
    """Multi-head attention written out, with the key mask of ``memory``."""

    def __init__(
        self, width: int, heads: int, faults: Iterable[str] = (), prefix: str = "", causal: bool = False
    ) -> None:
        super().__init__(faults)
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.heads, self.prefix, self.causal = heads, prefix, causal

    def split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.split(self.query(x)), self.split(self.key(memory)), self.split(self.value(memory))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        lowest = torch.finfo(scores.dtype).min
        keys = mask[:, None, None, :]
        if self.causal:
            seen = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
            scores = scores.masked_fill(~seen, lowest)
        if self.broken(self.prefix + "no_mask"):
            weights = scores.softmax(-1)  # no_mask
        elif self.broken(self.prefix + "on_queries"):
            weights = scores.masked_fill(mask[:, None, :, None] == 0, lowest).softmax(-1)  # on_queries
        elif self.broken(self.prefix + "weak_fill"):
            weights = scores.masked_fill(keys == 0, -3.0).softmax(-1)  # weak_fill
        elif self.broken(self.prefix + "multiplied"):
            weights = (scores * keys).softmax(-1)  # multiplied
        elif self.broken(self.prefix + "after_softmax"):
            weights = scores.softmax(-1) * keys  # after_softmax
        elif self.broken(self.prefix + "inverted"):
            weights = scores.masked_fill(keys == 1, lowest).softmax(-1)  # inverted
        else:
            weights = scores.masked_fill(keys == 0, lowest).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class Norm(Part):
    """Layer norm; broken, it takes its statistics over time."""

    def __init__(self, width: int, faults: Iterable[str] = ()) -> None:
        super().__init__(faults)
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.broken("norm_over_time"):
            return (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1e-5)  # norm_over_time
        return self.norm(x)


class Pool(Part):
    """Masked mean, or one of the ways to get it wrong."""

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        m = mask.unsqueeze(-1).to(x.dtype)
        if self.broken("plain_mean"):
            return x.mean(1)  # plain_mean
        if self.broken("padded_length"):
            return (x * m).sum(1) / x.shape[1]  # padded_length
        if self.broken("plain_max"):
            return x.amax(1)  # plain_max
        if self.broken("zero_filled_max"):
            return (x * m).amax(1)  # zero_filled_max
        if self.broken("last_column"):
            return x[:, -1]  # last_column
        if self.broken("plain_sum"):
            return x.sum(1)  # plain_sum
        return (x * m).sum(1) / m.sum(1).clamp(min=1)


class Words(Part):
    """Embeddings with sinusoidal positions."""

    def __init__(self, width: int, faults: Iterable[str] = (), vocabulary: int = 80) -> None:
        super().__init__(faults)
        self.table = nn.Embedding(vocabulary, width)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        x = self.table(ids)
        places = torch.arange(ids.shape[1]).to(x.dtype)[:, None]
        rates = 1 / torch.arange(1, x.shape[-1] + 1).to(x.dtype)
        if self.broken("scaled_positions"):
            return x + (places / ids.shape[1] * 8 * rates).sin()  # scaled_positions
        return x + (places * rates).sin()


class Feed(nn.Sequential):
    def __init__(self, width: int) -> None:
        super().__init__(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))


class Layer(Part):
    def __init__(self, width: int, heads: int, faults: Iterable[str], causal: bool = False) -> None:
        super().__init__(faults)
        self.attention = Attention(width, heads, faults, causal=causal)
        self.before, self.after = Norm(width, faults), nn.LayerNorm(width)
        self.feed = Feed(width)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        h = self.before(x, mask)
        x = x + self.attention(h, h, mask)
        return x + self.feed(self.after(x))


class Encoder(Part):
    """A transformer encoder with a pooled head."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24, heads: int = 4, depth: int = 2) -> None:
        super().__init__(faults)
        self.words = Words(width, faults)
        # One layer is broken, so that there is one place to name.
        self.layers = nn.ModuleList(Layer(width, heads, faults if i == 0 else ()) for i in range(depth))
        self.pool, self.head = Pool(faults), nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.words(input_ids, attention_mask)
        for layer in self.layers:
            x = layer(x, attention_mask)
        return self.head(self.pool(x, attention_mask))


class Tagger(Encoder):
    """The same with an answer for each token, and its mask computed from the ids."""

    def forward(self, input_ids: Tensor) -> Tensor:  # type: ignore[override]
        mask = (input_ids != 0).long()
        x = self.words(input_ids, mask)
        for layer in self.layers:
            x = layer(x, mask)
        return self.head(x)


class Decoder(Part):
    """A causal decoder: right padding cannot reach back. It classifies by its last real position."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24, heads: int = 4, depth: int = 2) -> None:
        super().__init__(faults)
        self.words = Words(width, faults)
        self.layers = nn.ModuleList(Layer(width, heads, faults if i == 0 else (), causal=True) for i in range(depth))
        self.head = nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.words(input_ids, attention_mask)
        for layer in self.layers:
            x = layer(x, attention_mask)
        if self.broken("last_position"):
            return self.head(x[:, -1])  # last_position
        last = attention_mask.sum(1) - 1
        return self.head(x[torch.arange(x.shape[0]), last])


class EncoderDecoder(Part):
    """A source is read, a target of any length is answered; the cross attention needs the source's mask."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24, heads: int = 4) -> None:
        super().__init__(faults)
        self.words, self.replies = Words(width, faults), Words(width)
        self.encoder = Layer(width, heads, faults)
        self.decoder = Layer(width, heads, (), causal=True)
        self.cross, self.norm = Attention(width, heads, faults, prefix="cross_"), nn.LayerNorm(width)
        self.head = nn.Linear(width, 5)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor, decoder_attention_mask: Tensor
    ) -> Tensor:
        memory = self.encoder(self.words(input_ids, attention_mask), attention_mask)
        x = self.decoder(self.replies(decoder_input_ids, decoder_attention_mask), decoder_attention_mask)
        return self.head(x + self.cross(self.norm(x), memory, attention_mask))


class Conformer(Part):
    """Attention and a gated convolution that must be given zeros at pads."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24, heads: int = 4) -> None:
        super().__init__(faults)
        self.start = nn.Linear(10, width)
        self.layer = Layer(width, heads, faults)
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(width, width)
        self.deep = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.pool, self.head = Pool(faults), nn.Linear(width, 5)

    def forward(self, features: Tensor, attention_mask: Tensor) -> Tensor:
        m = attention_mask.unsqueeze(-1).to(features.dtype)
        x = self.layer(self.start(features), attention_mask)
        h = nn.functional.glu(self.up(x), -1)
        if self.broken("unmasked_convolution"):
            h = self.deep(h.transpose(1, 2)).transpose(1, 2)  # unmasked_convolution
        else:
            h = self.deep((h * m).transpose(1, 2)).transpose(1, 2)
        return self.head(self.pool(x + self.down(torch.relu(h)), attention_mask))


class TextCNN(Part):
    """Kim's classifier: convolutions of several widths, a maximum over time of each."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24) -> None:
        super().__init__(faults)
        self.words = nn.Embedding(80, width)
        self.narrow, self.wide = nn.Conv1d(width, 8, 3, padding=1), nn.Conv1d(width, 8, 5, padding=2)
        self.head = nn.Linear(16, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        m = attention_mask.unsqueeze(1)
        x = self.words(input_ids).transpose(1, 2)
        if self.broken("unmasked_convolution"):
            narrow = self.narrow(x)  # unmasked_convolution
        else:
            narrow = self.narrow(x * m)
        found = torch.cat([narrow, self.wide(x * m)], 1)
        if self.broken("plain_max"):
            return self.head(found.amax(-1))  # plain_max
        return self.head(found.masked_fill(m == 0, torch.finfo(found.dtype).min).amax(-1))


class RecurrentTagger(Part):
    """A bidirectional LSTM over packed sequences, with an answer for each token."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24) -> None:
        super().__init__(faults)
        self.words = nn.Embedding(80, width)
        self.both = nn.LSTM(width, width // 2, batch_first=True, bidirectional=True)
        self.head = nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        x = self.words(input_ids)
        if self.broken("not_packed"):
            return self.head(self.both(x)[0])  # not_packed
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths.cpu(), batch_first=True, enforce_sorted=False)
        out, _ = self.both(packed)
        return self.head(nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=x.shape[1])[0])


class RecurrentClassifier(Part):
    """A GRU whose state at the last real step is classified."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24) -> None:
        super().__init__(faults)
        self.words = nn.Embedding(80, width)
        self.reader, self.head = nn.GRU(width, width, batch_first=True), nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        if self.broken("final_state"):
            return self.head(self.reader(self.words(input_ids))[1][0])  # final_state
        states, _ = self.reader(self.words(input_ids))
        last = attention_mask.sum(1) - 1
        return self.head(states[torch.arange(states.shape[0]), last])


class StateSpace(Part):
    """A diagonal linear recurrence by running sums, read forwards only, with a masked mean."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24) -> None:
        super().__init__(faults)
        self.words, self.mix = nn.Embedding(80, width), nn.Linear(width, width)
        self.pool, self.head = Pool(faults), nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.mix(self.words(input_ids))
        if self.broken("backwards"):
            x = x + x.flip(1).cumsum(1).flip(1) * 0.1  # backwards
        x = x + x.cumsum(1) * 0.1
        return self.head(self.pool(torch.tanh(x), attention_mask))


class Experts(Part):
    """A mixture of experts that weighs all of them for each token, after a squeeze-and-excitation gate."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24) -> None:
        super().__init__(faults)
        self.words, self.route = nn.Embedding(80, width), nn.Linear(width, 3)
        self.experts = nn.ModuleList(Feed(width) for _ in range(3))
        self.squeeze, self.pool, self.head = nn.Linear(width, width), Pool(faults), nn.Linear(width, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        m = attention_mask.unsqueeze(-1)
        x = self.words(input_ids)
        if self.broken("unmasked_gate"):
            summary = x.mean(1, keepdim=True)  # unmasked_gate
        else:
            summary = (x * m).sum(1, keepdim=True) / m.sum(1, keepdim=True).clamp(min=1)
        x = x * self.squeeze(summary).sigmoid()
        if self.broken("routed_over_time"):
            shares = self.route(x).softmax(1)  # routed_over_time
        else:
            shares = self.route(x).softmax(-1)
        x = x + sum(shares[..., i : i + 1] * expert(x) for i, expert in enumerate(self.experts))
        return self.head(self.pool(x, attention_mask))


class Series(Part):
    """A time-series transformer that scales every series by its own mean and deviation first."""

    def __init__(self, faults: Iterable[str] = (), width: int = 24, heads: int = 4) -> None:
        super().__init__(faults)
        self.start, self.layer = nn.Linear(3, width), Layer(width, heads, faults)
        self.pool, self.head = Pool(faults), nn.Linear(width, 2)

    def forward(self, series: Tensor, attention_mask: Tensor) -> Tensor:
        m = attention_mask.unsqueeze(-1).to(series.dtype)
        if self.broken("scaled_over_pads"):
            mean = series.mean(1, keepdim=True)  # scaled_over_pads
        else:
            mean = (series * m).sum(1, keepdim=True) / m.sum(1, keepdim=True).clamp(min=1)
        x = self.layer(self.start((series - mean) * m), attention_mask)
        return self.head(self.pool(x, attention_mask))


MODELS: dict[str, Any] = {
    "encoder": Encoder,
    "tagger": Tagger,
    "decoder": Decoder,
    "encoder-decoder": EncoderDecoder,
    "conformer": Conformer,
    "text-cnn": TextCNN,
    "recurrent-tagger": RecurrentTagger,
    "recurrent-classifier": RecurrentClassifier,
    "state-space": StateSpace,
    "experts": Experts,
    "series": Series,
}
