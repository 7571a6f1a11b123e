"""Families of padding leaks as modules people write, each beside a twin that is clean; ``# leak`` marks the origin."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

WIDTH, HEADS, WORDS = 24, 3, 60


class Attention(nn.Module):
    """Multi-head attention of its own; ``how`` is what its author did with the mask."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
        keys, queries = mask[:, None, None, :], mask[:, None, :, None]
        if self.how == "right":
            weights = scores.masked_fill(keys == 0, -1e9).softmax(-1)
        elif self.how == "forgotten":
            weights = scores.softmax(-1)  # leak
        elif self.how == "queries":
            weights = scores.masked_fill(queries == 0, -1e9).softmax(-1)  # leak
        elif self.how == "after":
            weights = scores.softmax(-1) * keys  # leak
        elif self.how == "weak":
            weights = (scores - 2.0 * (1 - keys)).softmax(-1)  # leak
        else:
            weights = (scores + keys).softmax(-1)  # leak
        return self.out((weights @ v).transpose(1, 2).flatten(2))


class LinearAttention(nn.Module):
    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        q, k, v = self.qkv(x).chunk(3, -1)
        q, k = F.elu(q) + 1, F.elu(k) + 1
        k = k * mask[..., None] if self.masked else k
        context = k.transpose(1, 2) @ v  # leak
        norm = q @ k.sum(1)[..., None]  # leak
        return (q @ context) / norm


class AcrossBatch(nn.Module):
    """nn.MultiheadAttention, whose first axis is time unless it is told otherwise."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.attend = nn.MultiheadAttention(WIDTH, HEADS, batch_first=batch_first)
        self.batch_first = batch_first

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.batch_first:
            return self.attend(x, x, x, key_padding_mask=mask == 0, need_weights=False)[0]
        return self.attend(x, x, x, need_weights=False)[0]  # leak


class Convolution(nn.Module):
    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, padding=1)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x * mask[..., None] if self.masked else x
        return self.conv(x.transpose(1, 2)).transpose(1, 2)  # leak


class Neighbours(nn.Module):
    """Every position beside the one before and the one behind it."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.mix = nn.Linear(3 * WIDTH, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x * mask[..., None] if self.masked else x
        wide = F.pad(x, (0, 0, 1, 1))  # leak
        return self.mix(torch.cat([wide[:, :-2], x, wide[:, 2:]], -1))  # leak


class Recurrent(nn.Module):
    def __init__(self, packed: bool) -> None:
        super().__init__()
        self.packed = packed
        self.rnn = nn.LSTM(WIDTH, WIDTH // 2, batch_first=True, bidirectional=True)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if not self.packed:
            return self.rnn(x)[0]  # leak
        lengths = mask.sum(1).long().cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0]


class ReversedSum(nn.Module):
    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x * mask[..., None] if self.masked else x
        return x.flip(1).cumsum(1).flip(1) / 4  # leak


class OverTime(nn.Module):
    """Normalises every channel over the steps of a sequence."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.norm = nn.GroupNorm(4, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if not self.masked:
            return self.norm(x.transpose(1, 2)).transpose(1, 2)  # leak
        keep, count = mask[..., None], mask.sum(1)[:, None, None]
        mean = (x * keep).sum(1, keepdim=True) / count
        spread = (((x - mean) * keep) ** 2).sum(1, keepdim=True) / count
        return (x - mean) / (spread + 1e-5).sqrt()


class Fourier(nn.Module):
    def __init__(self, over_time: bool) -> None:
        super().__init__()
        self.over_time = over_time

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        if self.over_time:
            return torch.fft.fftn(x, dim=(1, 2)).real / 8  # leak
        return torch.fft.fft(x, dim=2).real / 4


class Gate(nn.Module):
    """Squeeze and excitation: the whole sequence decides how much of each channel passes."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.gate = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        keep = mask[..., None]
        mean = (x * keep).sum(1) / keep.sum(1) if self.masked else x.mean(1)  # leak
        return x * self.gate(mean).sigmoid()[:, None]


class RelativeTime(nn.Module):
    """A ramp from 0 to 1 over the sequence, as long as it is or as its batch is."""

    def __init__(self, by_mask: bool) -> None:
        super().__init__()
        self.by_mask = by_mask
        self.place = nn.Linear(1, WIDTH)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        steps = torch.arange(x.shape[1], device=x.device)[None, :, None]
        if self.by_mask:
            return x + self.place(steps / mask.sum(1)[:, None, None])
        return x + self.place(steps / x.shape[1])  # leak


class PerToken(nn.Module):
    """Two layers of a kind between an embedding and a tagger's head."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in layers)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x, mask = self.embed(input_ids), attention_mask.float()
        for layer, norm in zip(self.layers, self.norms, strict=True):
            x = norm(x + layer(x, mask))
        return self.head(x)


class Pooled(nn.Module):
    """Two clean layers of attention below a pooling of ``kind``."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind = kind
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.layers = nn.ModuleList(Attention("right") for _ in range(2))
        self.score, self.head = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x, mask = self.embed(input_ids), attention_mask.float()
        for layer in self.layers:
            x = x + layer(x, mask)
        return self.head(self.pool(x, mask[..., None]))

    def pool(self, x: Tensor, keep: Tensor) -> Tensor:
        if self.kind == "mean":
            return x.mean(1)  # leak
        if self.kind == "masked mean":
            return (x * keep).sum(1) / keep.sum(1)
        if self.kind == "sum over length":
            return (x * keep).sum(1) / x.shape[1]  # leak
        if self.kind == "maximum":
            return x.amax(1)  # leak
        if self.kind == "maximum of zeros":
            return (x * keep).amax(1)  # leak
        if self.kind == "masked maximum":
            return x.masked_fill(keep == 0, -math.inf).amax(1)
        if self.kind == "last":
            return x[:, -1]  # leak
        if self.kind == "last real":
            return x[torch.arange(len(x)), keep.sum((1, 2)).long() - 1]
        weights = self.score(x)
        if self.kind == "masked attention":
            weights = weights.masked_fill(keep == 0, -1e9)
        return (weights.softmax(1) * x).sum(1)  # leak


class Translator(nn.Module):
    """A decoder that reads an encoder, with or without the encoder's mask."""

    def __init__(self, masked: bool) -> None:
        super().__init__()
        self.masked = masked
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.encoder = Attention("right")
        self.query, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, decoder_input_ids: Tensor) -> Tensor:
        mask = attention_mask.float()
        x = self.embed(input_ids)
        memory = x + self.encoder(x, mask)
        y = self.embed(decoder_input_ids)
        scores = self.query(y) @ memory.transpose(1, 2)
        if self.masked:
            scores = scores.masked_fill(mask[:, None] == 0, -1e9)
        weights = scores.softmax(-1)  # leak
        return self.head(y + weights @ memory)
