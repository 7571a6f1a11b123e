"""Positions: absolute, relative, rotary, out of ids or masks, and scaled by the padded length."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .attention import Block, Causal, SelfAttention
from .case import ROUND, SIDE, Case, Input, Output, features, mask, positions, segments, tokens
from .export import torch_case

HIDDEN = (Output("last_hidden_state", "BTD"),)
IDS_MASK = (tokens(), mask())


class Positioned(nn.Module):
    """A masked encoder with a table of learned positions; ``places`` says which row each column takes."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 32)
        self.positions = nn.Embedding(64, 32)
        self.block = Block(SelfAttention())

    def places(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return torch.arange(input_ids.shape[1])

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        x = self.words(input_ids) + self.positions(self.places(input_ids, attention_mask))
        return self.block(x, attention_mask)


class CountedPositions(Positioned):
    """Counts real tokens, so the side does not matter."""

    def places(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return (attention_mask.cumsum(1) - 1).clamp(min=0)


class IdPositions(Positioned):
    """Counts ids that are not the pad id, starting after the table row of the pads."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        real = (input_ids != 0).long()
        x = self.words(input_ids) + self.positions(real.cumsum(1) * real)
        return self.block(x, attention_mask)


class GivenPositions(Positioned):
    def forward(self, input_ids: Tensor, attention_mask: Tensor, position_ids: Tensor) -> Tensor:  # type: ignore[override]
        return self.block(self.words(input_ids) + self.positions(position_ids), attention_mask)


class FourInputs(Positioned):
    """Ids, mask, segments and positions, as BERT takes them; a second output pools the first position."""

    def __init__(self) -> None:
        super().__init__()
        self.kinds = nn.Embedding(2, 32)
        self.pooler = nn.Linear(32, 32)

    def forward(  # type: ignore[override]
        self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor, position_ids: Tensor
    ) -> tuple[Tensor, Tensor]:
        x = self.words(input_ids) + self.positions(position_ids) + self.kinds(token_type_ids)
        x = self.block(x, attention_mask)
        return x, torch.tanh(self.pooler(x[:, 0]))


class RelativeTime(nn.Module):
    """Gives every frame its share of the padded length."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(17, 32)
        self.block = Block(SelfAttention())

    def forward(self, features: Tensor, mask: Tensor) -> Tensor:
        time = torch.arange(features.shape[1]) / features.shape[1]
        time = time[None, :, None].expand(features.shape[0], -1, 1)
        return self.block(torch.tanh(self.project(torch.cat([features, 4 * time], 2))), mask)


class BiasedAttention(SelfAttention):
    """Adds a bias of the distance: one learned number a bucket, or a slope a head."""

    def __init__(self, slopes: bool) -> None:
        super().__init__()
        self.slopes = slopes
        self.table = nn.Embedding(17, 4)

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        order = torch.arange(mask.shape[1])
        distance = order[None, :] - order[:, None]
        if self.slopes:
            bias = -distance.abs().float() * torch.tensor([0.5, 0.25, 0.125, 0.0625])[:, None, None]
        else:
            bias = self.table(distance.clamp(-8, 8) + 8).permute(2, 0, 1)
        return super().weights(scores + bias, mask)


class LengthScaled(SelfAttention):
    """Sharpens its scores with the logarithm of the padded length."""

    def weights(self, scores: Tensor, mask: Tensor) -> Tensor:
        length = torch.ones_like(mask[0], dtype=torch.float32).sum()
        return super().weights(scores * torch.log(length) / math.log(8), mask)


class Rotary(SelfAttention):
    """Rotary positions; with ``trained`` the base grows once the padded length passes it."""

    def __init__(self, trained: int | None = None) -> None:
        super().__init__()
        self.trained = trained

    def scores(self, x: Tensor) -> Tensor:
        time = torch.arange(x.shape[1]).float()
        base = torch.tensor(100.0)
        if self.trained is not None:
            base = base * (time.max() + 1).div(self.trained).clamp(min=1.0) ** 1.5
        angle = time[:, None] * base ** (-torch.arange(4) / 4)
        query, key = self.split(self.query(x)), self.split(self.key(x))
        return turn(query, angle) @ turn(key, angle).transpose(-2, -1) / query.shape[-1] ** 0.5


def turn(x: Tensor, angle: Tensor) -> Tensor:
    """Rotates the halves of ``x`` against each other by ``angle``."""
    first, second = x[..., :4], x[..., 4:]
    return torch.cat([first * angle.cos() - second * angle.sin(), second * angle.cos() + first * angle.sin()], -1)


class Unpositioned(nn.Module):
    """Embeddings and one block whose attention knows about positions by itself."""

    def __init__(self, attention: nn.Module) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 32)
        self.block = Block(attention)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.block(self.words(input_ids), attention_mask)


class CausalLanguageModel(nn.Module):
    """Pre-norm decoder with learned positions and tied logits; takes ids alone."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 32)
        self.positions = nn.Embedding(64, 32)
        self.norms = nn.ModuleList(nn.LayerNorm(32) for _ in range(4))
        self.attentions = nn.ModuleList(Causal(padding=False) for _ in range(2))
        self.feeds = nn.ModuleList(nn.Sequential(nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32)) for _ in range(2))
        self.final = nn.LayerNorm(32)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.words(input_ids) + self.positions(torch.arange(input_ids.shape[1]))
        for k, (attention, feed) in enumerate(zip(self.attentions, self.feeds, strict=True)):
            x = x + attention(self.norms[2 * k](x), input_ids)
            x = x + feed(self.norms[2 * k + 1](x))
        return self.final(x) @ self.words.weight.T


def placed(name: str, module: Callable[[], nn.Module], *more_inputs: Input, **more: object) -> Case:
    outputs = more.pop("outputs", HIDDEN)
    return torch_case(name, module, (*IDS_MASK, *more_inputs), outputs, **more)  # type: ignore[arg-type]


def biased(name: str, attention: Callable[[], nn.Module], **more: object) -> Case:
    return placed(name, lambda: Unpositioned(attention()), **more)


CASES: tuple[Case, ...] = (
    placed("position_absolute", Positioned, mechanism="POS-02", leaky=SIDE, clean=ROUND - SIDE),
    placed("position_given", GivenPositions, positions(), mechanism="CL-05", clean=ROUND | {"empty"}),
    placed("position_counted", CountedPositions, mechanism="CL-05", clean=ROUND | {"empty"}),
    torch_case(
        "position_from_ids",
        IdPositions,
        (tokens(reads_padding=True), mask()),
        HIDDEN,
        mechanism="CL-27",
        clean=ROUND - {"content"},
        contract_note="ids carry the mask: other ids at pads move no position of right pads, but those of left ones",
    ),
    placed(
        "position_four_inputs",
        FourInputs,
        segments(),
        positions(),
        mechanism="POOL-08",
        outputs=(*HIDDEN, Output("pooler_output", "BD")),
        clean=ROUND - SIDE,
        leaky=SIDE,
        contract_note="the first output is clean on both sides, the pooled one only on the right",
    ),
    biased("position_bucket_bias", lambda: BiasedAttention(slopes=False), mechanism="CL-06", clean=ROUND),
    biased("position_slope_bias", lambda: BiasedAttention(slopes=True), mechanism="CL-06", clean=ROUND),
    biased("position_rotary", Rotary, mechanism="CL-06", clean=ROUND),
    biased(
        "position_rotary_rescaled",
        lambda: Rotary(trained=14),
        mechanism="POS-05",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
        contract_note="leaks only beyond the trained length of 14",
    ),
    biased(
        "position_length_scaled",
        LengthScaled,
        mechanism="POS-06",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
    ),
    torch_case(
        "position_relative_time",
        RelativeTime,
        (features(), mask()),
        HIDDEN,
        mechanism="POS-06",
        leaky=frozenset({"length", "side"}),
        clean=frozenset({"content", "mates"}),
    ),
    torch_case(
        "decoder_language_model",
        CausalLanguageModel,
        (tokens(),),
        (Output("logits", "BTV"),),
        mechanism="CL-03",
        leaky=SIDE,
        clean=ROUND - SIDE,
    ),
)
