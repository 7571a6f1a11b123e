"""Padding in training: loss, metrics and gradients of one batch with and without pads behind the same content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskcheck.core.contract import Contract, OutputKind
from maskcheck.core.errors import RunError
from maskcheck.core.model import Array, Model
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.core.training import Change, Step, Targets, Trainable, TrainingFacts
from maskcheck.probe.entry import feeds
from maskcheck.probe.layout import Padding
from maskcheck.probe.run_twins import TwinResults
from maskcheck.probe.runner import PaddedBatch, split_rows
from maskcheck.probe.twins.context import TwinContext

ROUNDING = 1e-4
"""Relative change of a loss, a metric or a gradient that is rounding: the sums of a batch in float32 lose some 1e-6,
and one pad counted among a thousand positions moves them by 1e-3."""


@dataclass(frozen=True, slots=True)
class Training:
    """Rows for the passport, and what the rules may explain; ``facts`` is ``None`` where nothing moved or was tried."""

    rows: tuple[PassportRow, ...]
    facts: TrainingFacts | None = None


def training(model: Model, contract: Contract, results: TwinResults, loss: Any, seed: int) -> Training:
    """Compare one step on a padded batch with one on the same batch unpadded. Every domain is tried."""
    if not isinstance(model, Trainable):
        return _untested("this kind of file holds no loss to check: audit the module or the Keras model itself")
    if not results.contexts:
        return _untested("no padding could be tried at all")
    rows: list[PassportRow] = []
    facts: TrainingFacts | None = None
    for context in results.contexts:
        found = _domain(model, contract, results, context, loss, seed)
        rows += found.rows
        facts = facts or found.facts
    return Training(tuple(rows), facts)


def _domain(
    model: Trainable, contract: Contract, results: TwinResults, context: TwinContext, loss: Any, seed: int
) -> Training:
    if context.plan.fixed:
        return _untested("its length is fixed, so nothing can be compared with an unpadded batch", context.domain)
    short, long = _calls(context)
    try:
        return _compared(model, contract, results, context, _Batches(short, long, loss, seed))
    except RunError as error:
        return _untested(error.message, context.domain)


@dataclass(frozen=True, slots=True)
class _Batches:
    short: PaddedBatch
    long: PaddedBatch
    loss: Any
    seed: int


def _calls(context: TwinContext) -> tuple[PaddedBatch, PaddedBatch]:
    """One row, as often as a batch needs it, unpadded and with its pads."""
    row = context.rows[0]
    rows = (row,) * context.runner.batch_size(1)
    sides = context.padding(context.plan.few)
    return PaddedBatch(rows, Padding(dict(row.lengths))), PaddedBatch(rows, sides)


def _compared(
    model: Trainable, contract: Contract, results: TwinResults, context: TwinContext, batches: _Batches
) -> Training:
    short, long, loss = batches.short, batches.long, batches.loss
    plain, padded = feeds(contract, short), feeds(contract, long)
    targets = model.targets(plain, loss, batches.seed)
    wide = _widened(targets, context, short, long)
    before, mode = _repeatable(model, plain, targets.values, loss)
    after = model.step(padded, wide, loss, training=mode)
    dimension = context.plan.domain.dimensions[0].name
    answers_leak = any(
        row.status is Status.LEAKY and row.gating and row.domain in (context.domain, None) for row in results.passport
    )
    facts = TrainingFacts(
        framework=context.model.info.framework,
        domain=context.domain,
        valid=short.padding.totals[dimension],
        total=long.padding.totals[dimension],
        loss=Change("loss", before.loss, after.loss),
        loss_moves=_moves(before.loss, after.loss),
        stepwise=targets.stepwise,
        metrics=tuple(
            Change(name, value, after.metrics[name])
            for name, value in before.metrics.items()
            if name in after.metrics and _moves(value, after.metrics[name])
        ),
        gradients=_moved_gradients(before, after),
        answers_move=_answers_move(contract, context, before, after, long),
        answers_leak=answers_leak,
    )
    rows = _rows(facts, before, targets, mode)
    leaks = any(row.status is Status.LEAKY for row in rows)
    return Training(rows, facts if leaks else None)


def _repeatable(
    model: Trainable, plain: Mapping[str, Array], labels: Mapping[str, Array], loss: Any
) -> tuple[Step, bool]:
    """A step that comes out alike twice, and whether it was taken in training mode: noise would look like a leak.

    Raises:
        RunError: not even inference mode does.
    """
    for mode in (True, False):
        first, second = (model.step(plain, labels, loss, training=mode) for _ in range(2))
        if not _moves(first.loss, second.loss):
            return first, mode
    raise RunError("the loss of the same batch differs from call to call")


def _widened(targets: Targets, context: TwinContext, short: PaddedBatch, long: PaddedBatch) -> dict[str, Array]:
    """Labels of the padded batch: the same ones, and the pad label behind (or before) them."""
    if not targets.stepwise:
        return dict(targets.values)
    return {name: _around(value, targets.pad, context, short, long) for name, value in targets.values.items()}


def _around(value: Array, pad: Any, context: TwinContext, short: PaddedBatch, long: PaddedBatch) -> Array:
    dimension = context.plan.domain.dimensions[0].name
    valid, total = short.padding.totals[dimension], long.padding.totals[dimension]
    steps = value.shape[1]
    # A strided model has fewer steps than positions.
    extra = total - valid if steps == valid else -(-steps * total // valid) - steps
    width = [(0, 0)] * value.ndim
    width[1] = (0, extra) if context.side.value == "right" else (extra, 0)
    return np.pad(value, width, constant_values=np.asarray(pad, dtype=value.dtype))


def _moves(a: float, b: float) -> bool:
    if not (np.isfinite(a) and np.isfinite(b)):
        return bool(np.isfinite(a) != np.isfinite(b))
    return abs(a - b) > ROUNDING * max(abs(a), abs(b))


def _moved_gradients(before: Step, after: Step) -> tuple[tuple[str, float], ...]:
    """Parameters whose gradient moved by more than rounding, of its own size and of that of all gradients."""
    largest = max((float(np.abs(g).max(initial=0.0)) for g in before.gradients.values()), default=0.0)
    moved = []
    for name, gradient in before.gradients.items():
        other = after.gradients.get(name)
        if other is None or other.shape != gradient.shape:
            continue
        gap = float(np.abs(gradient - other).max(initial=0.0))
        own = float(np.abs(gradient).max(initial=0.0))
        scale = max(own, ROUNDING * largest)
        if not gap <= ROUNDING * 10 * scale:
            moved.append((name, gap / scale if scale else float("inf")))
    return tuple(moved)


def _answers_move(contract: Contract, context: TwinContext, before: Step, after: Step, long: PaddedBatch) -> bool:
    region = context.runner.regions(long.rows[0].lengths, long.padding)
    for spec in contract.outputs:
        if spec.name not in before.outputs or spec.kind not in (OutputKind.SEQUENCE, OutputKind.POOLED):
            continue
        a = split_rows(before.outputs[spec.name], spec, 1)[0]
        b = region[spec.name].cut(split_rows(after.outputs[spec.name], spec, 1)[0])
        if a.shape != b.shape or not np.issubdtype(a.dtype, np.floating):
            continue
        spread = float(a.std()) or 1.0
        if not float(np.abs(a - b).max(initial=0.0)) <= 10 * ROUNDING * spread:
            return True
    return False


def _rows(facts: TrainingFacts, before: Step, targets: Targets, mode: bool) -> tuple[PassportRow, ...]:
    """Loss, every metric, gradients. They gate where the answers themselves do not leak: otherwise they only follow."""
    gating = not facts.answers_leak
    how = f"{facts.valid} real of {facts.total}" + (f", labels at pads {targets.pad}" if targets.stepwise else "")
    how += "" if mode else ", layers in inference mode because training mode is random"

    def row(variant: Variant, leaks: bool, said: str, detail: str = "") -> PassportRow:
        return PassportRow(
            twin=TwinKind.TRAINING,
            variant=variant,
            domain=facts.domain,
            status=Status.LEAKY if leaks else Status.CLEAN,
            gating=gating,
            reason=f"{said}; {how}" if leaks else how,
            detail=detail,
        )

    rows = [row(Variant.LOSS, facts.loss_moves, f"loss {_short(facts.loss.unpadded)} -> {_short(facts.loss.padded)}")]
    moved = {change.name: change for change in facts.metrics}
    for name in before.metrics:
        change = moved.get(name)
        said = f"{_short(change.unpadded)} -> {_short(change.padded)}" if change else ""
        rows.append(row(Variant.METRIC, change is not None, said, name))
    if before.gradients:
        names = [name for name, _ in facts.gradients]
        said = f"{len(names)} of {len(before.gradients)} parameters, first {names[0]}" if names else ""
        rows.append(row(Variant.GRADIENT, bool(names), said))
    return tuple(rows)


def _short(value: float) -> str:
    return f"{value:.4g}"


def _untested(reason: str, domain: str | None = None) -> Training:
    row = PassportRow(
        twin=TwinKind.TRAINING,
        variant=Variant.LOSS,
        domain=domain,
        status=Status.UNTESTED,
        gating=True,
        reason=reason,
    )
    return Training((row,))
