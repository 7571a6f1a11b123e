"""Models that mix positions by design, route them, or accumulate over them."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from .case import MATES, PADS, ROUND, SIDE, Case, Input, Output, features, mask, tokens
from .export import torch_case


class Fourier(nn.Module):
    """The real part of the discrete Fourier transform over time, as a product with cosines."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 24)
        self.norm = nn.LayerNorm(24)
        self.feed = nn.Linear(24, 24)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.words(input_ids)
        time = torch.arange(input_ids.shape[1]).float()
        cosines = torch.cos(time[:, None] * time[None, :] * (2 * math.pi) / input_ids.shape[1])
        x = self.norm(x + cosines @ x)
        return x + torch.tanh(self.feed(x))


class Mixer(nn.Module):
    """An MLP over the 20 time steps, then one over the channels."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(16)
        self.tokens = nn.Sequential(nn.Linear(20, 32), nn.GELU(), nn.Linear(32, 20))
        self.channels = nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16))

    def forward(self, features: Tensor) -> Tensor:
        x = features + self.tokens(self.norm(features).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(x)


class LowRank(nn.Module):
    """Keys and values are projected over time to six before the softmax, where no key mask can reach them."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 16)
        self.query = nn.Linear(16, 16)
        self.shrink = nn.Linear(20, 6, bias=False)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.words(input_ids)
        short = self.shrink(x.transpose(1, 2)).transpose(1, 2)
        return x + (self.query(x) @ short.transpose(1, 2)).softmax(-1) @ short


class FlattenedDense(nn.Module):
    """Embedding, flatten, two dense layers: every column has weights of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 6)
        self.middle = nn.Linear(20 * 6, 16)
        self.out = nn.Linear(16, 3)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.out(self.middle(self.words(input_ids).flatten(1)))


class ReverseSum(nn.Module):
    """Each step gets the sum of all steps after it, pads included."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 20, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        return torch.tanh(self.project(features.flip(1).cumsum(1).flip(1)))


class RunningSum(nn.Module):
    """Each step gets the sum of the steps before it."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 20)

    def forward(self, features: Tensor) -> Tensor:
        return self.project(torch.tanh(features)).cumsum(1)


class StateSpace(nn.Module):
    """A diagonal linear recurrence with decay, as one product with a triangle of powers."""

    def __init__(self) -> None:
        super().__init__()
        self.project = nn.Linear(16, 20)
        self.decay = nn.Parameter(torch.rand(20) * 0.4 + 0.5)

    def forward(self, features: Tensor) -> Tensor:
        time = torch.arange(features.shape[1])
        lag = time[:, None] - time[None, :]
        kernel = self.decay ** lag.clamp(min=0)[..., None] * (lag >= 0)[..., None]
        return torch.einsum("tsd,bsd->btd", kernel, self.project(features))


class Experts(nn.Module):
    """Sends every token to its best of three experts; a ``capacity`` drops those that come too late."""

    def __init__(self, capacity: int | None) -> None:
        super().__init__()
        self.capacity = capacity
        self.words = nn.Embedding(50, 16)
        self.router = nn.Linear(16, 3)
        self.weight = nn.Parameter(torch.randn(3, 16, 16) / 4)

    def forward(self, input_ids: Tensor) -> Tensor:
        x = self.words(input_ids)
        flat = x.reshape(-1, 16)
        scores = self.router(flat).softmax(-1)
        chosen = (scores == scores.amax(-1, keepdim=True)).to(x.dtype)
        if self.capacity is not None:
            chosen = chosen * (chosen.cumsum(0) <= self.capacity)
        routed = torch.einsum("nd,edf,ne->nf", flat, self.weight, chosen * scores)
        return x + routed.reshape(x.shape)


class SetEncoder(nn.Module):
    """Sums a function of each element; ``masked`` leaves the padding elements out."""

    def __init__(self, masked: bool = False) -> None:
        super().__init__()
        self.masked = masked
        self.element = nn.Sequential(nn.Linear(5, 24), nn.ReLU(), nn.Linear(24, 24))
        self.out = nn.Linear(24, 7)

    def forward(self, peaks: Tensor, mask: Tensor) -> Tensor:
        x = self.element(peaks)
        return self.out((x * mask.unsqueeze(-1) if self.masked else x).sum(1))


class UnmaskedSet(SetEncoder):
    def forward(self, peaks: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(peaks, peaks)


def mixing(name: str, module: Callable[[], nn.Module], spec: tuple[Input, ...], axes: str, **more: object) -> Case:
    return torch_case(name, module, spec, (Output("output", axes),), **more)  # type: ignore[arg-type]


FIXED = {"T": 20}

CASES: tuple[Case, ...] = (
    mixing("mix_fourier", Fourier, (tokens(),), "BTD", mechanism="MIX-01", leaky=PADS, clean=MATES, origin="MatMul"),
    mixing(
        "mix_tokens",
        Mixer,
        (features(),),
        "BTD",
        mechanism="MIX-01",
        fixed=FIXED,
        leaky=frozenset({"content", "side"}),
        clean=MATES,
        contract_note="always padded to 20 steps, by design (CL-22)",
    ),
    mixing(
        "mix_low_rank",
        LowRank,
        (tokens(),),
        "BTD",
        mechanism="ATT-24",
        fixed=FIXED,
        leaky=frozenset({"content", "side"}),
        clean=MATES,
    ),
    mixing(
        "mix_flatten",
        FlattenedDense,
        (tokens(),),
        "BC",
        mechanism="KER-06",
        fixed=FIXED,
        leaky=frozenset({"content", "side"}),
        clean=MATES,
    ),
    mixing(
        "mix_reverse_sum",
        ReverseSum,
        (features(),),
        "BTD",
        mechanism="MIX-02",
        leaky=frozenset({"content"}),
        clean=frozenset({"length", "mates", "side"}),
        contract_note="zero pads add nothing",
    ),
    mixing("mix_running_sum", RunningSum, (features(),), "BTD", mechanism="CL-04", leaky=SIDE, clean=ROUND - SIDE),
    mixing("mix_state_space", StateSpace, (features(),), "BTD", mechanism="CL-04", leaky=SIDE, clean=ROUND - SIDE),
    mixing(
        "mix_experts_capacity",
        lambda: Experts(4),
        (tokens(),),
        "BTD",
        mechanism="MOE-01",
        leaky=MATES | SIDE,
        clean=frozenset({"length", "content"}),
        contract_note="a row that comes first keeps its slots",
    ),
    mixing("mix_experts", lambda: Experts(None), (tokens(),), "BTD", mechanism="CL-16", clean=ROUND),
    mixing(
        "mix_set",
        UnmaskedSet,
        (features("peaks", D=5),),
        "BC",
        mechanism="MIX-05",
        leaky=PADS,
        clean=MATES,
        origin="ReduceSum",
    ),
    mixing(
        "mix_masked_set",
        lambda: SetEncoder(True),
        (features("peaks", D=5), mask()),
        "BC",
        mechanism="CL-09",
        clean=ROUND,
    ),
)
