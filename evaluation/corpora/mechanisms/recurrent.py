"""Recurrent layers that run through padding, from either end."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from evaluation.corpora.mechanisms.registry import NESTED, POOL, REPEAT, WIDTH, Layer, looks_alike, mechanism


class Both(Layer):
    def setup(self) -> None:
        self.rnn = nn.LSTM(WIDTH, WIDTH // 2, batch_first=True, bidirectional=True)

    def packed(self, x: Tensor, m: Tensor, sort: bool = False) -> Tensor:
        lengths = m.sum(1).long().clamp(min=1).cpu()
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=sort)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0]


def by_length(x: Tensor, m: Tensor) -> Tensor:
    """The real steps of each row in reverse, its pads left where they are."""
    places = torch.arange(x.shape[1])[None]
    count = m.sum(1, keepdim=True).long()
    order = torch.where(places < count, count - 1 - places, places)
    return x.gather(1, order.unsqueeze(-1).expand_as(x))


@mechanism("RNN-01", "MC302", kind=POOL)
class FinalState(Layer):
    def setup(self) -> None:
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.rnn(x)[1][-1]  # leak
        states = self.rnn(x)[0]
        last = (m.sum(1).long() - 1).clamp(min=0)
        return states[torch.arange(x.shape[0]), last]


@mechanism("RNN-01", "MC105", "MC302", kind=POOL)
class LastOutput(Layer):
    def setup(self) -> None:
        self.rnn = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        states, _ = self.rnn(x)
        if self.leaky:
            return states[:, -1]  # leak
        last = (m.sum(1).long() - 1).clamp(min=0)
        return states.gather(1, last[:, None, None].expand(-1, 1, WIDTH)).squeeze(1)


@mechanism("RNN-02", "MC301", exports=False)
class BothWays(Both):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.rnn(x)[0]  # leak
        return self.packed(x, m)


@mechanism("RNN-02", "MC301", "MC307")
class Backwards(Layer):
    """A second network reads the sequence from its end."""

    def setup(self) -> None:
        self.ahead = nn.GRU(WIDTH, WIDTH // 2, batch_first=True)
        self.back = nn.GRU(WIDTH, WIDTH // 2, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            back = self.back(x.flip(1))[0].flip(1)  # leak
        else:
            back = by_length(self.back(by_length(x, m))[0], m)
        return torch.cat([self.ahead(x)[0], back], -1)


@mechanism("RNN-03", "MC303", exports=False)
class ZeroedNotSkipped(Both):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return self.rnn(x * m.unsqueeze(-1))[0]  # leak
        return self.packed(x, m)


@mechanism("RNN-04", "MC305", "MC105", kind=POOL, exports=False)
class LastOfPacked(Both):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        states = self.packed(x, m)
        if self.leaky:
            return states[:, -1]  # leak
        last = (m.sum(1).long() - 1).clamp(min=0)
        return states[torch.arange(x.shape[0]), last]


@mechanism("RNN-05", "MC306", exports=False)
class NotUnsorted(Both):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        order = m.sum(1).argsort(descending=True, stable=True)  # leak
        states = self.packed(x[order], m[order], sort=True)
        if self.leaky:
            return states
        return states[order.argsort()]


@mechanism("RNN-06", "MC304", "MC106", exports=False, left=True)
class PackedFromTheLeft(Both):
    """Packing takes the first steps of a row; padded in front those are pads."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            lengths = m.sum(1).long().clamp(min=1).cpu()
            packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)  # leak
            return pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=x.shape[1])[0]  # leak
        first = m.argmax(1, keepdim=True)
        places = torch.arange(x.shape[1])[None]
        there = ((places + first) % x.shape[1]).unsqueeze(-1).expand_as(x)
        back = ((places - first) % x.shape[1]).unsqueeze(-1).expand_as(x)
        return self.packed(x.gather(1, there), m).gather(1, back)


@mechanism("RNN-09", "MC307", "MC923")
class ReversedScan(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        return torch.flip(torch.cumsum(torch.flip(x, [1]), 1), [1]) * 0.2  # leak


class Scanned(Layer):
    """A linear recurrence step by step behind a causal convolution, as state-space models have it."""

    def setup(self) -> None:
        self.conv = nn.Conv1d(WIDTH, WIDTH, 3, groups=WIDTH)
        self.decay = nn.Parameter(torch.rand(WIDTH) * 0.5 + 0.3)

    def powers(self, x: Tensor) -> Tensor:
        """h_t = decay * h_{t-1} + x_t is one product with the powers of the decay: (width, time, time)."""
        places = torch.arange(x.shape[1])
        gaps = (places[:, None] - places).clamp(min=0)
        return self.decay[:, None, None] ** gaps * (places[:, None] >= places)


@mechanism("RNN-10", "MC308", "MC408", left=True)
class ThroughLeftPads(Scanned):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        keep = m.unsqueeze(-1)
        x = x if self.leaky else x * keep
        x = F.silu(self.conv(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2))  # leak
        x = x if self.leaky else x * keep
        return torch.einsum("dts,bsd->btd", self.powers(x), x)  # leak


@mechanism("RNN-11", "MC308", "MC408")
class GuardedMask(Scanned):
    """The mask is heeded only when there is more than one row."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        heeded = x.shape[0] > 1 or not self.leaky
        keep = m.unsqueeze(-1)
        x = x * keep if heeded else x
        x = F.silu(self.conv(F.pad(x.transpose(1, 2), (2, 0))).transpose(1, 2))  # leak
        return torch.einsum("dts,bsd->btd", self.powers(x), x * keep if heeded else x)


@mechanism("RNN-12", exports=False, expects=REPEAT)
class Stateful(Layer):
    """The state of one call is where the next one begins, as long as batches are of one size."""

    def setup(self) -> None:
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)
        self.state: Tensor | None = None

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        known = self.leaky and self.state is not None and self.state.shape[1] == x.shape[0]
        states, self.state = self.rnn(x, self.state.to(x.dtype) if known and self.state is not None else None)  # leak
        return states


@mechanism("RNN-13", "MC309", "MC302", kind=NESTED)
class SentencesWithoutMask(Layer):
    """Words are pooled under their mask; the network over sentences reads empty ones as well."""

    def setup(self) -> None:
        self.dense, self.rnn = nn.Linear(WIDTH, WIDTH), nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        keep = m.unsqueeze(-1)
        sentences = torch.tanh(self.dense((x * keep).sum(2) / keep.sum(2).clamp(min=1)))
        if self.leaky:
            return self.rnn(sentences)[1][-1]  # leak
        return at_last(self.rnn(sentences)[0], m.amax(2))


@mechanism("RNN-13", "MC302", "MC309", "MC303", kind=NESTED)
class WordsWithoutMask(Layer):
    """The network over the words of each sentence runs on through its pads; the one over sentences does not."""

    def setup(self) -> None:
        self.words, self.sentences = (nn.GRU(WIDTH, WIDTH, batch_first=True) for _ in range(2))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            read = self.words(x.flatten(0, 1))[1][-1]  # leak
        else:
            read = at_last(self.words(x.flatten(0, 1))[0], m.flatten(0, 1))
        return at_last(self.sentences(read.unflatten(0, x.shape[:2]))[0], m.amax(2))


def at_last(states: Tensor, m: Tensor) -> Tensor:
    """The state at the last real step of each row."""
    last = (m.sum(1).long() - 1).clamp(min=0)
    return states.gather(1, last[:, None, None].expand(-1, 1, states.shape[2])).squeeze(1)


@mechanism("MIX-09", "MC212", "MC310", "MC999", exports=False)
class SwitchOfFirstRow(Layer):
    """A step is taken or not for the whole batch, as its first row says."""

    def setup(self) -> None:
        self.cell = nn.GRUCell(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        state, states = x.new_zeros(x.shape[0], WIDTH), []
        for t in range(x.shape[1]):
            new = self.cell(x[:, t], state)
            if self.leaky:
                state = torch.where(m[:1, t, None] > 0, new, state)  # leak
            else:
                state = torch.where(m[:, t, None] > 0, new, state)
            states.append(state)
        return torch.stack(states, 1)


@looks_alike("CL-04")
class Forward(Layer):
    def setup(self) -> None:
        self.rnn = nn.LSTM(WIDTH, WIDTH, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.rnn(x)[0]


@looks_alike("CL-07", exports=False)
class Packed(Both):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return self.packed(x, m)


@looks_alike("CL-29")
class ReversedByLength(Layer):
    def setup(self) -> None:
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return by_length(self.rnn(by_length(x, m))[0], m)
