"""Layers that mix positions without weights of attention: transforms, token mixing, routing, graphs, buffers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from evaluation.corpora.mechanisms.registry import WIDTH, Layer, looks_alike, mechanism


@mechanism("MIX-01", "MC920")
class Fourier(Layer):
    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if self.leaky:
            return torch.fft.fft(torch.fft.fft(x, dim=-1), dim=1).real / 8  # leak
        return torch.fft.fft(x, dim=-1).real / 4


@mechanism("MIX-01", "MC921")
class TokenMixing(Layer):
    def setup(self) -> None:
        self.mix = nn.Parameter(torch.randn(512, 512) / 5)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        steps = x.shape[1]
        return self.mix[:steps, :steps] @ x  # leak


@mechanism("MIX-02", "MC923", "MC307", "MC114")
class CountdownSum(Layer):
    """What is still to come, as a difference of a total and a running sum."""

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        if not self.leaky:
            x = x * m.unsqueeze(-1)
        total = x.sum(1, keepdim=True)  # leak
        return (total - x.cumsum(1)) * 0.2


@mechanism("MIX-04", "MC924")
class Clusters(Layer):
    """Nodes of a graph are assigned to three clusters and read what their cluster holds."""

    def setup(self) -> None:
        self.assign, self.dense = nn.Linear(WIDTH, 3), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        shares = self.assign(x).softmax(-1)
        if not self.leaky:
            shares = shares * m.unsqueeze(-1)
        held = shares.transpose(1, 2) @ x * 0.1  # leak
        return self.dense(shares @ torch.tanh(held))


@mechanism("MIX-05", "MC109", "MC201", "MC205", "MC214")
class Induced(Layer):
    """A set of peaks padded with zeros, read through three inducing points."""

    def setup(self) -> None:
        self.points = nn.Parameter(torch.randn(3, WIDTH))
        self.into = nn.MultiheadAttention(WIDTH, 4, batch_first=True)
        self.back = nn.MultiheadAttention(WIDTH, 4, batch_first=True)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        points = self.points[None].expand(x.shape[0], -1, -1)
        if self.leaky:
            held, _ = self.into(points, x, x)  # leak
        else:
            held, _ = self.into(points, x, x, key_padding_mask=m == 0)
        return self.back(x, held, held)[0]


@mechanism("MOE-01", "MC901", "MC902", "MC922", "MC212", "MC923")
class Capacity(Layer):
    """Each expert takes the first few that ask for it, in the order of the batch; pads ask as well."""

    def setup(self) -> None:
        self.route = nn.Linear(WIDTH, 2)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        asked = F.one_hot(self.route(x).argmax(-1), 2).to(x.dtype)
        if not self.leaky:
            asked = asked * m.unsqueeze(-1)
        if self.leaky:
            queue = asked.flatten(0, 1).cumsum(0).unflatten(0, x.shape[:2])  # leak
        else:
            queue = asked.cumsum(1)
        taken = asked * (queue <= 3)
        return sum(taken[..., i, None] * expert(x) for i, expert in enumerate(self.experts))


@mechanism("MOE-01", "MC902", "MC901", "MC109")
class ExpertsChoose(Layer):
    """The two steps that want an expert most are given to it."""

    def setup(self) -> None:
        self.route, self.expert = nn.Linear(WIDTH, 1), nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        wish = self.route(x).squeeze(-1)
        if not self.leaky:
            wish = wish.masked_fill(m == 0, -1e9)
        least = wish.topk(2, dim=1).values[:, -1:]  # leak
        return self.expert(x) * (wish >= least).unsqueeze(-1)


@mechanism("MOE-02", "MC901", "MC902", "MC922", "MC923", "MC212")
class BalancedByLoad(Layer):
    """Experts that many ask for are made less wanted, by a share of the whole batch with its pads, or of the row."""

    def setup(self) -> None:
        self.route = nn.Linear(WIDTH, 3)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        wish = self.route(x).softmax(-1)
        if self.leaky:
            load = wish.mean((0, 1), keepdim=True)  # leak
        else:
            load = (wish * m.unsqueeze(-1)).sum(1, keepdim=True) / m.sum(1).clamp(min=1)[:, None, None]
        share = (5 * (wish - load)).softmax(-1)
        return sum(share[..., i, None] * expert(x) for i, expert in enumerate(self.experts))


@looks_alike("MOE-03", exports=False)
class Regrouped(Layer):
    """Steps are sorted by expert, each expert takes its group, and all are put back: only rounding depends on pads."""

    def setup(self) -> None:
        self.route = nn.Linear(WIDTH, 3)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        steps = x.flatten(0, 1)
        chosen = self.route(steps).argmax(-1)
        order = chosen.argsort(stable=True)
        groups = steps[order].split(torch.bincount(chosen, minlength=3).tolist())
        made = torch.cat([expert(group) for expert, group in zip(self.experts, groups, strict=True)])
        return made[order.argsort()].view_as(x)


@looks_alike("CL-16")
class Dropless(Layer):
    """Every step goes to its own expert, whoever else does."""

    def setup(self) -> None:
        self.route = nn.Linear(WIDTH, 3)
        self.experts = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        chosen = self.route(x).softmax(-1)
        best = F.one_hot(chosen.argmax(-1), 3).to(x.dtype) * chosen
        return sum(best[..., i, None] * expert(x) for i, expert in enumerate(self.experts))


@looks_alike("CL-01")
class BiasAtPads(Layer):
    """Pads carry values of their own, which nobody reads."""

    def setup(self) -> None:
        self.dense, self.ghost = nn.Linear(WIDTH, WIDTH), nn.Parameter(torch.randn(WIDTH) * 5)

    def forward(self, x: Tensor, m: Tensor) -> Tensor:
        return torch.where(m.unsqueeze(-1) > 0, self.dense(x), self.ghost * x)
