"""Recurrent networks: packed and not, states and outputs, directions and orders."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from .case import MATES, RIGHT, SIDE, Case, Input, Output, features, lengths, mask, tokens
from .export import torch_case

PADS = frozenset({"length", "content"})


class Tagger(nn.Module):
    """Tags every token with the outputs of an unpacked network."""

    def __init__(self, kind: type[nn.RNNBase], bidirectional: bool) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.rnn = kind(16, 12, batch_first=True, bidirectional=bidirectional)
        self.tags = nn.Linear(24 if bidirectional else 12, 6)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.tags(self.rnn(self.embedding(input_ids))[0])


class ZeroedTagger(Tagger):
    """Zeroes the embeddings of pads, then lets the recurrence run over them all the same."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:  # type: ignore[override]
        x = self.embedding(input_ids) * attention_mask.unsqueeze(-1)
        return self.tags(self.rnn(x)[0])


class PackedTagger(Tagger):
    """Packs by length, so that no pad is ever read."""

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        packed = pack_padded_sequence(self.embedding(input_ids), lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        return self.tags(outputs)


class SortedTagger(Tagger):
    """Sorts the rows by length in order to pack them; only some restore the order."""

    def __init__(self, restore: bool) -> None:
        super().__init__(nn.LSTM, bidirectional=True)
        self.restore = restore

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        order = torch.sort(lengths, descending=True)[1]
        packed = pack_padded_sequence(self.embedding(input_ids)[order], lengths[order], batch_first=True)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        if self.restore:
            outputs = outputs[torch.sort(order)[1]]
        return self.tags(outputs)


class FinalState(nn.Module):
    """Classifies by the state after the last column."""

    def __init__(self, kind: type[nn.RNNBase], bidirectional: bool = False) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.rnn = kind(16, 20, batch_first=True, bidirectional=bidirectional)
        self.head = nn.Linear(40 if bidirectional else 20, 4)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.final(self.rnn(self.embedding(input_ids))[1]))

    def final(self, state: Tensor | tuple[Tensor, Tensor]) -> Tensor:
        hidden = state[0] if isinstance(state, tuple) else state
        return hidden.transpose(0, 1).flatten(1)


class PackedFinalState(FinalState):
    """Packs, and takes the output of each row's own last step."""

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        packed = pack_padded_sequence(self.embedding(input_ids), lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        last = (lengths - 1).clamp(min=0)[:, None, None].expand(-1, 1, outputs.shape[2])
        return self.head(outputs.gather(1, last).squeeze(1))


class PackedLastColumn(FinalState):
    """Packs, then takes the last column: zeros for every row but the longest."""

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:  # type: ignore[override]
        packed = pack_padded_sequence(self.embedding(input_ids), lengths, batch_first=True, enforce_sorted=False)
        outputs, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=input_ids.shape[1])
        return self.head(outputs[:, -1])


class LastColumn(FinalState):
    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.rnn(self.embedding(input_ids))[0][:, -1])


class TimeFirst(nn.Module):
    """Frames in (time, batch, width) order."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.GRU(10, 12, bidirectional=True)

    def forward(self, frames: Tensor) -> Tensor:
        return self.rnn(frames)[0]


def tagger(name: str, module: Callable[[], nn.Module], *spec: Input, **more: object) -> Case:
    return torch_case(name, module, (tokens(), *spec), (Output("tags", "BTC"),), **more)  # type: ignore[arg-type]


def classifier(name: str, module: Callable[[], nn.Module], *spec: Input, **more: object) -> Case:
    return torch_case(name, module, (tokens(), *spec), (Output("logits", "BC"),), **more)  # type: ignore[arg-type]


CASES: tuple[Case, ...] = (
    tagger("lstm_outputs", lambda: Tagger(nn.LSTM, False), mechanism="CL-04", clean=RIGHT, leaky=SIDE),
    tagger("gru_outputs", lambda: Tagger(nn.GRU, False), mechanism="CL-04", clean=RIGHT, leaky=SIDE),
    tagger(
        "bilstm_unpacked",
        lambda: Tagger(nn.LSTM, True),
        mechanism="RNN-02",
        leaky=PADS | SIDE,
        clean=MATES,
        origin="LSTM",
    ),
    tagger(
        "bigru_unpacked", lambda: Tagger(nn.GRU, True), mechanism="RNN-02", leaky=PADS | SIDE, clean=MATES, origin="GRU"
    ),
    tagger(
        "birnn_unpacked", lambda: Tagger(nn.RNN, True), mechanism="RNN-02", leaky=PADS | SIDE, clean=MATES, origin="RNN"
    ),
    tagger(
        "bilstm_zeroed",
        lambda: ZeroedTagger(nn.LSTM, True),
        mask(),
        mechanism="RNN-03",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
        origin="LSTM",
    ),
    tagger("bilstm_packed", lambda: PackedTagger(nn.LSTM, True), lengths(), mechanism="CL-07", clean=RIGHT, leaky=SIDE),
    tagger("bigru_packed", lambda: PackedTagger(nn.GRU, True), lengths(), mechanism="CL-07", clean=RIGHT, leaky=SIDE),
    tagger("bilstm_sorted", lambda: SortedTagger(True), lengths(), mechanism="CL-07", clean=RIGHT),
    tagger("bilstm_not_unsorted", lambda: SortedTagger(False), lengths(), mechanism="RNN-05", clean=PADS, leaky=MATES),
    classifier(
        "lstm_final_state", lambda: FinalState(nn.LSTM), mechanism="RNN-01", leaky=PADS, clean=MATES, origin="LSTM"
    ),
    classifier(
        "gru_final_state", lambda: FinalState(nn.GRU), mechanism="RNN-01", leaky=PADS, clean=MATES, origin="GRU"
    ),
    classifier(
        "bilstm_final_state",
        lambda: FinalState(nn.LSTM, True),
        mechanism="RNN-01",
        leaky=PADS | SIDE,
        clean=MATES,
        origin="LSTM",
    ),
    classifier("lstm_last_column", lambda: LastColumn(nn.LSTM), mechanism="RNN-01", leaky=PADS, clean=MATES),
    classifier(
        "lstm_packed_state", lambda: PackedFinalState(nn.LSTM), lengths(), mechanism="CL-07", clean=RIGHT, leaky=SIDE
    ),
    classifier(
        "lstm_packed_last_column",
        lambda: PackedLastColumn(nn.LSTM),
        lengths(),
        mechanism="RNN-04",
        leaky=frozenset({"length", "valid"}),
        clean=frozenset({"content"}),
    ),
    torch_case(
        "gru_time_first",
        TimeFirst,
        (features("frames", "TBD", D=10),),
        (Output("outputs", "TBC"),),
        mechanism="RNN-02",
        leaky=PADS | SIDE,
        clean=MATES,
        origin="GRU",
    ),
)
