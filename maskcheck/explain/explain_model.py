"""The whole explanation of one model: every leaking twin traced, origins merged across twins, attention maps read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from maskcheck.core.contract import Contract, Side
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.evidence import OriginReport
from maskcheck.core.model import Model
from maskcheck.core.report import AttentionMap, Reach, Status, TwinKind, Variant
from maskcheck.explain.attention import maps
from maskcheck.explain.evidence import evidence
from maskcheck.explain.iterative_patching import Group, PatchedOrigins, patch_iteratively
from maskcheck.explain.leakmap import SiteState, clean_map, leak_map
from maskcheck.explain.session import PatchingSession, open_patching_session
from maskcheck.probe.align import View
from maskcheck.probe.compare import difference
from maskcheck.probe.layout import Row
from maskcheck.probe.observe import Observation, Pair
from maskcheck.probe.row_traces import RowTraces, axes_of, trace_row, with_noise
from maskcheck.probe.run_twins import TwinResults
from maskcheck.probe.runner import Answers
from maskcheck.probe.twins import precision
from maskcheck.probe.twins.context import TwinContext

_ORDER = (TwinKind.LENGTH, TwinKind.MATES, TwinKind.CONTENT, TwinKind.EMPTY, TwinKind.SIDE)
"""Twins whose leaks are explained, the gating ones first. Poison is a hygiene check and has no origin worth naming."""


_DISAGREEMENT = 5e-3
"""Standard deviations by which the deployed and the instrumented answers may differ before the reader is told."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """All items, attention maps, the state of every site in the main twin, and notes for the reader."""

    items: tuple[OriginReport, ...] = ()
    attention: tuple[AttentionMap, ...] = ()
    sites: tuple[SiteState, ...] = ()
    notes: tuple[str, ...] = ()

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
        )


@dataclass(slots=True, kw_only=True)
class _Explainer:
    """What is known so far. ``traced`` holds the traces of one row at a time: each are two runs of the model."""

    model: Model
    contract: Contract
    results: TwinResults
    seed: int
    items: dict[str, OriginReport] = field(default_factory=dict)
    attention: tuple[AttentionMap, ...] = ()
    sites: tuple[SiteState, ...] = ()
    notes: list[str] = field(default_factory=list)
    traced: dict[object, RowTraces] = field(default_factory=dict)


def explain_model(
    model: Model, contract: Contract, results: TwinResults, seed: int, progress: Callable[[str, float], None]
) -> Explanation:
    """Explain every leak that the twins saw.

    Never raises for a model that cannot be traced: the notes say so instead.
    """
    explainer = _Explainer(model=model, contract=contract, results=results, seed=seed)
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
    )


def _chosen(results: TwinResults) -> list[tuple[Observation, Pair]]:
    """One pair per twin and domain, gating rows before others, in the order of the passport."""
    found: dict[tuple[TwinKind, str | None], tuple[Observation, Pair]] = {}
    ranked = sorted(results.observations, key=lambda o: not o.row.gating)
    for observation in ranked:
        # Positions counted by column are wrong on purpose: the passport shows what that costs, no layer is to blame.
        blameless = observation.row.variant.by_column
        if observation.pair is not None and observation.row.twin in _ORDER and not blameless:
            found.setdefault((observation.row.twin, observation.row.domain), (observation, observation.pair))
    for domain in {domain for _, domain in found}:
        if (TwinKind.MATES, domain) in found:  # an empty row is a mate like others: the same leak, harder to trace
            found.pop((TwinKind.EMPTY, domain), None)
    return sorted(found.values(), key=lambda f: (not f[0].row.gating, _ORDER.index(f[0].row.twin)))


def _batch(explainer: _Explainer) -> int:
    return explainer.results.judge.runner.batch_size(1) if explainer.results.judge else 1


def _row_traces(explainer: _Explainer, pair: Pair) -> RowTraces:
    """The traces of the pair's row with their noise, made anew where another row was traced last."""
    row, totals = pair.reference.rows[pair.rows[0]], pair.other.padding.totals
    key = (pair.domain, tuple(row.lengths.items()), tuple(totals.items()), id(row))
    if key not in explainer.traced:
        explainer.traced.clear()
        explainer.traced[key] = _trace(explainer, pair, row, totals)
    return explainer.traced[key]


def _trace(explainer: _Explainer, pair: Pair, row: Row, totals: Mapping[str, int]) -> RowTraces:
    model, contract = explainer.model, explainer.contract
    context = next((c for c in explainer.results.contexts if c.domain == pair.domain), None)
    known = context.traces if context is not None and context.model is model and context.rows[0] is row else None
    if known is None or known.padded_batch.padding.totals != totals:
        fixed = next(p.fixed for p in explainer.results.plans if p.domain.name == pair.domain)
        seeds = (pair.reference.seed, pair.other.seed)
        known = trace_row(model, contract, row, totals, fixed=fixed, batch=_batch(explainer), seeds=seeds)
    return with_noise(known, model, contract, explainer.seed)


def _look_inside(explainer: _Explainer) -> None:
    """Attention on pads from one padded row of every domain, and a map for a model in which nothing leaks.

    Also the check that the instrumented copy answers like the deployed file.
    """
    for context in explainer.results.contexts:
        if context.traces is None:
            explainer.notes.append(f"The explanation is incomplete: {context.untraced}")
            continue
        padded = context.traces.padded
        axes = axes_of(context.traces, padded, View(True, rows=_batch(explainer)))
        known = {m.site.name for m in explainer.attention}
        explainer.attention += tuple(
            m for m in maps(padded, axes, View(True, Side.RIGHT, 1)) if m.site.name not in known
        )
        _tell_gradients(explainer, context)
        if not explainer.sites:
            explainer.sites = clean_map(padded)
            _check_agreement(explainer, context, context.traces)


def _check_agreement(explainer: _Explainer, context: TwinContext, traces: RowTraces) -> None:
    """Compare the deployed answers to the reference row with the instrumented ones."""
    if traces.unpadded is None or traces.unpadded_batch is None:
        return
    traced = context.runner.valid_outputs(traces.unpadded.outputs, traces.unpadded_batch.only(0))
    alone: Answers | None = None
    for name, rows in traced.items():
        most = max(10 * context.judge.noise.floors[name].tolerance, _DISAGREEMENT)
        gap = difference(context.reference[name][:1], rows)
        if not gap <= most:  # or beside other rows the answer is another one
            alone = alone or context.runner.valid(traces.unpadded_batch, together=True)
            gap = difference(alone[name][:1], rows)
        if not gap <= most:
            explainer.notes.append(
                f"The instrumented copy answers {gap:.1g} sd away from the deployed model at {name}: "
                "optimisations of the runtime change the answer, so sites may be imprecise."
            )
            return


def _tell_gradients(explainer: _Explainer, context: TwinContext) -> None:
    """Say what only gradients or unfused kernels see: no comparison of deployed answers shows it."""
    rows = [o.row for o in explainer.results.observations if o.row.domain == context.domain]
    seen = [r for r in rows if r.variant is not Variant.UNFUSED and r.status is Status.LEAKY]
    if any(r.twin in (TwinKind.LENGTH, TwinKind.CONTENT) and r.variant is not Variant.RARE for r in seen):
        return
    for row in rows:
        if row.status is Status.LEAKY and row.twin is TwinKind.POKE and row.variant is Variant.GRADIENT:
            explainer.notes.append(f"Gradients see an influence that no twin showed: {row.reason}.")
        if row.variant is Variant.UNFUSED:
            explainer.notes.append(f"The padding leaks {row.reason}.")


def _with(explainer: _Explainer, model: Model, step: Callable[[], bool]) -> bool:
    """Take a step with another model: half precision is explained in single, whose rounding hides no origin. Where that
    cannot be traced the step is not done.
    """
    deployed, explainer.model = explainer.model, model
    explainer.traced.clear()
    try:
        return step()
    except (TraceError, RunError):
        return False
    finally:
        explainer.model = deployed
        explainer.traced.clear()


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
    moved = [o.name for o in observation.row.outputs if o.moved]
    return tuple(moved) or tuple(o.name for o in observation.row.outputs)


def _unseen(pair: Pair) -> str:
    return (
        f"The {pair.twin.value} leak ({pair.variant.value}) of the deployed model does not appear in the instrumented "
        "copy: it comes from an optimisation of the runtime or needs a larger batch, and no layer can be named."
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
            evidence=facts,
            related=related,
            interval=group.first.interval,
            share=group.share,
            joint=found.explained,
            outputs=outputs,
            gating=gating,
        )
    if gating or session.pair.twin is not TwinKind.SIDE:
        _draw(explainer, session, found)
    if found.explained is not None and found.explained < 0.5 and found.groups:
        explainer.notes.append(
            f"Patching every origin found removes {found.explained:.0%} of the {session.pair.twin.value} leak; "
            "the rest could not be placed."
        )


def _draw(explainer: _Explainer, session: PatchingSession, found: PatchedOrigins) -> None:
    if not any(drawn.state is Reach.ORIGIN for drawn in explainer.sites):
        explainer.sites = leak_map(session, {s.name for g in found.groups for s in g.sites})


def at_outputs_of(
    results: TwinResults,
) -> tuple[Mapping[TwinKind, float], Mapping[tuple[TwinKind, Variant], float]]:
    """Largest leaking difference per twin (0.0: clean; absent: not tried), and per twin and variant."""
    twins: dict[TwinKind, float] = {}
    variants: dict[tuple[TwinKind, Variant], float] = {}
    for observation in results.observations:
        row = observation.row
        if row.status is Status.UNTESTED:
            continue
        found = (row.difference or 1.0) if row.status is Status.LEAKY else 0.0
        variants[row.twin, row.variant] = found
        if row.variant is not Variant.FILLER:
            twins[row.twin] = max(twins.get(row.twin, 0.0), found)
    return twins, variants
