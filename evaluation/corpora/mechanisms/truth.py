"""The plain tests, which share no code with the audit. In float64, or in the precision that is asked about.

Mostly: each row alone and unpadded, against the same row padded, and beside others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluation.truth import FLOAT32, LEAK
from evaluation.truth.gaps import GONE

Inputs = Mapping[str, Tensor]
Model = Callable[..., Tensor]
Domain = Mapping[str, int]
"""The inputs that are padded together, each with its axis; 0 for lengths."""

HALF = 2e-2
"""A leak in half precision, where rounding may be as large as this."""
LENGTH = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded:
    """How a model's inputs are padded: ``pad`` fills ids; ``by_value`` says that only the pad value marks pads."""

    domains: Sequence[Domain]
    pad: int = 0
    by_value: bool = False

    @property
    def noises(self) -> tuple[float, ...]:
        """What stands at the pads of features: zeros, and noise where a mask or lengths hide it."""
        return (0.0,) if self.by_value else (0.0, 3.0)


@torch.no_grad()
def padding(model: Model, inputs: Inputs, how: Padded) -> dict[str, float]:
    """Differences in standard deviations: behind (``right``) and in front (``left``) of a row, and by its ``mates``.

    ``inputs`` are unpadded rows of one length. ``history`` is what other calls in between do to the same input.
    """
    whole = model(**inputs)
    rows = range(len(whole))
    alone = torch.cat([model(**_row(inputs, i)) for i in rows])
    scale = float(alone.std())
    if not scale > 0:  # constant, or NaN
        scale = 1.0
    found = {"right": 0.0, "left": 0.0, "mates": _apart(whole, alone) / scale}
    for domain in how.domains:
        for pads in (1, 2, 5, 8):
            for noise in how.noises:
                for side in ("right", "left"):
                    filled = [_filled(_row(inputs, i), domain, pads, side, noise, how.pad) for i in rows]
                    after = torch.cat([model(**x) for x in filled])
                    found[side] = max(found[side], _gap(after, alone, side) / scale)
        found["mates"] = max(found["mates"], _beside(model, inputs, domain, how) / scale)
    return {**found, "history": _apart(model(**inputs), whole) / scale}


def _beside(model: Model, inputs: Inputs, domain: Domain, how: Padded) -> float:
    """Every row beside longer and shorter ones, less what as many pads do to it alone: what the others did."""
    worst, pads = 0.0, 4
    size = next(inputs[name].shape[axis] for name, axis in domain.items() if axis)
    short = min(5, size - 1)
    mate_of = [lengthened(inputs, domain, pads), shortened(inputs, domain, short)]
    for noise in how.noises:
        torch.manual_seed(0)
        padded = _filled(inputs, domain, pads, "right", noise, how.pad)
        mate_of[1] = _filled(shortened(inputs, domain, short), domain, size + pads - short, "right", noise, how.pad)
        for i in range(rows := len(next(iter(inputs.values())))):
            mates = [mate_of[0] if j % 2 else mate_of[1] for j in range(rows)]
            mixed = {
                n: torch.stack([padded[n][j] if j == i else mates[j][n][(j + 1) % rows] for j in range(rows)])
                for n in inputs
            }
            own, beside = model(**_row(padded, i))[0], model(**mixed)[i]
            if own.ndim > 1:
                own, beside = own[:size], beside[:size]
            worst = max(worst, _apart(beside, own))
    return worst


def _gap(after: Tensor, before: Tensor, side: str) -> float:
    if after.shape != before.shape:
        steps = before.shape[1]
        after = after[:, :steps] if side == "right" else after[:, -steps:]
    return _apart(after, before)


def _apart(after: Tensor, before: Tensor) -> float:
    """The largest difference; NaN that was there before is none."""
    return float((after - before).abs().masked_fill(after.isnan() & before.isnan(), 0.0).nan_to_num(GONE).max())


def _row(inputs: Inputs, i: int) -> dict[str, Tensor]:
    return {name: x[i : i + 1] for name, x in inputs.items()}


def lengthened(inputs: Inputs, domain: Domain, by: int) -> dict[str, Tensor]:
    """Longer rows: they begin again behind their end."""
    return {
        name: x if name not in domain
        else x + by if x.ndim == 1
        else torch.cat([x, x.narrow(domain[name], 0, by)], domain[name])
        for name, x in inputs.items()
    }  # fmt: skip


def shortened(inputs: Inputs, domain: Domain, to: int) -> dict[str, Tensor]:
    """The first steps of each row."""
    return {
        name: x if name not in domain
        else x * 0 + to if x.ndim == 1
        else x.narrow(domain[name], 0, to)
        for name, x in inputs.items()
    }  # fmt: skip


def _filled(inputs: Inputs, domain: Domain, pads: int, side: str, noise: float, pad: int) -> dict[str, Tensor]:
    """Masks are 0 at the pads, ids the pad id, features zeros or noise; lengths stay."""
    found = dict(inputs)
    for name, axis in domain.items():
        x = inputs[name]
        if x.ndim == 1:
            continue
        shape = [*x.shape[:axis], pads, *x.shape[axis + 1 :]]
        tail = torch.full(shape, pad if name.endswith("ids") else 0, dtype=x.dtype)
        if x.is_floating_point() and noise:
            tail = (torch.randn(shape) * noise).to(x.dtype)
        found[name] = torch.cat([x, tail] if side == "right" else [tail, x], axis)
    return found


@torch.no_grad()
def repeat(model: Model, inputs: Inputs, how: Padded) -> dict[str, float]:
    """The same input twice."""
    return {"repeat": _apart(model(**inputs), model(**inputs))}


@torch.no_grad()
def valid(model: nn.Module, inputs: Inputs, how: Padded) -> dict[str, float]:
    """1.0 where a real step that holds the pad value counts for nothing, though steps of other values count there.

    Of ids: what was learned for the pad id is exchanged, and no answer elsewhere moves. Of frames: a frame that differs
    from the pad value by next to nothing gives another answer.
    """
    name = next(n for n, x in inputs.items() if n.endswith("ids") or n == "features")
    size = inputs[name].shape[1]
    told = _deaf if name.endswith("ids") else _jumps
    return {"blind": max(float(told(model, inputs, name, step, how.pad)) for step in range(size))}


def _deaf(model: nn.Module, inputs: Inputs, name: str, step: int, pad: int) -> bool:
    held, other = dict(inputs), dict(inputs)
    for given, id in ((held, pad), (other, (pad + 1) % 5 + 5)):
        given[name] = inputs[name].clone()
        given[name][:, step] = id
    if not _elsewhere(model(**other), model(**inputs), step, inputs[name].shape[1]):
        return False
    before = model(**held)
    tables = [m for m in model.modules() if isinstance(m, nn.Embedding) and m.num_embeddings < 100]
    for table in tables:
        table.weight[pad] += 1.0
    after = model(**held)
    for table in tables:
        table.weight[pad] -= 1.0
    return not _elsewhere(after, before, step, inputs[name].shape[1])


def _jumps(model: nn.Module, inputs: Inputs, name: str, step: int, pad: int) -> bool:
    held, near = dict(inputs), dict(inputs)
    for given, value in ((held, 0.0), (near, 1e-9)):
        given[name] = inputs[name].clone()
        given[name][:, step] = value
    return _apart(model(**near), model(**held)) > FLOAT32


def _elsewhere(after: Tensor, before: Tensor, step: int, size: int) -> bool:
    """Whether an answer moved, that of the step itself apart."""
    if after.ndim > 2 and after.shape[1] == size:
        others = [i for i in range(size) if i != step]
        after, before = after[:, others], before[:, others]
    return _apart(after, before) > LEAK


@torch.no_grad()
def empty(model: Model, inputs: Inputs, how: Padded) -> dict[str, float]:
    """A last row of nothing but padding: whether its own answer is a number, and what it does to the others."""
    full = model(**inputs)
    hollow = dict(inputs)
    for domain in how.domains:
        for name in domain:
            hollow[name] = inputs[name].clone()
            hollow[name][-1] = how.pad if name.endswith("ids") else 0
    after = model(**hollow)
    return {"own": 0.0 if bool(after[-1].isfinite().all()) else GONE, "others": _apart(after[:-1], full[:-1])}


@torch.no_grad()
def unfit(model: Model, inputs: Inputs, how: Padded) -> dict[str, float]:
    """Whether unpadded rows have answers that are no numbers."""
    return {"unpadded": 0.0 if bool(model(**inputs).isfinite().all()) else GONE}
