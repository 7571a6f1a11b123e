"""All twins of one model: which paddings leave its answers alone, and which do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from maskcheck.core.contract import Contract, Domain
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Model
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.core.settings import Settings
from maskcheck.probe.compare import difference, varies
from maskcheck.probe.noise import HEADROOM, Noise, measure
from maskcheck.probe.observe import Judge, Observation, untested
from maskcheck.probe.plan import Plan, plan
from maskcheck.probe.row_traces import trace_row
from maskcheck.probe.runner import Answers, PaddedBatch, Runner, unpadded
from maskcheck.probe.samples import Source, change_position
from maskcheck.probe.twins import content, length, masks, mates, precision, sides
from maskcheck.probe.twins.context import TwinContext, valid_lengths
from maskcheck.probe.twins.gradients import gradient
from maskcheck.probe.twins.pad_noise import pad_noise
from maskcheck.probe.twins.rare import rare
from maskcheck.probe.twins.repeat import repeat
from maskcheck.probe.twins.unfused import unfused

Progress = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class TwinResults:
    """What all twins showed. ``dead`` are the real positions (fractions of the length) that move no output at all."""

    observations: tuple[Observation, ...]
    judge: Judge | None
    plans: tuple[Plan, ...]
    notes: tuple[str, ...] = ()
    dead: tuple[float, ...] = ()
    contexts: tuple[TwinContext, ...] = field(default_factory=tuple)

    @property
    def passport(self) -> tuple[PassportRow, ...]:
        return tuple(o.row for o in self.observations)

    def beside(self, other: TwinResults) -> TwinResults:
        """What both showed, this one first."""
        return replace(
            self,
            observations=self.observations + other.observations,
            plans=self.plans + other.plans,
            notes=tuple(dict.fromkeys(self.notes + other.notes)),
            contexts=self.contexts + other.contexts,
        )

    @property
    def curve(self) -> tuple[tuple[int, float], ...]:
        """The leak against the number of pads, of the first domain that leaks so."""
        found = [o.curve for o in self.observations if o.row.twin is TwinKind.LENGTH and o.row.gating]
        return next((curve for curve in found if curve), ())


def run(
    model: Model,
    contract: Contract,
    working: dict[str, int],
    source: Source,
    settings: Settings,
    progress: Progress,
    only: str | None = None,
) -> TwinResults:
    """Run every twin that makes sense for ``contract``, of all domains or of one."""
    runner = Runner(model, contract)
    plans = tuple(plan(contract, domain, working) for domain in contract.domains if only in (None, domain.name))
    found: list[_DomainResults] = []
    for i, chosen in enumerate(plans):
        found.append(_run_domain(runner, chosen, source, settings, _part(progress, i, len(plans), chosen)))
    return TwinResults(
        observations=tuple(o for domain in found for o in domain.observations),
        judge=next((d.context.judge for d in reversed(found) if d.context is not None), None),
        plans=plans,
        notes=tuple(dict.fromkeys(note for domain in found for note in domain.notes)),
        dead=next((d.dead for d in found if d.dead), ()),
        contexts=tuple(d.context for d in found if d.context is not None and d.reacts),
    )


def _part(progress: Progress, index: int, count: int, chosen: Plan) -> Progress:
    """Progress of one domain among all."""
    return lambda step, fraction: progress(f"{step} ({chosen.domain.name})", (index + fraction) / count)


@dataclass(slots=True, kw_only=True)
class _DomainResults:
    """What the twins of one domain showed so far. ``reacts``: some answer follows some content."""

    observations: list[Observation] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    dead: tuple[float, ...] = ()
    context: TwinContext | None = None
    reacts: bool = False


def _run_domain(runner: Runner, chosen: Plan, source: Source, settings: Settings, progress: Progress) -> _DomainResults:
    progress("measuring noise", 0.0)
    found = _DomainResults()
    rows = source.rows(_samples(runner, settings), chosen.valid)
    runner.regions(rows[0].lengths, unpadded(rows).padding)  # a run of its own, which a kept state would remember
    base = unpadded(rows) if not chosen.fixed else padded_alike(chosen, rows)
    reference = runner.valid(base)
    repeated = repeat(runner, base, reference, chosen.domain)
    found.observations.append(repeated)
    if repeated.row.status is not Status.CLEAN:
        found.notes.append(UNSTABLE)
        found.observations += _untested_all(chosen.domain, settings, AFTER_UNSTABLE)
        return found
    noise = measure(runner.model, runner, base, reference, settings.seed)
    found.notes += [noise.reason] if noise.reason else []
    effects, alive = _token_effects(runner, chosen, base, reference, noise)
    context = TwinContext(
        model=runner.model,
        runner=runner,
        judge=Judge(runner, noise, effects, alive or frozenset(reference)),
        plan=chosen,
        source=source,
        settings=settings,
        base=base,
        reference=reference,
    )
    found.context = context
    if not alive and not _padding_moves(context):
        found.observations += _untested_all(chosen.domain, settings, _not_reacting(reference))
        return found
    found.reacts = True
    found.context = context = replace(context, dead=masks.dead_positions(context))
    if silent := sorted(set(reference) - alive):
        found.notes.append(f"untested: {', '.join(silent)} did not react to any real input")
    _run_outside(found, context, progress)
    _run_inside(found, context, progress)
    found.dead = _fractions(context)
    return found


def _run_outside(found: _DomainResults, context: TwinContext, progress: Progress) -> None:
    """Twins that compare answers, then the wider precision that settles what is near the noise."""
    for step, (name, kind, twin) in enumerate(_TWINS):
        progress(f"{name} twins", (step + 1) / (len(_TWINS) + 2))
        found.observations += list(_guarded(twin, context, kind))
    progress("precision", 1 - 1 / (len(_TWINS) + 2))
    wider = precision.precision(context, found.observations)
    found.observations = precision.settled([*found.observations, *wider], context.domain)
    found.observations = _baked(found.observations, context)


def _run_inside(found: _DomainResults, context: TwinContext, progress: Progress) -> None:
    """Twins that look inside the model. They may gate as well, so they run whether or not leaks are explained."""
    progress("looking inside", 1.0)
    found.context = context = _traced(context)
    for twin in _INSIDE:
        rows = tuple(o.row for o in found.observations)
        found.observations += list(twin(context, rows))


def _traced(context: TwinContext) -> TwinContext:
    """The context with its first row traced, or with the reason why that cannot be."""
    try:
        traces = trace_row(
            context.model,
            context.contract,
            context.rows[0],
            context.plan.few,
            fixed=context.plan.fixed,
            batch=context.runner.batch_size(1),
        )
    except (RunError, TraceError) as error:
        return replace(context, untraced=error.message)
    return replace(context, traces=traces)


_TWINS: tuple[tuple[str, TwinKind, Callable[[TwinContext], Iterator[Observation]]], ...] = (
    ("length", TwinKind.LENGTH, length.length),
    ("content", TwinKind.CONTENT, content.content),
    ("mates", TwinKind.MATES, mates.mates),
    ("empty", TwinKind.EMPTY, mates.empty),
    ("side", TwinKind.SIDE, sides.side),
    ("valid", TwinKind.VALID, masks.valid),
    ("mask", TwinKind.MASK, masks.mask),
    ("poison", TwinKind.POISON, content.poison),
)
"""Twins in the order in which they run, with the word for the reader who waits for them."""

_INSIDE: tuple[Callable[[TwinContext, Sequence[PassportRow]], Iterator[Observation]], ...] = (
    pad_noise,
    gradient,
    unfused,
    rare,
)
"""Twins that need traces, in this order: the last are run where the rows before them give cause."""

UNSTABLE = "The model answers the same input differently each time: dropout left on, sampling or kept state."
AFTER_UNSTABLE = "the model disagrees with itself on the same input, so no padding difference can be told from that"


_SAMPLES, _SAMPLES_LARGE = 8, 4
_LARGE = 512 * 2**20


def _samples(runner: Runner, settings: Settings) -> int:
    """How many rows to compare: as asked, or fewer of them for a large model; a fixed batch is filled."""
    wanted = settings.samples or (_SAMPLES_LARGE if runner.model.info.size_bytes > _LARGE else _SAMPLES)
    return runner.batch_size(wanted) if runner.contract.fixed_batch else wanted


def _baked(observations: list[Observation], context: TwinContext) -> list[Observation]:
    """Real positions dead even without padding, at the end, in a model that leaks for other lengths: a length was
    baked in.

    Alone a dead tail may be a narrow receptive field, and alone a leak may be anything; together they tell.
    """
    length = context.plan.valid[context.plan.domain.dimensions[0].name]
    tail = sorted(context.dead.plain) if context.dead is not None else []
    leaks = any(
        o.row.twin is TwinKind.LENGTH
        and o.row.gating
        and o.row.status is Status.LEAKY
        and o.row.domain == context.domain
        for o in observations
    )
    # One position alone may be what a strided front end cuts off at the end.
    if (
        not leaks
        or len(tail) < 2
        or len(tail) == len(context.dead.tried if context.dead else ())
        or tail[-1] != length - 1
    ):
        return observations
    where = f"real positions from {tail[0] + 1} of {length} on influence nothing"
    reason = f"{where}, and other lengths leak: a length was baked in"
    return [
        replace(o, row=replace(o.row, status=Status.LEAKY, reason=reason))
        if o.row.twin is TwinKind.VALID and o.row.variant is Variant.ONE_TOKEN and o.row.domain == context.domain
        else o
        for o in observations
    ]


def _fractions(context: TwinContext) -> tuple[float, ...]:
    """Dead positions of the padded batch as fractions of the valid length."""
    length = context.plan.valid[context.plan.domain.dimensions[0].name]
    return tuple(p / length for p in sorted(context.dead.padded)) if context.dead is not None else ()


def _guarded(
    twin: Callable[[TwinContext], Iterator[Observation]], context: TwinContext, kind: TwinKind
) -> Iterator[Observation]:
    """A model that refuses one twin is still audited with the others."""
    try:
        yield from twin(context)
    except RunError as error:
        yield context.untested(kind, Variant.ANY, f"the model refused it: {error.message}")


def padded_alike(chosen: Plan, rows: tuple) -> PaddedBatch:  # type: ignore[type-arg]
    """The reference of a model whose length is fixed: padded with the pad value, since no unpadded run exists."""
    call = unpadded(rows)
    return PaddedBatch(
        call.rows,
        replace(call.padding, totals=chosen.few, sides={d: chosen.domain.side for d in valid_lengths(chosen)}),
    )


def _untested_all(domain: Domain, settings: Settings, reason: str) -> list[Observation]:
    """Rows of the twins that gate by default, where none of them can be tried."""
    return [
        untested(twin, Variant(domain.side.value), domain.name, reason, twin.value in settings.require)
        for twin in (TwinKind.LENGTH, TwinKind.MATES)
    ]


def _not_reacting(reference: Answers) -> str:
    finite = any(np.any(np.isfinite(a.astype(np.float64))) for rows in reference.values() for a in rows)
    if not finite:
        return "every answer is NaN or infinite, even without padding"
    return "no output reacts to a change of real content, so an unchanged answer says nothing"


def _padding_moves(context: TwinContext) -> bool:
    """Whether padding moves answers that no real content does: an inverted mask hides every word while nothing is
    padded.
    """
    seen = [*_guarded(length.length, context, TwinKind.LENGTH), *_guarded(mates.mates, context, TwinKind.MATES)]
    return any(o.row.status is Status.LEAKY and np.isfinite(o.row.difference or np.inf) for o in seen)


def _token_effects(
    runner: Runner, chosen: Plan, base: PaddedBatch, reference: Answers, noise: Noise
) -> tuple[dict[str, float], frozenset[str]]:
    """What changing one real token does to every output, and which outputs react at all.

    The effect is the median over several positions of the largest change over the rows.
    """
    dimension = chosen.domain.dimensions[0].name
    length = chosen.valid[dimension]
    positions = sorted({0, length // 3, length // 2, length - 1})
    few = base.rows[: runner.batch_size(min(4, len(base.rows)))]
    changed = tuple(change_position(runner.contract, row, dimension, p, seed=11) for p in positions for row in few)
    answers = runner.valid(PaddedBatch(changed, base.padding, base.seed))
    gaps = {
        name: [
            difference(rows[: len(few)], answers[name][i * len(few) : (i + 1) * len(few)])
            for i in range(len(positions))
        ]
        for name, rows in reference.items()
    }
    effects, alive = {}, set()
    for name, found in gaps.items():
        real = [g for g in found if np.isfinite(g) and g > HEADROOM * noise.floors[name].rounding]
        effects[name] = float(np.median(real)) if real else 0.0
        if real and varies(reference[name]):
            alive.add(name)
    return effects, frozenset(alive)
