"""Two PyTorch models, the losses they are trained with, and the plain test of one step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLASSES, WORDS, WIDTH, ROWS, LENGTH = 5, 60, 16, 3, 9
Loss = Callable[..., Tensor]


class Shares(nn.Module):
    """Logits, and the shares of three experts in every step."""

    def __init__(self, host: str, experts: bool, norm: str) -> None:
        super().__init__()
        self.embed, self.up = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.rnn = nn.GRU(WIDTH, WIDTH, batch_first=True) if host == "reader" else None
        self.norm = nn.BatchNorm1d(WIDTH) if norm == "batch" else nn.LayerNorm(WIDTH) if norm == "layer" else None
        self.route = nn.Linear(WIDTH, 3) if experts else None
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Any:
        x = torch.relu(self.up(self.embed(input_ids)))
        x = x if self.rnn is None else self.rnn(x)[0]
        if isinstance(self.norm, nn.BatchNorm1d):
            x = self.norm(x.transpose(1, 2)).transpose(1, 2)
        elif self.norm is not None:
            x = self.norm(x)
        logits = self.head(x)
        return logits if self.route is None else (logits, self.route(x).softmax(-1))


def each(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.movedim(-1, 1), labels.clamp(min=0), reduction="none")


def real_steps(logits: Tensor, labels: Tensor, attention_mask: Tensor) -> Tensor:
    return (each(logits, labels) * attention_mask).sum() / attention_mask.sum()


def all_steps(logits: Tensor, labels: Tensor, attention_mask: Tensor) -> Tensor:
    return (each(logits, labels) * attention_mask).mean()


def squares(logits: Tensor, labels: Tensor, attention_mask: Tensor) -> Tensor:
    wanted = F.one_hot(labels.clamp(min=0), CLASSES).to(logits.dtype)
    return ((logits - wanted).square().mean(-1) * attention_mask).sum() / attention_mask.sum()


def all_squares(logits: Tensor, labels: Tensor, attention_mask: Tensor) -> Tensor:
    wanted = F.one_hot(labels.clamp(min=0), CLASSES).to(logits.dtype)
    return ((logits - wanted) * attention_mask.unsqueeze(-1)).square().mean()


def divisor_only(logits: Tensor, labels: Tensor, attention_mask: Tensor) -> Tensor:
    return each(logits, labels).sum() / attention_mask.sum()


def pads_ignored(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits.movedim(-1, 1), labels, ignore_index=-100)


def pads_are_a_class(logits: Tensor, labels: Tensor) -> Tensor:
    return each(logits, labels).mean()


def balanced(outputs: Any, labels: Tensor, attention_mask: Tensor) -> Tensor:
    logits, shares = outputs
    load = (shares * attention_mask.unsqueeze(-1)).sum((0, 1)) / attention_mask.sum()
    return real_steps(logits, labels, attention_mask) + 3 * load.square().sum()


def balanced_over_pads(outputs: Any, labels: Tensor, attention_mask: Tensor) -> Tensor:
    logits, shares = outputs
    return real_steps(logits, labels, attention_mask) + 3 * shares.mean((0, 1)).square().sum()


LOSSES: dict[str, tuple[Loss, Loss]] = {
    "mean over all steps": (all_steps, real_steps),
    "squares over all steps": (all_squares, squares),
    "mask in the divisor only": (divisor_only, real_steps),
    "pads are a class": (pads_are_a_class, pads_ignored),
    "balance over all steps": (balanced_over_pads, balanced),
    "statistics of the batch": (real_steps, real_steps),
}
"""The leaky and the mended loss of a fault."""


def build(fault: str, host: str, leaky: bool) -> tuple[nn.Module, Loss]:
    torch.manual_seed(4)
    norm = ("batch" if leaky else "layer") if fault == "statistics of the batch" else ""
    return Shares(host, fault == "balance over all steps", norm), LOSSES[fault][not leaky]


def inputs() -> dict[str, Tensor]:
    ids = torch.randint(1, WORDS, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def difference(fault: str, host: str, leaky: bool) -> float:
    """How far loss, gradients and answers in training mode of a padded step are from the unpadded one's, in float64."""
    module, loss = build(fault, host, leaky)
    module = module.double().train()
    given = inputs()
    labels = torch.randint(0, CLASSES, (ROWS, LENGTH), generator=torch.Generator().manual_seed(1))
    plain = _step(module, loss, given, labels)
    worst = 0.0
    for pads in (1, 4, 9):
        padded = _step(
            module, loss, {k: F.pad(x, (0, pads)) for k, x in given.items()}, F.pad(labels, (0, pads), value=-100)
        )
        for before, after in zip(plain, padded, strict=True):
            after = after[:, :LENGTH] if after.ndim == 3 else after
            worst = max(worst, float((after - before).abs().max() / before.abs().max().clamp(min=1e-12)))
    return worst


def _step(module: nn.Module, loss: Loss, given: dict[str, Tensor], labels: Tensor) -> list[Tensor]:
    module.zero_grad()
    outputs = module(**given)
    code = loss.__code__
    more = {k: given[k] for k in code.co_varnames[: code.co_argcount] if k in given}
    value = loss(outputs, labels, **more)
    value.backward()
    logits = outputs[0] if isinstance(outputs, tuple) else outputs
    return [value.detach(), logits.detach(), *(p.grad for p in module.parameters() if p.grad is not None)]
