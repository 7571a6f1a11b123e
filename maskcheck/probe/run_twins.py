"""All twins of one model: which paddings leave its answers alone, and which do not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from maskcheck.core.contract import Contract, Domain
from maskcheck.core.errors import RunError
from maskcheck.core.model import Model
from maskcheck.core.report import PassportRow, Status, TwinKind
from maskcheck.core.settings import Settings
from maskcheck.probe.compare import difference, varies
from maskcheck.probe.noise import HEADROOM, Noise, measure
from maskcheck.probe.observe import Judge, Observation
from maskcheck.probe.plan import Plan, plan
from maskcheck.probe.runner import Answers, PaddedBatch, Runner, unpadded
from maskcheck.probe.samples import Source, change_position
from maskcheck.probe.twins import content, length, masks, mates, precision, sides
from maskcheck.probe.twins.context import TwinContext, valid_lengths

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
    observations: list[Observation] = []
    notes: list[str] = []
    dead: tuple[float, ...] = ()
    contexts: list[TwinContext] = []
    judge: Judge | None = None
    for i, chosen in enumerate(plans):
        progress(f"measuring noise ({chosen.domain.name})", i / len(plans))
        rows = source.rows(_samples(model, runner, settings), chosen.valid)
        runner.regions(rows[0].lengths, unpadded(rows).padding)  # a run of its own, which a kept state would remember
        base = unpadded(rows) if not chosen.fixed else padded_alike(chosen, rows)
        reference = runner.valid(base)
        repeated, stable = _repeat(runner, base, reference, chosen.domain)
        observations.append(repeated)
        if not stable:
            notes.append(
                "The model answers the same input differently each time: dropout left on, sampling or kept state."
            )
            observations += [
                _after_unstable(twin, chosen.domain, settings) for twin in (TwinKind.LENGTH, TwinKind.MATES)
            ]
            continue
        noise = measure(model, runner, base, reference, settings.seed)
        if noise.reason:
            notes.append(noise.reason)
        effects, alive = _token_effects(runner, chosen, base, reference, noise)
        judge = Judge(runner, noise, effects, alive or frozenset(reference))
        context = TwinContext(model, runner, judge, chosen, source, settings, base, reference)
        if not alive and not _padding_moves(context):
            observations += [
                _not_reacting(twin, chosen.domain, settings, reference) for twin in (TwinKind.LENGTH, TwinKind.MATES)
            ]
            continue
        context = replace(context, dead=masks.dead_positions(context))
        contexts.append(context)
        if silent := sorted(set(reference) - alive):
            notes.append(f"untested: {', '.join(silent)} did not react to any real input")
        for step, (name, twin) in enumerate(_TWINS):
            progress(f"{name} twins ({chosen.domain.name})", (i + (step + 1) / (len(_TWINS) + 1)) / len(plans))
            observations += list(_guarded(twin, context, name))
        progress(f"precision ({chosen.domain.name})", (i + 1) / len(plans))
        observations = precision.settled([*observations, *precision.precision(context, observations)], context.domain)
        observations = _baked(observations, context)
        dead = dead or _fractions(context)
    return TwinResults(tuple(observations), judge, plans, tuple(dict.fromkeys(notes)), dead, tuple(contexts))


_TWINS: tuple[tuple[str, Callable[[TwinContext], Iterator[Observation]]], ...] = (
    ("length", length.length),
    ("content", content.content),
    ("mates", mates.mates),
    ("empty", mates.empty),
    ("side", sides.side),
    ("valid", masks.valid),
    ("mask", masks.mask),
    ("poison", content.poison),
)


_SAMPLES, _SAMPLES_LARGE = 8, 4
_LARGE = 512 * 2**20


def _samples(model: Model, runner: Runner, settings: Settings) -> int:
    """How many rows to compare: as asked, or fewer of them for a large model; a fixed batch is filled."""
    wanted = settings.samples or (_SAMPLES_LARGE if model.info.size_bytes > _LARGE else _SAMPLES)
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
        if o.row.twin is TwinKind.VALID and o.row.variant == "one token" and o.row.domain == context.domain
        else o
        for o in observations
    ]


def _fractions(context: TwinContext) -> tuple[float, ...]:
    """Dead positions of the padded batch as fractions of the valid length."""
    length = context.plan.valid[context.plan.domain.dimensions[0].name]
    return tuple(p / length for p in sorted(context.dead.padded)) if context.dead is not None else ()


def _guarded(
    twin: Callable[[TwinContext], Iterator[Observation]], context: TwinContext, name: str
) -> Iterator[Observation]:
    """A model that refuses one twin is still audited with the others."""
    try:
        yield from twin(context)
    except RunError as error:
        reason = f"the model refused it: {error.message}"
        yield context.untested(TwinKind(name), "-", reason)


def padded_alike(chosen: Plan, rows: tuple) -> PaddedBatch:  # type: ignore[type-arg]
    """The reference of a model whose length is fixed: padded with the pad value, since no unpadded run exists."""
    call = unpadded(rows)
    return PaddedBatch(
        call.rows,
        replace(call.padding, totals=chosen.few, sides={d: chosen.domain.side for d in valid_lengths(chosen)}),
    )


def _repeat(runner: Runner, base: PaddedBatch, reference: Answers, domain: Domain) -> tuple[Observation, bool]:
    again = runner.valid(base)
    worst = max((difference(reference[name], again[name]) for name in reference), default=0.0)
    stable = worst == 0.0 or worst < 1e-6
    row = PassportRow(
        TwinKind.REPEAT,
        "same input twice",
        domain.name,
        Status.CLEAN if stable else Status.LEAKY,
        False,
        None if stable else f"the same input gives answers {worst:.2g} sd apart",
    )
    return Observation(row), stable


def _after_unstable(twin: TwinKind, domain: Domain, settings: Settings) -> Observation:
    reason = "the model disagrees with itself on the same input, so no padding difference can be told from that"
    return Observation(PassportRow(twin, "right", domain.name, Status.UNTESTED, twin.value in settings.require, reason))


def _not_reacting(twin: TwinKind, domain: Domain, settings: Settings, reference: Answers) -> Observation:
    finite = any(np.any(np.isfinite(a.astype(np.float64))) for rows in reference.values() for a in rows)
    reason = "no output reacts to a change of real content, so an unchanged answer says nothing"
    if not finite:
        reason = "every answer is NaN or infinite, even without padding"
    return Observation(PassportRow(twin, "right", domain.name, Status.UNTESTED, twin.value in settings.require, reason))


def _padding_moves(context: TwinContext) -> bool:
    """Whether padding moves answers that no real content does: an inverted mask hides every word while nothing is
    padded.
    """
    seen = [*_guarded(length.length, context, "length"), *_guarded(mates.mates, context, "mates")]
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
