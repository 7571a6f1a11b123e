"""Steps that a model adds itself: what reads them together with real ones is the place, not what laid them there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import maskcheck
from maskcheck.core.report import Outcome, Severity

WIDTH = 16


class Around(nn.Module):
    """A sound tagger of words around a layer that reads (batch, width, time)."""

    def __init__(self, layer: Callable[[Tensor], Tensor], sound: bool) -> None:
        super().__init__()
        self.embed, self.conv, self.head = nn.Embedding(40, WIDTH), nn.Conv1d(WIDTH, WIDTH, 3), nn.Linear(WIDTH, 4)
        self.layer, self.sound = layer, sound

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        keep = attention_mask[:, None].to(self.head.weight.dtype)
        x = self.embed(input_ids).transpose(1, 2)
        x = self.layer(self, x * keep if self.sound else x)
        x = torch.relu(x) * keep
        return self.head(x.sum(-1) / keep.sum(-1))


def padded_convolution(model: Around, x: Tensor) -> Tensor:
    return model.conv(F.pad(x, (1, 1)))


def concatenated_convolution(model: Around, x: Tensor) -> Tensor:
    none = torch.zeros_like(x[:, :, :1])
    return model.conv(torch.cat([none, x, none], 2))


def activated_convolution(model: Around, x: Tensor) -> Tensor:
    return model.conv(torch.tanh(F.pad(x, (1, 1))))


def windows(model: Around, x: Tensor) -> Tensor:
    return F.pad(x, (1, 1)).unfold(2, 3, 1).mean(-1)


def blocks(model: Around, x: Tensor) -> Tensor:
    steps = x.shape[-1]
    split = F.pad(x, (0, -steps % 4)).unflatten(2, (-1, 4))
    return (split - split.mean(-1, keepdim=True)).flatten(2)[:, :, :steps]


PLACES = {
    padded_convolution: ("aten.convolution", "MC401"),
    concatenated_convolution: ("aten.convolution", "MC401"),
    activated_convolution: ("aten.convolution", "MC401"),
    windows: ("aten.unfold", "MC401"),
    blocks: ("aten.mean", "MC101"),
}


def audit(layer: Callable[[Tensor], Tensor], sound: bool) -> maskcheck.Report:
    torch.manual_seed(0)
    module = Around(layer, sound).eval()
    ids = torch.randint(1, 40, (3, 11))
    return maskcheck.audit(module, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})


@pytest.mark.parametrize("layer", PLACES, ids=lambda layer: layer.__name__)
def test_the_place_is_where_they_are_read(layer: Callable[[Tensor], Tensor]) -> None:
    report = audit(layer, sound=False).model
    found = [(f.site.operator, f.rule) for f in report.findings if f.severity is Severity.ERROR and f.site is not None]
    assert report.outcome is Outcome.LEAKY
    assert found == [PLACES[layer]]


@pytest.mark.parametrize("layer", [padded_convolution, concatenated_convolution, windows], ids=lambda f: f.__name__)
def test_zeros_beside_masked_steps_are_clean(layer: Callable[[Tensor], Tensor]) -> None:
    assert audit(layer, sound=True).model.outcome is Outcome.CLEAN
