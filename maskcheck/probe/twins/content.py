"""What stands at the pads: other content of the same shape under the same mask, and poison."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from maskcheck.core.contract import Role
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array
from maskcheck.core.report import TwinKind
from maskcheck.probe.entry import entries, feeds, pad_rows_changed
from maskcheck.probe.layout import Fill
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import Call
from maskcheck.probe.twins.bench import Bench

_NEARLY = "a pad that misses the pad value by 0.001 in one feature counts as a real step"

Compared = list[tuple[Gap, Call, Call]]


def content(bench: Bench) -> Iterator[Observation]:
    """Other values at the pads, same shape, same mask. Exactly nothing changes in a clean model."""
    gating = bench.gating(TwinKind.CONTENT)
    try:
        found = worth_of_pads(bench)
    except TraceError as error:
        yield bench.untested(TwinKind.CONTENT, "pad row", error.message)
        return
    if found is None:
        yield bench.untested(
            TwinKind.CONTENT, "pads", "nothing but the pad value marks the padding, so pads cannot hold anything else"
        )
        return
    compared, pad_row = found
    yield bench.observe(TwinKind.CONTENT, "pad row" if pad_row else "pads", compared, gating=gating, pad_row=pad_row)


def worth_of_pads(bench: Bench) -> tuple[Compared, bool] | None:
    """Compare pads of one content with pads of another, by feeding it or by changing the pad's embedding row.

    The flag says which: true for the embedding row. ``None`` where neither is possible.
    """
    if bench.free_content:
        return _fed(bench), False
    recognised = [s for s in bench.contract.of(bench.domain, Role.FEATURES) if s.ids_carry_mask]
    if not recognised and not bench.contract.of(bench.domain, Role.TOKENS):
        return None
    found = _pad_row(bench, None)
    return None if found is None else ([found], True)


def _fed(bench: Bench) -> Compared:
    reference = bench.padded(bench.rows, bench.plan.few)
    answers = bench.runner.valid(reference)
    compared = []
    for fill, seed in ((Fill.RANDOM, 1), (Fill.OTHER_RANDOM, 2)):
        twin = bench.padded(bench.rows, bench.plan.few, fill, seed)
        compared.append((bench.judge.compare(answers, bench.runner.valid(twin), exact=True), reference, twin))
    return compared


def _pad_row(bench: Bench, fill: Array | float | None) -> tuple[Gap, Call, Call] | None:
    """Change the embedding of the pad id in the instrumented model; ids and masks stay as they are."""
    rows = bench.exactly(bench.runner.batch_size(min(4, len(bench.rows))))
    call = bench.padded(rows, bench.plan.few)
    arrays = feeds(bench.contract, call)
    base = bench.model.trace(arrays)
    found = [e for e in entries(bench.model, bench.contract, base) if e.input.domain == bench.domain]
    patches = pad_rows_changed(bench.contract, call, base, tuple(found), fill, bench.settings.seed + 29)
    if not patches:
        return None
    moved = bench.model.trace(arrays, patches=patches, record=())
    before, after = (bench.runner.valid_outputs(run.outputs, call) for run in (base, moved))
    return bench.judge.compare(before, after, exact=True), call, call


def poison(bench: Bench) -> Iterator[Observation]:
    """NaN, infinity and huge values at the pads. A hygiene check: a correct softmax mask lets NaN through as well."""
    gating = bench.gating(TwinKind.POISON)
    features = bench.contract.of(bench.domain, Role.FEATURES)
    if not any(np.issubdtype(np.dtype(spec.dtype), np.floating) for spec in features):
        yield from _poisoned_rows(bench, gating)
        return
    if bench.free_content:
        fills = {"nan": Fill.NAN, "inf": Fill.INF, "huge": Fill.HUGE}
    elif any(spec.ids_carry_mask for spec in features):
        fills = {"near miss": Fill.NEAR}
    else:
        yield bench.untested(TwinKind.POISON, "pads", "nothing but the pad value marks the padding", gating=gating)
        return
    reference = bench.padded(bench.rows, bench.plan.few)
    answers = bench.runner.valid(reference)
    for name, fill in fills.items():
        twin = bench.padded(bench.rows, bench.plan.few, fill, seed=3)
        try:
            gap = bench.judge.compare(answers, bench.runner.valid(twin), exact=True)
        except RunError as error:
            yield bench.untested(TwinKind.POISON, name, f"the model refused it: {error.message}", gating=gating)
            continue
        reason = _NEARLY if gap.leaks and fill is Fill.NEAR else None
        yield bench.observe(TwinKind.POISON, name, [(gap, reference, twin)], gating=gating, reason=reason)


def _poisoned_rows(bench: Bench, gating: bool) -> Iterator[Observation]:
    for name, value in (("nan", float("nan")), ("huge", 1e4)):
        try:
            found = _pad_row(bench, value)
        except (RunError, TraceError) as error:
            yield bench.untested(TwinKind.POISON, name, error.message, gating=gating)
            continue
        if found is None:
            yield bench.untested(TwinKind.POISON, name, "no embedding of the pads to poison was found", gating=gating)
            return
        yield bench.observe(TwinKind.POISON, name, [found], gating=gating, pad_row=True)
