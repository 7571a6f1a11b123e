"""The same twins in another precision: rounding shrinks by nine orders of magnitude in float64, a leak stays what it
was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace

from maskcheck.core.errors import MaskcheckError, RunError, TraceError
from maskcheck.core.model import Model
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.probe.compare import difference
from maskcheck.probe.noise import HEADROOM, Floor, Noise
from maskcheck.probe.observe import Observation, Pair
from maskcheck.probe.runner import Answers, PaddedBatch, Runner
from maskcheck.probe.twins.content import worth_of_pads
from maskcheck.probe.twins.context import TwinContext

HALF = ("float16", "bfloat16")
"""Precisions in which rounding hides small leaks."""

_NEAR = 30.0
"""Differences within this factor of the tolerance, on either side, are worth settling."""

_SHRINKS = 1e-3
"""Rounding is left behind by a factor of 1e-9 in float64, and 1e-4 from half to single; a leak by none."""

_STAYS = 0.3
"""What keeps this part of its size in a wider precision was no rounding, however small it is."""

_VISIBLE = 1e-5
"""Standard deviations that a difference in the wider precision must have to be called a leak hidden by rounding."""


def precision(context: TwinContext, observations: Sequence[Observation]) -> Iterator[Observation]:
    """Settle what is near the noise floor; half-precision models are always looked at in single precision."""
    half = context.model.info.precision in HALF
    doubtful = [o for o in observations if o.row.domain == context.domain and _doubtful(o.row)]
    gating = context.gating(TwinKind.PRECISION)
    wider = Variant.FLOAT32 if half else Variant.FLOAT64
    if not half and not doubtful:
        yield context.untested(TwinKind.PRECISION, wider, "every difference is far from the noise floor", gating=gating)
        return
    if context.plan.fixed:
        reason = "the length is fixed, so no other number of pads can be run in another precision"
        yield context.untested(TwinKind.PRECISION, wider, reason, gating=gating)
        return
    try:
        model = context.model.recast(wider.value)
    except MaskcheckError:
        model = None
    if model is None:
        yield context.untested(TwinKind.PRECISION, wider, f"no runtime here takes the model in {wider}", gating=gating)
        return
    mates = [o.pair for o in doubtful if o.row.twin is TwinKind.MATES and o.pair is not None]
    try:
        yield _judge(context, model, wider, gating)
        if mates:
            yield Observation(_judge_mates(context, model, mates, wider, gating))
        if half and any(_drowned(o.row) for o in observations if o.row.domain == context.domain):
            yield from _judge_content(context, model, wider, gating)
    except (RunError, TraceError) as error:
        yield context.untested(TwinKind.PRECISION, wider, error.message, gating=gating)
    finally:
        model.close()


@contextmanager
def single(model: Model, *, wanted: bool = True) -> Iterator[Model | None]:
    """A half-precision model in float32; ``None`` of others, where no runtime takes it, and where it is not wanted."""
    wide = None
    if wanted and model.info.precision in HALF:
        with suppress(MaskcheckError):
            wide = model.recast("float32")
    try:
        yield wide
    finally:
        if wide is not None:
            wide.close()


@contextmanager
def widened(context: TwinContext) -> Iterator[TwinContext | None]:
    """The context of a half-precision model, run in float32; ``None`` where that is not to be had."""
    with single(context.model, wanted=not context.plan.fixed) as model:
        yield None if model is None else _over(context, model)


def _over(context: TwinContext, model: Model) -> TwinContext:
    """The same context for the same model in float32."""
    runner = Runner(model, context.contract)
    noise = Noise(dict.fromkeys(context.judge.noise.floors, Floor(0.0, 10 * _VISIBLE / HEADROOM)))
    return replace(context, model=model, runner=runner, judge=replace(context.judge, runner=runner, noise=noise))


def _doubtful(row: PassportRow) -> bool:
    """A length or mates row whose difference is of the size of its tolerance."""
    if row.twin not in (TwinKind.LENGTH, TwinKind.MATES) or row.status is Status.UNTESTED or not row.gating:
        return False
    return any(o.tolerance / _NEAR < o.difference < o.tolerance * _NEAR for o in row.outputs)


def _drowned(row: PassportRow) -> bool:
    """What the pads hold moves something, by less than rounding of half precision."""
    return row.twin is TwinKind.CONTENT and row.status is Status.CLEAN and row.difference > 0.0


def _judge_content(context: TwinContext, model: Model, wider: Variant, gating: bool) -> Iterator[Observation]:
    """Other contents of the pads."""
    found = worth_of_pads(_over(context, model))
    if found is not None:
        compared, pad_row = found
        gap, first, other = max(compared, key=lambda c: c[0].worst)
        pair = context.pair(TwinKind.CONTENT, wider, gap, first, other, pad_row=pad_row)
        yield Observation(_decide(context, gap.worst, wider, TwinKind.CONTENT, gating), pair)


def _judge(context: TwinContext, model: Model, wider: Variant, gating: bool) -> Observation:
    """How far padding moves the answers in the wider precision, with the pair that shows it most clearly."""
    runner = Runner(model, context.contract)
    worst, pair = 0.0, None
    reference = runner.valid(context.base)
    for totals in (totals for valid, totals in context.plan.cases if valid == context.plan.valid):
        call = context.padded(context.rows, totals)
        answers = runner.valid(call)
        gap = max(difference(reference[n], answers[n]) for n in context.judge.reacting)
        if not gap <= worst:
            row = max(range(len(context.rows)), key=lambda i: _row_gap(context, reference, answers, i))
            worst, pair = gap, _pair(context, wider, call, row, gap)
    return Observation(_decide(context, worst, wider, TwinKind.LENGTH, gating), pair)


def _pair(context: TwinContext, wider: Variant, call: PaddedBatch, row: int, gap: float) -> Pair:
    return Pair(
        twin=TwinKind.LENGTH,
        variant=wider,
        domain=context.domain,
        reference=context.base,
        other=call,
        row=row,
        difference=gap,
    )


def _row_gap(context: TwinContext, reference: Answers, answers: Answers, row: int) -> float:
    """How far one row moves, next to itself."""
    gaps = [difference([reference[n][row]], [answers[n][row]]) for n in context.judge.reacting]
    return max((g for g in gaps if g == g), default=0.0)


def _judge_mates(
    context: TwinContext, model: Model, pairs: Sequence[Pair], wider: Variant, gating: bool
) -> PassportRow:
    """The rows that other mates moved, beside the same mates."""
    runner = Runner(model, context.contract)
    worst = 0.0
    for pair in pairs:
        first, other = pair.rows
        before, after = (runner.valid(call, together=True) for call in (pair.reference, pair.other))
        gaps = (difference([before[n][first]], [after[n][other]]) for n in context.judge.reacting)
        worst = max([worst, *gaps])
    return _decide(context, worst, wider, TwinKind.MATES, gating)


def _decide(context: TwinContext, worst: float, wider: Variant, settles: TwinKind, gating: bool) -> PassportRow:
    """The row of the wider precision that decides the doubtful rows of the twin it ``settles``."""
    deployed = max((floor.tolerance for floor in context.judge.noise.floors.values()), default=0.0)
    limit = max(_VISIBLE if wider is Variant.FLOAT64 else 10 * _VISIBLE, deployed * _SHRINKS)
    status = Status.CLEAN if worst <= limit else Status.LEAKY
    reason = f"{worst:.1g} sd apart in {wider}: "
    reason += "what is left was rounding" if status is Status.CLEAN else "a leak, not rounding"
    row = context.told(TwinKind.PRECISION, wider, status, gating=gating, reason=reason)
    return replace(row, settles=settles)


def settled(observations: Sequence[Observation], domain: str) -> list[Observation]:
    """Let the wider precision decide the doubtful rows of a domain: rounding is no leak, and a leak below the noise is
    one.
    """
    found = [o for o in observations if o.row.twin is TwinKind.PRECISION and o.row.domain == domain]
    decided = {o.row.settles: o for o in found if o.row.status is not Status.UNTESTED}
    return [
        _settle(o, decided[o.row.twin])
        if o.row.domain == domain and o.row.twin in decided and (_doubtful(o.row) or _drowned(o.row))
        else o
        for o in observations
    ]


def _settle(observation: Observation, wider: Observation) -> Observation:
    """Other mates than those that leaked were not repeated, and stay what they are."""
    row, decided = observation.row, wider.row
    if row.status is decided.status or (row.twin is TwinKind.MATES and row.status is not Status.LEAKY):
        return observation
    if row.status is Status.LEAKY:
        left = wider.pair.difference if wider.pair is not None else 0.0
        if left > _STAYS * row.difference:
            return observation
        return Observation(replace(row, status=Status.CLEAN, reason=f"rounding: it vanishes in {decided.label}"))
    reason = f"below the noise floor, but a leak in {decided.label} too"
    return Observation(replace(row, status=Status.LEAKY, reason=reason), wider.pair)
