"""The plain test: padded against unpadded, in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from evaluation.truth.in_torch import doubled

LEAK = 1e-9
"""Standard deviations in float64, where rounding is near 1e-15."""
VISIBLE = 0.02
"""A leak smaller than this can drown in half precision, whose rounding is near 0.004."""
PADS = (1, 3, 7, 14)
Test = Callable[[nn.Module, Iterable[dict[str, Tensor]]], float]


def difference(module: nn.Module, batches: Iterable[dict[str, Tensor]]) -> float:
    """max|padded - unpadded| at the real positions over batches and numbers of pads, in standard deviations."""
    module = module.double().eval()
    return max(_difference(module, batch) for batch in batches)


def _difference(module: nn.Module, inputs: dict[str, Tensor]) -> float:
    plain = doubled(inputs)
    length = max(x.shape[1] for x in plain.values() if x.ndim > 1)
    worst = 0.0
    with torch.no_grad():
        before = module(**plain)
        for pads in PADS:
            after = module(**{name: _padded(x, pads, length) for name, x in plain.items()})
            part = after[tuple(slice(0, n) for n in before.shape)]
            worst = max(worst, float((part - before).abs().max() / before.std()))
    return worst


def _padded(x: Tensor, pads: int, length: int) -> Tensor:
    """Pads behind the longest inputs; a target of another length stays as it is."""
    if x.ndim < 2 or x.shape[1] != length:
        return x
    tail = torch.zeros((x.shape[0], pads, *x.shape[2:]), dtype=x.dtype)
    return torch.cat([x, tail], 1)


def worth(module: nn.Module, batches: Iterable[dict[str, Tensor]]) -> float:
    """The same question of a model that takes one length only: what its answers owe to what pads are.

    Of every row half the steps are real. Their answers before and after the pads became something else: the embedding
    of id 0 another one, zeros in features noise.
    """
    module = module.double().eval()
    return max(_worth(module, batch) for batch in batches)


def _worth(module: nn.Module, inputs: dict[str, Tensor]) -> float:
    length = max(x.shape[1] for x in inputs.values() if x.ndim > 1)
    real = length // 2 + 1
    plain = {name: _emptied(x, real, length) for name, x in doubled(inputs).items()}
    noisy = {name: _noisy(x, real, length) for name, x in plain.items()}
    tables = [m.weight for m in module.modules() if isinstance(m, nn.Embedding)]
    with torch.no_grad():
        before = module(**plain)
        kept = [table[0].clone() for table in tables]
        for table in tables:
            table[0] = torch.randn(table.shape[1], dtype=table.dtype) * 2
        after = module(**noisy)
        for table, row in zip(tables, kept, strict=True):
            table[0] = row
    if before.ndim > 2 and before.shape[1] == length:
        before, after = before[:, :real], after[:, :real]
    return float((after - before).abs().max() / before.std())


def _emptied(x: Tensor, real: int, length: int) -> Tensor:
    """Everything behind the real steps 0; lengths say how many there are."""
    if x.ndim == 1:
        return torch.full_like(x, real)
    if x.shape[1] != length:
        return x
    emptied = x.clone()
    emptied[:, real:] = 0
    return emptied


def _noisy(x: Tensor, real: int, length: int) -> Tensor:
    if x.ndim < 3 or x.shape[1] != length:
        return x
    changed = x.clone()
    changed[:, real:] = torch.randn(changed[:, real:].shape, dtype=x.dtype) * 2
    return changed
