"""Ids of three axes: sentences of words, words of characters. Padding of the inner length is tried as well."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import maskcheck
from maskcheck.core.report import ModelReport, Outcome, Status, TwinKind


class Documents(nn.Module):
    """Means over words, then over sentences; each may count the padding."""

    def __init__(self, words: bool = True, sentences: bool = True) -> None:
        super().__init__()
        self.embed, self.head = nn.Embedding(30, 8), nn.Linear(8, 3)
        self.words, self.sentences = words, sentences

    def forward(self, documents: Tensor) -> Tensor:
        real = (documents != 0).float().unsqueeze(-1)
        x = torch.tanh(self.embed(documents))
        x = (x * real).sum(2) / real.sum(2).clamp(min=1) if self.words else x.mean(2)
        full = real.amax(2)
        x = torch.relu(x)
        x = (x * full).sum(1) / full.sum(1).clamp(min=1) if self.sentences else x.mean(1)
        return self.head(x)


class Characters(nn.Module):
    """A tagger of words and their characters, whose maximum over characters may take the padding along."""

    def __init__(self, sound: bool) -> None:
        super().__init__()
        self.words, self.characters = nn.Embedding(30, 8), nn.Embedding(20, 8)
        self.head, self.sound = nn.Linear(16, 3), sound

    def forward(self, words: Tensor, characters: Tensor) -> Tensor:
        c = self.characters(characters)
        if self.sound:
            c = c.masked_fill((characters == 0).unsqueeze(-1), -1e9)
        return self.head(torch.cat([self.words(words), c.amax(2).clamp(min=-9)], -1))


def audit(module: nn.Module, inputs: dict[str, Tensor]) -> ModelReport:
    torch.manual_seed(0)
    return maskcheck.audit(module.eval(), inputs).model


def leaky_domains(report: ModelReport) -> set[str | None]:
    return {r.domain for r in report.passport if r.gating and r.status is Status.LEAKY}


@pytest.mark.parametrize(
    ("words", "sentences", "where"),
    [(True, True, set()), (False, True, {"seq_2"}), (True, False, {"seq"}), (False, False, {"seq", "seq_2"})],
)
def test_both_lengths_are_tried(words: bool, sentences: bool, where: set[str]) -> None:
    torch.manual_seed(1)
    documents = torch.randint(1, 30, (4, 6, 5))
    report = audit(Documents(words, sentences), {"documents": documents})
    assert leaky_domains(report) == where
    assert report.outcome is (Outcome.LEAKY if where else Outcome.CLEAN)
    named = {f.site.operator for f in report.findings if f.site is not None and TwinKind.LENGTH in f.twins}
    assert named == ({"aten.mean"} if where else set())


@pytest.mark.parametrize("sound", [True, False])
def test_characters_beside_words(sound: bool) -> None:
    torch.manual_seed(1)
    inputs = {"words": torch.randint(1, 30, (4, 6)), "characters": torch.randint(1, 20, (4, 6, 5))}
    report = audit(Characters(sound), inputs)
    assert report.outcome is (Outcome.CLEAN if sound else Outcome.LEAKY)
    assert leaky_domains(report) == (set() if sound else {"seq_2"})
