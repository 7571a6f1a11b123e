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
from maskcheck.explain.align import Axes, View
from maskcheck.explain.attention import maps
from maskcheck.explain.evidence import evidence
from maskcheck.explain.gradients import slopes
from maskcheck.explain.iterative_patching import Group, PatchedOrigins, patch_iteratively
from maskcheck.explain.leakmap import SiteState, clean_map, leak_map
from maskcheck.explain.pad_noise import poke
from maskcheck.explain.session import PatchingSession, RowTraces, axes_of, open_patching_session, trace_row
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind
from maskcheck.probe.compare import difference
from maskcheck.probe.observe import Observation, Pair
from maskcheck.probe.run_twins import TwinResults
from maskcheck.probe.runner import Answers
from maskcheck.probe.twins import length, precision, sides
from maskcheck.probe.twins.context import TwinContext

_ORDER = (TwinKind.LENGTH, TwinKind.MATES, TwinKind.CONTENT, TwinKind.EMPTY, TwinKind.SIDE)
"""Twins whose leaks are explained, the gating ones first. Poison is a hygiene check and has no origin worth naming."""


_DISAGREEMENT = 5e-3
"""Standard deviations by which the deployed and the instrumented answers may differ before the reader is told."""


@dataclass(frozen=True, slots=True)
class OriginReport:
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
class Explanation:
    """All items, attention maps, the state of every site in the main twin, and notes for the reader."""

    items: tuple[OriginReport, ...] = ()
    attention: tuple[AttentionMap, ...] = ()
    sites: tuple[SiteState, ...] = ()
    notes: tuple[str, ...] = ()
    passport: tuple[PassportRow, ...] = ()

    def beside(self, other: Explanation) -> Explanation:
        """Both explanations as one: of each attention what looks at pads most, the leak map of the one that leaks."""
        worst = sorted((*self.attention, *other.attention), key=lambda m: m.pad_mass_max)
        attention = {m.site.name: m for m in worst}
        shown = dict.fromkeys(m.site.name for m in (*self.attention, *other.attention))
        return Explanation(
            self.items + other.items,
            tuple(attention[name] for name in shown),
            other.sites if other.items and not self.items else self.sites,
            tuple(dict.fromkeys(self.notes + other.notes)),
            self.passport + other.passport,
        )


@dataclass(slots=True)
class _Explainer:
    model: Model
    contract: Contract
    results: TwinResults
    seed: int
    items: dict[str, OriginReport] = field(default_factory=dict)
    attention: tuple[AttentionMap, ...] = ()
    sites: tuple[SiteState, ...] = ()
    notes: list[str] = field(default_factory=list)
    passport: list[PassportRow] = field(default_factory=list)
    row_traces: dict[object, RowTraces] = field(default_factory=dict)


def explain_model(
    model: Model, contract: Contract, results: TwinResults, seed: int, progress: Callable[[str, float], None]
) -> Explanation:
    """Explain every leak the results saw. Never raises for a model that cannot be traced: the notes say so instead."""
    explainer = _Explainer(model, contract, results, seed)
    pairs = _chosen(results)
    try:
        _look_inside(explainer)
        with precision.single(model, wanted=bool(pairs)) as wide:
            for i, (observation, pair) in enumerate(pairs):
                progress(f"explaining the {pair.twin.value} leak", i / len(pairs))
                step = partial(_explain, explainer, observation, pair)
                if wide is None or not _with(explainer, wide, step):
                    step(last=True)
    except (TraceError, RunError) as error:
        explainer.notes.append(f"The explanation is incomplete: {error.message}")
    return Explanation(
        tuple(explainer.items.values()),
        explainer.attention,
        explainer.sites,
        tuple(dict.fromkeys(explainer.notes)),
        tuple(explainer.passport),
    )


def _chosen(results: TwinResults) -> list[tuple[Observation, Pair]]:
    """One pair per twin and domain, gating rows before others, in the order of the passport."""
    found: dict[tuple[TwinKind, str | None], tuple[Observation, Pair]] = {}
    ranked = sorted(results.observations, key=lambda o: not o.row.gating)
    for observation in ranked:
        # Positions counted by column are wrong on purpose: the passport shows what that costs, no layer is to blame.
        blameless = observation.row.variant.endswith(sides.BY_COLUMN)
        if observation.pair is not None and observation.row.twin in _ORDER and not blameless:
            found.setdefault((observation.row.twin, observation.row.domain), (observation, observation.pair))
    for domain in {domain for _, domain in found}:
        if (TwinKind.MATES, domain) in found:  # an empty row is a mate like others: the same leak, harder to trace
            found.pop((TwinKind.EMPTY, domain), None)
    return sorted(found.values(), key=lambda f: (not f[0].row.gating, _ORDER.index(f[0].row.twin)))


def _batch(explainer: _Explainer) -> int:
    return explainer.results.judge.runner.batch_size(1) if explainer.results.judge else 1


def _row_traces(explainer: _Explainer, pair: Pair) -> RowTraces:
    plan = next(p for p in explainer.results.plans if p.domain.name == pair.domain)
    row = pair.reference.rows[pair.rows[0]]
    key = (pair.domain, tuple(row.lengths.items()), tuple(pair.other.padding.totals.items()), id(row))
    if key not in explainer.row_traces:
        explainer.row_traces.clear()  # one at a time: each holds two traces
        explainer.row_traces[key] = trace_row(
            explainer.model, explainer.contract, pair, plan.fixed, _batch(explainer), explainer.seed
        )
    return explainer.row_traces[key]


def _look_inside(explainer: _Explainer) -> None:
    """Attention on pads and poked hidden states, from one padded row of every domain.

    Also the check that the instrumented copy answers like the deployed file.
    """
    for context in explainer.results.contexts:
        call = context.padded(context.rows[:1], context.plan.few)
        pair = Pair(TwinKind.LENGTH, "attention", context.domain, context.base, call, 0, 0.0)
        base = _row_traces(explainer, pair)
        axes = axes_of(base, base.long, View(True, rows=_batch(explainer)))
        explainer.attention += tuple(
            m
            for m in maps(base.long, axes, View(True, Side.RIGHT, 1))
            if m.site.name not in {a.site.name for a in explainer.attention}
        )
        explainer.passport.append(poke(explainer.model, explainer.contract, base, axes, context.domain, explainer.seed))
        _differentiate(explainer, context, base)
        if not explainer.sites:
            explainer.sites = clean_map(base.long)
            _check_agreement(explainer, context, base)
        _unfused(explainer, context, base)
        _rare(explainer, context, base, axes)


def _check_agreement(explainer: _Explainer, context: TwinContext, base: RowTraces) -> None:
    """Compare the deployed answers to the reference row with the instrumented ones."""
    if base.short is None or base.unpadded is None:
        return
    traced = context.runner.valid_outputs(base.short.outputs, base.unpadded.only(0))
    alone: Answers | None = None
    for name, rows in traced.items():
        most = max(10 * context.judge.noise.floors[name].tolerance, _DISAGREEMENT)
        gap = difference(context.reference[name][:1], rows)
        if not gap <= most:  # or beside other rows the answer is another one
            alone = alone or context.runner.valid(base.unpadded, together=True)
            gap = difference(alone[name][:1], rows)
        if not gap <= most:
            explainer.notes.append(
                f"The instrumented copy answers {gap:.1g} sd away from the deployed model at {name}: "
                "optimisations of the runtime change the answer, so sites may be imprecise."
            )
            return


def _differentiate(explainer: _Explainer, context: TwinContext, base: RowTraces) -> None:
    """Add the opinion of the gradients, and say so where they see what no comparison of answers saw."""
    row = slopes(explainer.model, explainer.contract, base, context.domain, explainer.seed)
    if row is None:
        return
    explainer.passport.append(row)
    if row.status is Status.LEAKY and not _leaks(explainer, context.domain):
        explainer.notes.append(f"Gradients see an influence that no twin showed: {row.reason}.")


def _rare(explainer: _Explainer, context: TwinContext, base: RowTraces, axes: Mapping[str, Axes | None]) -> None:
    """Look at many more rows where what pads hold reaches the answers, or a maximum over time is taken, and no padding
    has shown it yet: some contents lose against pads and others never.
    """
    rows = [*explainer.passport, *(o.row for o in explainer.results.observations)]
    leaky = {r.twin for r in rows if r.status is Status.LEAKY and r.domain == context.domain}
    known = any(
        r.twin is TwinKind.LENGTH and r.gating and r.status is Status.LEAKY and r.domain == context.domain for r in rows
    )
    # With other fillers than the pad value lengths may leak as well: that is no answer to this question.
    suspected = bool(leaky & {TwinKind.POKE, TwinKind.CONTENT, TwinKind.LENGTH}) or _takes_maximum(base, axes)
    if not suspected or known:
        return
    if (found := _seen_rarely(explainer, context)) is not None:
        _explain(explainer, *found, last=True)
        return
    with precision.widened(context) as wide:  # the rounding of half precision hides what few rows lose
        found = _seen_rarely(explainer, wide, ", in float32") if wide is not None else None
        if wide is not None and found is not None:
            step = partial(_explain, explainer, *found)
            if not _with(explainer, wide.model, step):
                step(last=True)


def _with(explainer: _Explainer, model: Model, step: Callable[[], bool]) -> bool:
    """Take a step with another model: half precision is explained in single, whose rounding hides no origin. Where that
    cannot be traced the step is not done.
    """
    deployed, explainer.model = explainer.model, model
    explainer.row_traces.clear()
    try:
        return step()
    except (TraceError, RunError):
        return False
    finally:
        explainer.model = deployed
        explainer.row_traces.clear()


def _seen_rarely(explainer: _Explainer, context: TwinContext, where: str = "") -> tuple[Observation, Pair] | None:
    """A leak that many more rows show, entered into the passport."""
    seen = length.rare(context)
    if seen is None or seen.pair is None:
        return None
    pair, seen = seen.pair, replace(seen, row=replace(seen.row, reason=f"{seen.row.reason}{where}"))
    explainer.passport.append(seen.row)
    explainer.results = replace(explainer.results, observations=(*explainer.results.observations, seen))
    return seen, pair


def _takes_maximum(base: RowTraces, axes: Mapping[str, Axes | None]) -> bool:
    """Whether a maximum over the sequence is among the operations: what wins there depends on the content."""
    for site in base.long.sites:
        known = next((a for k in site.inputs if (a := axes.get(k)) is not None and a.sequence), None)
        made = next((a for k in site.outputs if (a := axes.get(k)) is not None), None)
        if site.kind is Kind.REDUCE_MAX and known is not None and made is not None and not made.sequence:
            return True
    return False


def _unfused(explainer: _Explainer, context: TwinContext, base: RowTraces) -> None:
    """Warn of a leak that only fused kernels hide: training and gradients switch them off, and so does recording.

    PyTorch's fused encoder layer reads a float mask of 0 and 1 as boolean; without it the same mask is added to the
    scores.
    """
    short, unpadded = base.short, base.unpadded
    info = explainer.model.info
    live = info.framework == "pytorch" and info.format != "onnx"
    if not live or short is None or unpadded is None or _leaks(explainer, context.domain):
        return
    gap = context.judge.compare(
        context.runner.valid_outputs(short.outputs, unpadded),
        context.runner.valid_outputs(base.long.outputs, base.single),
    )
    if not gap.leaks:
        return
    reason = "only without fused kernels, as in training or whenever gradients are on; the deployed path is clean"
    row = PassportRow(TwinKind.LENGTH, "unfused", context.domain, Status.LEAKY, False, reason, gap.outputs)
    pair = Pair(TwinKind.LENGTH, "unfused", context.domain, unpadded, base.single, 0, gap.worst)
    explainer.passport.append(row)
    explainer.notes.append(f"The padding leaks {reason}.")
    seen = Observation(row, pair)
    explainer.results = replace(explainer.results, observations=(*explainer.results.observations, seen))
    _explain(explainer, seen, pair)


def _leaks(explainer: _Explainer, domain: str) -> bool:
    """Whether the deployed model leaks in this domain already."""
    twins = (TwinKind.LENGTH, TwinKind.CONTENT)
    rows = [o.row for o in explainer.results.observations if o.row.domain == domain and o.row.twin in twins]
    return any(row.status is Status.LEAKY for row in rows)


def _explain(explainer: _Explainer, observation: Observation, pair: Pair, *, last: bool = False) -> bool:
    """Explain one pair; whether it could be done. Where this was the ``last`` try, a note says that it could not."""
    leaking = _leaking_outputs(observation)
    base = _row_traces(explainer, pair)
    session = _open(explainer, pair, base, leaking)
    if session is None:
        explainer.notes += [_unseen(pair)] if last else []
        return False
    gating = observation.row.gating
    first = session.origins(session.states)
    known = [o for o in first if o.site.name in explainer.items or _is_related(explainer, o.site.name)]
    for origin in known:
        _extend(explainer, origin.site.name, pair.twin, origin.gap)
    # A second origin may hide behind the first in this twin too; with only one known there is nothing to tell apart.
    if first and len(known) == len(first) == len(explainer.items) and not gating:
        return True
    quick = pair.twin is TwinKind.SIDE and not gating
    found = (
        PatchedOrigins(tuple(Group(o) for o in first[:3]), None, session.states)
        if quick
        else patch_iteratively(session)
    )
    _remember(explainer, session, found, leaking, gating)
    return True


def _open(explainer: _Explainer, pair: Pair, base: RowTraces, leaking: tuple[str, ...]) -> PatchingSession | None:
    """Trace one row of the pair, or its whole batch where one row alone does not leak."""
    for whole_batch in (False, True):
        session = open_patching_session(
            explainer.model, explainer.contract, pair, base, leaking, explainer.seed, whole_batch=whole_batch
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


def _is_related(explainer: _Explainer, name: str) -> bool:
    return any(name in {s.name for s in item.related} for item in explainer.items.values())


def _extend(explainer: _Explainer, name: str, twin: TwinKind, gap: float) -> None:
    for key, item in explainer.items.items():
        if key == name or name in {s.name for s in item.related}:
            at_site = {**item.evidence.at_site, twin: max(gap, item.evidence.at_site.get(twin, 0.0))}
            explainer.items[key] = replace(item, evidence=replace(item.evidence, at_site=at_site))


def _remember(
    explainer: _Explainer, session: PatchingSession, found: PatchedOrigins, outputs: tuple[str, ...], gating: bool
) -> None:
    at_outputs, variants = at_outputs_of(explainer.results)
    for group in found.groups:
        name = group.first.site.name
        known = explainer.items.get(name)
        if known is not None and (known.gating or not gating):
            _extend(explainer, name, session.pair.twin, group.first.gap)
            continue
        before = known.evidence.at_site if known is not None else {}  # a leak that gates tells the place anew
        attention = next((m for m in explainer.attention if m.site.name == name), None)
        facts = evidence(
            session,
            explainer.model,
            group.first,
            {**before, session.pair.twin: group.first.gap},
            at_outputs,
            variants,
            attention,
            explainer.results.dead,
            session.masks,
        )
        related = tuple(o.site for o in group.others)
        explainer.items[name] = OriginReport(
            facts, related, group.first.interval, group.share, found.explained, outputs, gating
        )
    if gating or session.pair.twin is not TwinKind.SIDE:
        _draw(explainer, session, found)
    if found.explained is not None and found.explained < 0.5 and found.groups:
        explainer.notes.append(
            f"Patching every origin found removes {found.explained:.0%} of the {session.pair.twin.value} leak; "
            "the rest could not be placed."
        )


def _draw(explainer: _Explainer, session: PatchingSession, found: PatchedOrigins) -> None:
    if not any(drawn.state == "origin" for drawn in explainer.sites):
        explainer.sites = leak_map(session, {s.name for g in found.groups for s in g.sites})


def at_outputs_of(results: TwinResults) -> tuple[Mapping[TwinKind, float], Mapping[str, float]]:
    """Largest leaking difference per twin (0.0: clean; absent: not tried), and per twin and variant."""
    twins: dict[TwinKind, float] = {}
    variants: dict[str, float] = {}
    for observation in results.observations:
        row = observation.row
        if row.status is Status.UNTESTED:
            continue
        found = (row.difference or 1.0) if row.status is Status.LEAKY else 0.0
        variants[f"{row.twin.value}/{row.variant}"] = found
        if row.variant != "filler":
            twins[row.twin] = max(twins.get(row.twin, 0.0), found)
    return twins, variants
