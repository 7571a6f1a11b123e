"""The plain test: every row alone and unpadded, against the same row padded and beside others, in float64.

It shares no code with the audit.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.corpora.reported.registry import BATCH, Given, Report

LEAK = 1e-8
"""Standard deviations in float64."""
FLOAT32 = 1e-6
"""A leak below this drowns in the rounding of float32 and is left undecided."""
ROWS = 12
_SIZES = (9, 7, 8, 5, 6, 9, 4, 7)
_OTHER = (6, 7, 4, 5, 7, 3, 6)
_GONE = 9.0
"""Stands for a difference from what is no number."""


def build(report: Report, mended: bool) -> nn.Module:
    """With norms and biases as training leaves them, not as they start."""
    torch.manual_seed(zlib.crc32(report.name.encode()) % 1000)
    module = report.build(mended).eval()
    seeded = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in module.parameters():
            if parameter.ndim == 1:
                parameter += torch.randn(parameter.shape, generator=seeded) * 0.3
        for name, buffer in module.named_buffers():
            if name.endswith("running_mean"):
                buffer += torch.randn(buffer.shape, generator=seeded) * 0.3
            elif name.endswith("running_var"):
                buffer += torch.rand(buffer.shape, generator=seeded)
    return module


def domains(report: Report) -> list[str]:
    named = [axis for given in report.inputs.values() for axis in given.shape if isinstance(axis, str)]
    return [name for name in dict.fromkeys(named) if name != BATCH]


def size(report: Report, row: int, domain: str) -> int:
    """How many real positions a row has."""
    sizes = _OTHER if domains(report).index(domain) else _SIZES
    return max(sizes[row % len(sizes)], report.shortest)


def batch(
    report: Report, rows: Sequence[int], pads: Mapping[str, int] | None = None, noise: float = 0.0
) -> dict[str, Tensor]:
    """Rows as a loader collates them, each domain ``pads`` longer than its longest row."""
    totals = {d: max(size(report, r, d) for r in rows) + (pads or {}).get(d, 0) for d in domains(report)}
    return {
        name: _collated(report, given, i, rows, totals, noise) for i, (name, given) in enumerate(report.inputs.items())
    }


def _collated(
    report: Report, given: Given, number: int, rows: Sequence[int], totals: Mapping[str, int], noise: float
) -> Tensor:
    dtype = getattr(torch, given.dtype)
    if given.domain:
        own = torch.tensor([size(report, r, given.domain) for r in rows])
        return own if given.kind == "lengths" else (own / totals[given.domain]).to(dtype)
    at = given.shape.index(BATCH)
    shape = [totals[a] if isinstance(a, str) else a for a in given.shape if a != BATCH]
    stacked = []
    for row in rows:
        real = [size(report, row, a) if isinstance(a, str) else a for a in given.shape if a != BATCH]
        if given.kind == "feats":
            seeded = torch.Generator().manual_seed(7000 + 31 * row + number + sum(shape))
            whole = torch.randn(shape, generator=seeded, dtype=torch.float64).to(dtype) * noise
        else:
            whole = torch.full(shape, given.pad).to(dtype)
        place = tuple(
            slice(total - own, total) if report.left else slice(0, own) for own, total in zip(real, shape, strict=True)
        )
        whole[place] = _content(given, real, 31 * row + number)
        stacked.append(whole)
    return torch.stack(stacked, at)


def _content(given: Given, shape: Sequence[int], seed: int) -> Tensor:
    seeded = torch.Generator().manual_seed(seed)
    dtype = getattr(torch, given.dtype)
    if given.kind == "ids":
        drawn = torch.randint(1, given.vocab, tuple(shape), generator=seeded)
        return torch.where(drawn == given.pad, given.pad - 1 if given.pad > 1 else 2, drawn)
    if given.kind == "feats":
        return torch.randn(*shape, generator=seeded).to(dtype)
    if given.kind == "steps":
        return torch.arange(shape[-1]).expand(*shape)
    return torch.full(tuple(shape), 1 - int(given.pad)).to(dtype)


def doubled(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: x.double() if x.is_floating_point() else x for name, x in inputs.items()}


def answers(found: Any) -> list[Tensor]:
    """The tensors in whatever a model returns."""
    if isinstance(found, Tensor):
        return [found]
    if isinstance(found, Mapping):
        found = found.values()
    if isinstance(found, list | tuple) or not hasattr(found, "__dict__"):
        return [x for item in found if item is not None for x in answers(item)]
    return answers(vars(found))


@torch.no_grad()
def plain(report: Report, mended: bool) -> dict[str, float]:
    """Differences in standard deviations: by ``pads`` of the row, of each domain and of all, and by ``mates``."""
    model = build(report, mended).double()
    kept = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return _plain(report, model)
    finally:
        torch.set_default_dtype(kept)


def _plain(report: Report, model: nn.Module) -> dict[str, float]:
    def run(rows: Sequence[int], pads: Mapping[str, int] | None = None, noise: float = 0.0) -> list[Tensor]:
        return answers(model(**doubled(batch(report, rows, pads, noise))))

    alone = {row: run([row]) for row in range(ROWS)}
    scales = [
        max(float(torch.cat([alone[r][i].double().flatten() for r in alone]).nan_to_num().std()), 1e-12)
        for i in range(len(alone[0]))
    ]
    noises = (0.0,) if report.shown else (0.0, 3.0)
    named = domains(report)
    found = {"pads": 0.0, "mates": 0.0}
    for row, count, noise, chosen in product(range(ROWS), (1, 2, 5, 8), noises, [[d] for d in named] + [named]):
        after = run([row], dict.fromkeys(chosen, count), noise)
        found["pads"] = max(found["pads"], _apart(report, after, 0, alone[row], scales))
    for rows, extra, noise in product(([*range(ROWS)], [3, 0], [0, 5], [1, 7]), (0, 3), noises):
        beside = run(rows, dict.fromkeys(named, extra), noise)
        for place, row in enumerate(rows):
            found["mates"] = max(found["mates"], _apart(report, beside, place, alone[row], scales))
    return found


def _apart(
    report: Report, after: Sequence[Tensor], place: int, before: Sequence[Tensor], scales: Sequence[float]
) -> float:
    worst = 0.0
    for i, (own, then, scale) in enumerate(zip(before, after, scales, strict=True)):
        axis = report.rows[min(i, len(report.rows) - 1)]
        x, y = then.select(axis, place).double(), own.select(axis, 0).double()
        for dim in range(y.ndim):
            if x.shape[dim] != y.shape[dim]:
                x = x.narrow(dim, x.shape[dim] - y.shape[dim] if report.left else 0, y.shape[dim])
        gap = (x - y).abs().masked_fill((x == y) | (x.isnan() & y.isnan()), 0.0).nan_to_num(_GONE)
        if gap.numel():
            worst = max(worst, float(gap.max()) / scale)
    return worst
