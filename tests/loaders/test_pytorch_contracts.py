"""Contracts of live modules whose axes only their examples tell."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import maskcheck
from maskcheck.core.report import ModelReport, Outcome, Status, TwinKind


def audit(module: nn.Module, **inputs: Tensor) -> ModelReport:
    return maskcheck.audit(module.eval(), inputs).model


class TimeFirst(nn.Module):
    """Ids and mask of (time, batch); the sum over the real steps of a forward recurrence."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 8), nn.Linear(8, 3)

    def forward(self, sentence: Tensor, mask: Tensor) -> Tensor:
        state = torch.zeros(sentence.shape[1], 8)
        for step, real in zip(self.embed(sentence), mask, strict=True):
            state = torch.where(real[:, None] != 0, torch.tanh(state + step), state)
        return self.head(state)


def test_a_mask_among_the_examples_tells_that_time_comes_first() -> None:
    torch.manual_seed(0)
    mask = (torch.arange(7)[:, None] < torch.tensor([7, 4, 5])).long()
    report = audit(TimeFirst(), sentence=torch.randint(1, 30, (7, 3)) * mask, mask=mask)
    assert report.contract is not None and report.contract.input("sentence").dims == ("seq", "batch")
    assert report.outcome is Outcome.CLEAN


class Translator(nn.Module):
    """Two sequences, one of them called what a family of names is called."""

    def __init__(self) -> None:
        super().__init__()
        self.source, self.target, self.head = nn.Embedding(30, 8), nn.Embedding(30, 8), nn.Linear(8, 3)

    def forward(self, source: Tensor, source_mask: Tensor, target: Tensor) -> Tensor:
        keep = source_mask[..., None].float()
        read = (torch.tanh(self.source(source)) * keep).sum(1) / keep.sum(1)
        return self.head(torch.tanh(self.target(target) + read[:, None]))


def test_an_input_called_target_takes_no_place_of_another() -> None:
    torch.manual_seed(0)
    source = torch.randint(1, 30, (3, 9))
    report = audit(Translator(), source=source, source_mask=torch.ones_like(source), target=source[:, :5])
    assert report.contract is not None
    assert {d.name for d in report.contract.domains} == {"source", "target"}
    assert report.contract.input("target").domain == "target"


class Graph(nn.Module):
    """Nodes and their edges: one step of a graph convolution over real nodes."""

    def __init__(self, sound: bool) -> None:
        super().__init__()
        self.dense, self.head, self.sound = nn.Linear(5, 8), nn.Linear(8, 3), sound

    def forward(self, x: Tensor, adj: Tensor, mask: Tensor) -> Tensor:
        keep = mask[..., None].float()
        x = torch.relu(self.dense(x))
        x = torch.tanh(adj @ (x * keep if self.sound else x))
        return self.head((x * keep).sum(1) / keep.sum(1))


@pytest.mark.parametrize("sound", [True, False])
def test_edges_are_padded_along_both_axes(sound: bool) -> None:
    torch.manual_seed(0)
    report = audit(
        Graph(sound), x=torch.randn(3, 7, 5), adj=torch.rand(3, 7, 7), mask=torch.ones(3, 7, dtype=torch.bool)
    )
    assert report.contract is not None and report.contract.input("adj").dims == ("batch", "seq", "seq")
    # Edges of 0 keep the pads out; others let them in where the nodes are not masked.
    content = next(r for r in report.passport if r.twin is TwinKind.CONTENT)
    assert report.outcome is Outcome.CLEAN
    assert content.status is (Status.CLEAN if sound else Status.LEAKY)


class Questions(nn.Module):
    """A question with lengths about regions of an image, which are all there always."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.look, self.head = nn.Embedding(30, 8), nn.Linear(5, 8), nn.Linear(8, 3)

    def forward(self, question: Tensor, question_len: Tensor, regions: Tensor) -> Tensor:
        keep = (torch.arange(question.shape[1]) < question_len[:, None]).float()[..., None]
        asked = (torch.tanh(self.embed(question)) * keep).sum(1) / keep.sum(1)
        seen = self.look(regions)
        weights = (seen @ asked[..., None]).softmax(1)
        return self.head(asked + (weights * seen).sum(1))


def test_what_nothing_marks_decides_nothing_beside_what_is_marked() -> None:
    torch.manual_seed(0)
    report = audit(
        Questions(),
        question=torch.randint(1, 30, (3, 9)),
        question_len=torch.tensor([9, 7, 8]),
        regions=torch.randn(3, 6, 5),
    )
    assert report.outcome is Outcome.CLEAN
    assert any("regions is ever padded" in note for note in report.notes)


class Packed(nn.Module):
    """A recurrent layer of packed rows, whose width is less than the rows are long."""

    def __init__(self) -> None:
        super().__init__()
        self.rnn, self.head = nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 3)

    def forward(self, features: Tensor, lengths: Tensor) -> Tensor:
        packed = pack_padded_sequence(features, lengths, batch_first=True, enforce_sorted=False)
        read, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=features.shape[1])
        return self.head(read)


def test_the_width_of_a_recurrent_layer_is_no_length() -> None:
    torch.manual_seed(0)
    report = audit(Packed(), features=torch.randn(4, 9, 6), lengths=torch.tensor([9, 7, 8, 5]))
    assert report.contract is not None and report.contract.input("features").dims == ("batch", "seq", None)
    assert report.contract.input("features").shape[2] == 6
    assert report.outcome is Outcome.CLEAN


class Observed(nn.Module):
    """A mask for every value of the series."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 3)

    def forward(self, past_values: Tensor, past_observed_mask: Tensor) -> Tensor:
        seen = past_observed_mask.float()
        return self.head((torch.tanh(past_values) * seen).sum(1) / seen.sum(1).clamp(min=1))


def test_a_mask_as_large_as_the_features_has_their_axes() -> None:
    torch.manual_seed(0)
    values = torch.randn(3, 7, 2)
    report = audit(Observed(), past_values=values, past_observed_mask=torch.ones_like(values, dtype=torch.bool))
    assert report.contract is not None and report.contract.input("past_observed_mask").dims == ("batch", "seq", None)
    assert report.outcome is Outcome.CLEAN


class Series(nn.Module):
    """Several series at once, time last: (batch, series, time)."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(2, 3)

    def forward(self, series: Tensor, padding_mask: Tensor) -> Tensor:
        seen = padding_mask.float()
        return self.head((torch.tanh(series) * seen).sum(-1) / seen.sum(-1).clamp(min=1))


def test_a_mask_of_several_series_tells_which_axis_is_time() -> None:
    torch.manual_seed(0)
    mask = (torch.arange(7) < torch.tensor([7, 4, 5])[:, None])[:, None].expand(3, 2, 7)
    report = audit(Series(), series=torch.randn(3, 2, 7), padding_mask=mask)
    assert report.contract is not None and report.contract.input("series").dims == ("batch", None, "seq")
    assert report.outcome is Outcome.CLEAN


class Spectra(nn.Module):
    """Bins by frames, halved by a convolution over both, so that seven bins pass for eight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.Linear(16, 3)

    def forward(self, audio: Tensor, length: Tensor) -> Tensor:
        real = torch.arange(audio.shape[-1]) < length[:, None]
        x = torch.relu(self.conv((audio * real[:, None])[:, None]))
        keep = (torch.arange(x.shape[-1]) < (length[:, None] + 1) // 2).float()
        x = x.flatten(1, 2) * keep[:, None]
        return self.head(x.sum(-1) / keep.sum(-1, keepdim=True))


def test_lengths_that_reach_up_to_an_axis_tell_that_it_is_time() -> None:
    torch.manual_seed(0)
    report = audit(Spectra(), audio=torch.randn(4, 8, 9), length=torch.tensor([9, 7, 8, 5]))
    assert report.contract is not None
    assert report.contract.input("audio").dims == ("batch", None, "seq")
    assert report.contract.input("audio").shape[1] == 8
    assert report.outcome is Outcome.CLEAN


class Joint(nn.Module):
    """Words with padding, and four ids that every row has."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.fields = nn.Embedding(30, 8), nn.Embedding(30, 8)
        self.head = nn.Linear(8, 3)

    def forward(self, words: Tensor, fields: Tensor) -> SimpleNamespace:
        keep = (words != 0).float()[..., None]
        read = (torch.tanh(self.words(words)) * keep).sum(1) / keep.sum(1)
        return SimpleNamespace(logits=self.head(read + self.fields(fields).mean(1)))


def test_what_no_row_of_the_example_pads_decides_nothing_beside_what_others_do() -> None:
    torch.manual_seed(0)
    words = torch.randint(1, 30, (3, 7)) * (torch.arange(7) < torch.tensor([7, 4, 5])[:, None])
    fields = torch.arange(1, 13).view(3, 4)
    report = audit(Joint(), words=words, fields=fields)
    assert report.outcome is Outcome.CLEAN
    assert any("fields is ever padded" in note for note in report.notes)


def test_where_the_example_shows_no_padding_at_all_everything_counts() -> None:
    torch.manual_seed(0)
    report = audit(Joint(), words=torch.arange(1, 22).view(3, 7), fields=torch.arange(1, 13).view(3, 4))
    assert report.outcome is Outcome.LEAKY
