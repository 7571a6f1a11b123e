"""The whole explanation of one model: every leaking twin traced, origins merged across twins, attention maps read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from maskcheck.core.contract import Contract, Side
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.evidence import Evidence
from maskcheck.core.model import Model
from maskcheck.core.report import AttentionMap, PassportRow, Status, TwinKind
from maskcheck.core.trace import OperationKind, Site
from maskcheck.probe.battery import Battery
from maskcheck.probe.compare import difference
from maskcheck.probe.explain.align import Axes, View
from maskcheck.probe.explain.attention import maps
from maskcheck.probe.explain.gather import evidence
from maskcheck.probe.explain.leakmap import SiteState, clean_map, leak_map
from maskcheck.probe.explain.peel import Explanation, Group, explain
from maskcheck.probe.explain.poke import poke
from maskcheck.probe.explain.session import Ground, Session, axes_of, ground, open_session
from maskcheck.probe.explain.slopes import slopes
from maskcheck.probe.observe import Observation, Pair
from maskcheck.probe.runner import Answers
from maskcheck.probe.twins import length, precision, sides
from maskcheck.probe.twins.bench import Bench

_ORDER = (TwinKind.LENGTH, TwinKind.MATES, TwinKind.CONTENT, TwinKind.EMPTY, TwinKind.SIDE)
"""Twins whose leaks are explained, the gating ones first. Poison is a hygiene check and has no origin worth naming."""


_DISAGREEMENT = 5e-3
"""Standard deviations by which the deployed and the instrumented answers may differ before the reader is told."""


@dataclass(frozen=True, slots=True)
class Item:
    """One origin (with its like in other layers) and what is known of it.

    ``share`` is ``None`` where it was not confirmed; ``joint`` is the share of all origins of the same twin together.
    """

    evidence: Evidence
    related: tuple[Site, ...]
    interval: tuple[Site, ...]
    share: float | None
    joint: float | None
    outputs: tuple[str, ...]
    gating: bool


@dataclass(frozen=True, slots=True)
class Story:
    """All items, attention maps, the state of every site in the main twin, and notes for the reader."""

    items: tuple[Item, ...] = ()
    attention: tuple[AttentionMap, ...] = ()
    sites: tuple[SiteState, ...] = ()
    notes: tuple[str, ...] = ()
    passport: tuple[PassportRow, ...] = ()

    def beside(self, other: Story) -> Story:
        """Both stories as one: of each attention what looks at pads most, the leak map of the one that leaks."""
        worst = sorted((*self.attention, *other.attention), key=lambda m: m.pad_mass_max)
        attention = {m.site.name: m for m in worst}
        shown = dict.fromkeys(m.site.name for m in (*self.attention, *other.attention))
        return Story(
            self.items + other.items,
            tuple(attention[name] for name in shown),
            other.sites if other.items and not self.items else self.sites,
            tuple(dict.fromkeys(self.notes + other.notes)),
            self.passport + other.passport,
        )


@dataclass(slots=True)
class _Telling:
    model: Model
    contract: Contract
    battery: Battery
    seed: int
    items: dict[str, Item] = field(default_factory=dict)
    attention: tuple[AttentionMap, ...] = ()
    sites: tuple[SiteState, ...] = ()
    notes: list[str] = field(default_factory=list)
    passport: list[PassportRow] = field(default_factory=list)
    grounds: dict[object, Ground] = field(default_factory=dict)


def tell(
    model: Model, contract: Contract, battery: Battery, seed: int, progress: Callable[[str, float], None]
) -> Story:
    """Explain every leak the battery saw. Never raises for a model that cannot be traced: the notes say so instead."""
    telling = _Telling(model, contract, battery, seed)
    pairs = _chosen(battery)
    try:
        _look_inside(telling)
        with precision.single(model, wanted=bool(pairs)) as wide:
            for i, (observation, pair) in enumerate(pairs):
                progress(f"explaining the {pair.twin.value} leak", i / len(pairs))
                step = partial(_explain, telling, observation, pair)
                if wide is None or not _with(telling, wide, step):
                    step(last=True)
    except (TraceError, RunError) as error:
        telling.notes.append(f"The explanation is incomplete: {error.message}")
    return Story(
        tuple(telling.items.values()),
        telling.attention,
        telling.sites,
        tuple(dict.fromkeys(telling.notes)),
        tuple(telling.passport),
    )


def _chosen(battery: Battery) -> list[tuple[Observation, Pair]]:
    """One pair per twin and domain, gating rows before others, in the order of the passport."""
    found: dict[tuple[TwinKind, str | None], tuple[Observation, Pair]] = {}
    ranked = sorted(battery.observations, key=lambda o: not o.row.gating)
    for observation in ranked:
        # Positions counted by column are wrong on purpose: the passport shows what that costs, no layer is to blame.
        blameless = observation.row.variant.endswith(sides.BY_COLUMN)
        if observation.pair is not None and observation.row.twin in _ORDER and not blameless:
            found.setdefault((observation.row.twin, observation.row.domain), (observation, observation.pair))
    for domain in {domain for _, domain in found}:
        if (TwinKind.MATES, domain) in found:  # an empty row is a mate like others: the same leak, harder to trace
            found.pop((TwinKind.EMPTY, domain), None)
    return sorted(found.values(), key=lambda f: (not f[0].row.gating, _ORDER.index(f[0].row.twin)))


def _batch(telling: _Telling) -> int:
    return telling.battery.judge.runner.batch_size(1) if telling.battery.judge else 1


def _ground(telling: _Telling, pair: Pair) -> Ground:
    plan = next(p for p in telling.battery.plans if p.domain.name == pair.domain)
    row = pair.reference.rows[pair.rows[0]]
    key = (pair.domain, tuple(row.lengths.items()), tuple(pair.other.padding.totals.items()), id(row))
    if key not in telling.grounds:
        telling.grounds.clear()  # one at a time: each holds two traces
        telling.grounds[key] = ground(telling.model, telling.contract, pair, plan.fixed, _batch(telling), telling.seed)
    return telling.grounds[key]


def _look_inside(telling: _Telling) -> None:
    """Attention on pads and poked hidden states, from one padded row of every domain.

    Also the check that the instrumented copy answers like the deployed file.
    """
    for bench in telling.battery.benches:
        call = bench.padded(bench.rows[:1], bench.plan.few)
        pair = Pair(TwinKind.LENGTH, "attention", bench.domain, bench.base, call, 0, 0.0)
        base = _ground(telling, pair)
        axes = axes_of(base, base.long, View(True, rows=_batch(telling)))
        telling.attention += tuple(
            m
            for m in maps(base.long, axes, View(True, Side.RIGHT, 1))
            if m.site.name not in {a.site.name for a in telling.attention}
        )
        telling.passport.append(poke(telling.model, telling.contract, base, axes, bench.domain, telling.seed))
        _differentiate(telling, bench, base)
        if not telling.sites:
            telling.sites = clean_map(base.long)
            _check_agreement(telling, bench, base)
        _unfused(telling, bench, base)
        _rare(telling, bench, base, axes)


def _check_agreement(telling: _Telling, bench: Bench, base: Ground) -> None:
    """Compare the deployed answers to the reference row with the instrumented ones."""
    if base.short is None or base.unpadded is None:
        return
    traced = bench.runner.valid_outputs(base.short.outputs, base.unpadded.only(0))
    alone: Answers | None = None
    for name, rows in traced.items():
        most = max(10 * bench.judge.noise.floors[name].tolerance, _DISAGREEMENT)
        gap = difference(bench.reference[name][:1], rows)
        if not gap <= most:  # or beside other rows the answer is another one
            alone = alone or bench.runner.valid(base.unpadded, together=True)
            gap = difference(alone[name][:1], rows)
        if not gap <= most:
            telling.notes.append(
                f"The instrumented copy answers {gap:.1g} sd away from the deployed model at {name}: "
                "optimisations of the runtime change the answer, so sites may be imprecise."
            )
            return


def _differentiate(telling: _Telling, bench: Bench, base: Ground) -> None:
    """Add the opinion of the gradients, and say so where they see what no comparison of answers saw."""
    row = slopes(telling.model, telling.contract, base, bench.domain, telling.seed)
    if row is None:
        return
    telling.passport.append(row)
    if row.status is Status.LEAKY and not _leaks(telling, bench.domain):
        telling.notes.append(f"Gradients see an influence that no twin showed: {row.reason}.")


def _rare(telling: _Telling, bench: Bench, base: Ground, axes: Mapping[str, Axes | None]) -> None:
    """Look at many more rows where what pads hold reaches the answers, or a maximum over time is taken, and no padding
    has shown it yet: some contents lose against pads and others never.
    """
    rows = [*telling.passport, *(o.row for o in telling.battery.observations)]
    leaky = {r.twin for r in rows if r.status is Status.LEAKY and r.domain == bench.domain}
    known = any(
        r.twin is TwinKind.LENGTH and r.gating and r.status is Status.LEAKY and r.domain == bench.domain for r in rows
    )
    # With other fillers than the pad value lengths may leak as well: that is no answer to this question.
    suspected = bool(leaky & {TwinKind.POKE, TwinKind.CONTENT, TwinKind.LENGTH}) or _takes_maximum(base, axes)
    if not suspected or known:
        return
    if (found := _seen_rarely(telling, bench)) is not None:
        _explain(telling, *found, last=True)
        return
    with precision.widened(bench) as wide:  # the rounding of half precision hides what few rows lose
        found = _seen_rarely(telling, wide, ", in float32") if wide is not None else None
        if wide is not None and found is not None:
            step = partial(_explain, telling, *found)
            if not _with(telling, wide.model, step):
                step(last=True)


def _with(telling: _Telling, model: Model, step: Callable[[], bool]) -> bool:
    """Take a step with another model: half precision is explained in single, whose rounding hides no origin. Where that
    cannot be traced the step is not done.
    """
    deployed, telling.model = telling.model, model
    telling.grounds.clear()
    try:
        return step()
    except (TraceError, RunError):
        return False
    finally:
        telling.model = deployed
        telling.grounds.clear()


def _seen_rarely(telling: _Telling, bench: Bench, where: str = "") -> tuple[Observation, Pair] | None:
    """A leak that many more rows show, entered into the passport."""
    seen = length.rare(bench)
    if seen is None or seen.pair is None:
        return None
    pair, seen = seen.pair, replace(seen, row=replace(seen.row, reason=f"{seen.row.reason}{where}"))
    telling.passport.append(seen.row)
    telling.battery = replace(telling.battery, observations=(*telling.battery.observations, seen))
    return seen, pair


def _takes_maximum(base: Ground, axes: Mapping[str, Axes | None]) -> bool:
    """Whether a maximum over the sequence is among the operations: what wins there depends on the content."""
    for site in base.long.sites:
        known = next((a for k in site.inputs if (a := axes.get(k)) is not None and a.sequence), None)
        made = next((a for k in site.outputs if (a := axes.get(k)) is not None), None)
        if site.kind is OperationKind.REDUCE_MAX and known is not None and made is not None and not made.sequence:
            return True
    return False


def _unfused(telling: _Telling, bench: Bench, base: Ground) -> None:
    """Warn of a leak that only fused kernels hide: training and gradients switch them off, and so does recording.

    PyTorch's fused encoder layer reads a float mask of 0 and 1 as boolean; without it the same mask is added to the
    scores.
    """
    short, unpadded = base.short, base.unpadded
    info = telling.model.info
    live = info.framework == "pytorch" and info.format != "onnx"
    if not live or short is None or unpadded is None or _leaks(telling, bench.domain):
        return
    gap = bench.judge.compare(
        bench.runner.valid_outputs(short.outputs, unpadded), bench.runner.valid_outputs(base.long.outputs, base.single)
    )
    if not gap.leaks:
        return
    reason = "only without fused kernels, as in training or whenever gradients are on; the deployed path is clean"
    row = PassportRow(TwinKind.LENGTH, "unfused", bench.domain, Status.LEAKY, False, reason, gap.outputs)
    pair = Pair(TwinKind.LENGTH, "unfused", bench.domain, unpadded, base.single, 0, gap.worst)
    telling.passport.append(row)
    telling.notes.append(f"The padding leaks {reason}.")
    seen = Observation(row, pair)
    telling.battery = replace(telling.battery, observations=(*telling.battery.observations, seen))
    _explain(telling, seen, pair)


def _leaks(telling: _Telling, domain: str) -> bool:
    """Whether the deployed model leaks in this domain already."""
    twins = (TwinKind.LENGTH, TwinKind.CONTENT)
    rows = [o.row for o in telling.battery.observations if o.row.domain == domain and o.row.twin in twins]
    return any(row.status is Status.LEAKY for row in rows)


def _explain(telling: _Telling, observation: Observation, pair: Pair, *, last: bool = False) -> bool:
    """Explain one pair; whether it could be done. Where this was the ``last`` try, a note says that it could not."""
    leaking = _leaking_outputs(observation)
    base = _ground(telling, pair)
    session = _open(telling, pair, base, leaking)
    if session is None:
        telling.notes += [_unseen(pair)] if last else []
        return False
    gating = observation.row.gating
    first = session.origins(session.states)
    known = [o for o in first if o.site.name in telling.items or _is_related(telling, o.site.name)]
    for origin in known:
        _extend(telling, origin.site.name, pair.twin, origin.gap)
    # A second origin may hide behind the first in this twin too; with only one known there is nothing to tell apart.
    if first and len(known) == len(first) == len(telling.items) and not gating:
        return True
    quick = pair.twin is TwinKind.SIDE and not gating
    found = Explanation(tuple(Group(o) for o in first[:3]), None, session.states) if quick else explain(session)
    _remember(telling, session, found, leaking, gating)
    return True


def _open(telling: _Telling, pair: Pair, base: Ground, leaking: tuple[str, ...]) -> Session | None:
    """Trace one row of the pair, or its whole batch where one row alone does not leak."""
    for whole_batch in (False, True):
        session = open_session(
            telling.model, telling.contract, pair, base, leaking, telling.seed, whole_batch=whole_batch
        )
        if session.leak > 0.0:
            return session
        if len(pair.other.rows) == 1:
            break
    return None


def _leaking_outputs(observation: Observation) -> tuple[str, ...]:
    moved = [o.name for o in observation.row.outputs if not o.difference <= o.tolerance]
    return tuple(moved) or tuple(o.name for o in observation.row.outputs)


def _unseen(pair: Pair) -> str:
    return (
        f"The {pair.twin.value} leak ({pair.variant}) of the deployed model does not appear in the instrumented copy: "
        "it comes from an optimisation of the runtime or needs a larger batch, and no layer can be named."
    )


def _is_related(telling: _Telling, name: str) -> bool:
    return any(name in {s.name for s in item.related} for item in telling.items.values())


def _extend(telling: _Telling, name: str, twin: TwinKind, gap: float) -> None:
    for key, item in telling.items.items():
        if key == name or name in {s.name for s in item.related}:
            at_site = {**item.evidence.at_site, twin: max(gap, item.evidence.at_site.get(twin, 0.0))}
            telling.items[key] = replace(item, evidence=replace(item.evidence, at_site=at_site))


def _remember(telling: _Telling, session: Session, found: Explanation, outputs: tuple[str, ...], gating: bool) -> None:
    at_outputs, variants = at_outputs_of(telling.battery)
    for group in found.groups:
        name = group.first.site.name
        known = telling.items.get(name)
        if known is not None and (known.gating or not gating):
            _extend(telling, name, session.pair.twin, group.first.gap)
            continue
        before = known.evidence.at_site if known is not None else {}  # a leak that gates tells the place anew
        attention = next((m for m in telling.attention if m.site.name == name), None)
        facts = evidence(
            session,
            telling.model,
            group.first,
            {**before, session.pair.twin: group.first.gap},
            at_outputs,
            variants,
            attention,
            telling.battery.dead,
            session.masks,
        )
        related = tuple(o.site for o in group.others)
        telling.items[name] = Item(facts, related, group.first.interval, group.share, found.explained, outputs, gating)
    if gating or session.pair.twin is not TwinKind.SIDE:
        _draw(telling, session, found)
    if found.explained is not None and found.explained < 0.5 and found.groups:
        telling.notes.append(
            f"Patching every origin found removes {found.explained:.0%} of the {session.pair.twin.value} leak; "
            "the rest could not be placed."
        )


def _draw(telling: _Telling, session: Session, found: Explanation) -> None:
    if not any(drawn.state == "origin" for drawn in telling.sites):
        telling.sites = leak_map(session, {s.name for g in found.groups for s in g.sites})


def at_outputs_of(battery: Battery) -> tuple[Mapping[TwinKind, float], Mapping[str, float]]:
    """Largest leaking difference per twin (0.0: clean; absent: not tried), and per twin and variant."""
    twins: dict[TwinKind, float] = {}
    variants: dict[str, float] = {}
    for observation in battery.observations:
        row = observation.row
        if row.status is Status.UNTESTED:
            continue
        found = (row.difference or 1.0) if row.status is Status.LEAKY else 0.0
        variants[f"{row.twin.value}/{row.variant}"] = found
        if row.variant != "filler":
            twins[row.twin] = max(twins.get(row.twin, 0.0), found)
    return twins, variants
