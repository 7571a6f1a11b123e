"""Controls on the mask: do real tokens count, and does the mask do anything at all?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from maskcheck.core.errors import RunError
from maskcheck.core.report import Status, TwinKind, Variant
from maskcheck.probe.compare import difference
from maskcheck.probe.layout import Fill, MaskState
from maskcheck.probe.observe import Observation
from maskcheck.probe.runner import Answers, PaddedBatch
from maskcheck.probe.samples import change_position
from maskcheck.probe.twins import pad_value, precision
from maskcheck.probe.twins.context import Dead, TwinContext

_POSITIONS = 9


def valid(context: TwinContext) -> Iterator[Observation]:
    """Change real tokens one at a time, in a padded batch. Here *no* change is the finding: the token was masked
    away.
    """
    gating = context.gating(TwinKind.VALID)
    length = context.plan.valid[context.plan.domain.dimensions[0].name]
    dead = context.dead
    if dead is None:
        yield context.untested(
            TwinKind.VALID, Variant.ONE_TOKEN, "the model refused the changed batches", gating=gating
        )
        return
    # At a fixed length there is no unpadded run to compare with: only a model that is deaf altogether is suspicious
    # there.
    everything = len(dead.padded) == len(dead.tried)
    lost = sorted(dead.padded - dead.plain) if not context.plan.fixed else sorted(dead.padded) if everything else []
    if lost:
        why = f"padding switches off real positions {_list(lost)} of {length}: they no longer influence anything"
        yield Observation(context.told(TwinKind.VALID, Variant.ONE_TOKEN, Status.LEAKY, gating=gating, reason=why))
    else:
        still = sorted(dead.padded)
        reason = f"positions {_list(still)} of {length} influence nothing, padded or not" if still else None
        yield Observation(context.told(TwinKind.VALID, Variant.ONE_TOKEN, Status.CLEAN, gating=gating, reason=reason))
    yield from pad_value.in_use(context, gating)


def dead_positions(context: TwinContext) -> Dead | None:
    """Real positions that influence nothing, padded and unpadded; ``None`` where the model refused to run."""
    rows = context.rows[: context.few_rows]
    try:
        padded = _dead(context, context.padded(rows, context.plan.few))
        plain = padded if context.plan.fixed else _dead(context, PaddedBatch(rows, context.base.padding))
    except RunError:
        return None
    return Dead(frozenset(padded), frozenset(plain), tuple(_positions(_length(context))))


def _length(context: TwinContext) -> int:
    return context.plan.valid[context.plan.domain.dimensions[0].name]


def _positions(length: int) -> list[int]:
    return sorted({round(i * (length - 1) / (_POSITIONS - 1)) for i in range(_POSITIONS)})


def _dead(context: TwinContext, call: PaddedBatch) -> set[int]:
    """Positions whose change moves no output of any row.

    All changed rows run as one batch, beside as many unchanged ones in another: in batches of one size, what does not
    depend on a position gives the same bits. In half precision the noise of other sizes would hide real tokens.
    """
    dimension = context.plan.domain.dimensions[0].name
    positions = _positions(_length(context))
    changed = tuple(
        change_position(context.contract, row, dimension, position, seed=31)
        for position in positions
        for row in call.rows
    )
    answers, moved = (
        context.runner.valid(PaddedBatch(rows, call.padding, call.seed))
        for rows in (call.rows * len(positions), changed)
    )
    count = len(call.rows)
    dead = set()
    for i, position in enumerate(positions):
        before, after = (
            {name: rows[i * count : (i + 1) * count] for name, rows in run.items()} for run in (answers, moved)
        )
        if not _moved(context, before, after):
            dead.add(position)
    return dead


def _moved(context: TwinContext, answers: Answers, moved: Answers) -> bool:
    """Whether anything changed by more than regrouped sums can explain."""
    half = context.model.info.precision in precision.HALF
    for name in context.judge.reacting:
        limit = 0.0 if half else context.judge.noise.floors[name].exact
        if not difference(answers[name], moved[name]) <= limit:
            return True
    return False


def _list(positions: list[int]) -> str:
    shown = ", ".join(str(p + 1) for p in positions[:6])
    return shown + (f" and {len(positions) - 6} more" if len(positions) > 6 else "")


def mask(context: TwinContext) -> Iterator[Observation]:
    """The mask given, omitted, inverted and random over filled pads: does it change anything?"""
    if not context.masked:
        yield context.untested(TwinKind.MASK, Variant.TOGGLED, "the model takes no mask and no lengths", gating=False)
        return
    fill = Fill.RANDOM if context.free_content else Fill.PAD
    rows = context.rows[: context.runner.batch_size(min(4, len(context.rows)))]
    base = context.padded(rows, context.plan.few, fill, seed=5)
    answers = context.runner.valid(base)
    largest, tried = 0.0, 0
    for state in (MaskState.OMITTED, MaskState.INVERTED, MaskState.RANDOM):
        try:
            moved = context.runner.valid(PaddedBatch(rows, replace(base.padding, mask=state), base.seed))
        except RunError:
            continue
        tried += 1
        largest = max(largest, context.judge.compare(answers, moved, exact=True).worst)
    if not tried:
        yield context.untested(
            TwinKind.MASK, Variant.TOGGLED, "the model refuses every mask but the true one", gating=False
        )
        return
    inert = largest == 0.0
    reason = "omitted, inverted and random masks all give the same answers: the mask does nothing" if inert else None
    gating = context.gating(TwinKind.MASK)
    status = Status.LEAKY if inert else Status.CLEAN
    yield Observation(context.told(TwinKind.MASK, Variant.TOGGLED, status, gating=gating, reason=reason))
