"""The plain test: each row alone and unpadded, against the same row padded, and beside others. In float64."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

Inputs = Mapping[str, Tensor]
LEAK = 1e-8
"""Standard deviations in float64."""
FLOAT32 = 1e-6
"""A leak below this drowns in the rounding of float32 and is left undecided."""
LENGTH = 9


def truth(module: nn.Module, inputs: Inputs) -> dict[str, float]:
    """Differences in standard deviations: behind (``right``) and in front (``left``) of a row, and by its ``mates``.

    ``inputs`` are unpadded rows of one length. Pads hold 0 where the model has no other way to know them (ids), and
    zeros and noise in features.
    """
    module = module.double().eval()
    doubled = {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()}
    with torch.no_grad():
        whole = module(**doubled)
        alone = torch.cat([module(**_row(doubled, i)) for i in range(len(whole))])
        scale = float(alone.std())
        found = {"right": 0.0, "left": 0.0, "mates": float((whole - alone).abs().max()) / scale}
        for pads in (1, 2, 5, 8):
            for noise in (0.0, 3.0):
                for side in ("right", "left"):
                    after = torch.cat(
                        [module(**_padded(_row(doubled, i), pads, side, noise)) for i in range(len(whole))]
                    )
                    found[side] = max(found[side], _gap(after, alone, side) / scale)
        found["mates"] = max(found["mates"], _beside(module, doubled) / scale)
    return found


def _beside(module: nn.Module, inputs: Inputs) -> float:
    """Every row beside longer and shorter ones, less what as many pads do to it alone: what the others did."""
    worst, pads = 0.0, 4
    longer = {name: torch.cat([x, x[:, :pads]], 1) if x.ndim > 1 else x + pads for name, x in inputs.items()}
    start = {name: x[:, :5] if x.ndim > 1 else x * 0 + 5 for name, x in inputs.items()}
    for noise in (0.0, 3.0):
        torch.manual_seed(0)
        padded = _padded(inputs, pads, "right", noise)
        shorter = _padded(start, LENGTH + pads - 5, "right", noise)
        for i in range(rows := len(next(iter(inputs.values())))):
            mates = [longer if j % 2 else shorter for j in range(rows)]
            mixed = {
                n: torch.stack([padded[n][j] if j == i else mates[j][n][(j + 1) % rows] for j in range(rows)])
                for n in inputs
            }
            own, beside = module(**_row(padded, i))[0], module(**mixed)[i]
            if own.ndim > 1:
                own, beside = own[:LENGTH], beside[:LENGTH]
            worst = max(worst, float((beside - own).abs().nan_to_num(9.0).max()))
    return worst


def _gap(after: Tensor, before: Tensor, side: str) -> float:
    if after.shape != before.shape:
        steps = before.shape[1]
        after = after[:, :steps] if side == "right" else after[:, -steps:]
    return float((after - before).abs().nan_to_num(9.0).max())


def _row(inputs: Inputs, i: int) -> dict[str, Tensor]:
    return {name: x[i : i + 1] for name, x in inputs.items()}


def _padded(inputs: Inputs, pads: int, side: str, noise: float) -> dict[str, Tensor]:
    found = {}
    for name, x in inputs.items():
        if x.ndim == 1:
            found[name] = x
            continue
        tail = torch.zeros((x.shape[0], pads, *x.shape[2:]), dtype=x.dtype)
        if x.ndim == 3 and noise:
            tail = torch.randn(tail.shape, dtype=x.dtype) * noise
        found[name] = torch.cat([x, tail] if side == "right" else [tail, x], 1)
    return found
