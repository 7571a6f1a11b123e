"""Find the origins of a leak, patch them, look again: what lies behind the first ones, and how much each explains."""

from __future__ import annotations

from dataclasses import dataclass, field

from maskcheck.core.errors import RunError
from maskcheck.explain.divergence import TensorState
from maskcheck.explain.origins import Origin, in_order, siblings, signature
from maskcheck.explain.session import PatchingSession
from maskcheck.ir.graph import Site

_ROUNDS = 10
_MOST_GROUPS = 6
_NEGLIGIBLE = 0.01
"""Share of the leak that counts as all of it gone, or as nothing gone."""
_MIN_EFFECT = 1e-4
"""Standard deviations: a site whose patch removes nothing, for later origins hide it, and whose dirt alone moves the
answers by less explains nothing. Rounding in float32 is near 1e-6; coarser types have a larger limit."""


@dataclass(frozen=True, slots=True)
class Group:
    """Origins of one kind, one per layer for instance, with the share of the leak that goes when all are patched."""

    first: Origin
    others: tuple[Origin, ...] = ()
    share: float | None = None

    @property
    def sites(self) -> list[Site]:
        return [self.first.site, *(o.site for o in self.others)]


@dataclass(frozen=True, slots=True)
class PatchedOrigins:
    """All groups behind one leak, the share they explain together, and the states of the unpatched twin."""

    groups: tuple[Group, ...]
    explained: float | None
    states: dict[str, TensorState] = field(default_factory=dict)


def patch_iteratively(session: PatchingSession) -> PatchedOrigins:
    """Find the origins of the leak, then the origins that were hidden behind them, until nothing leaks or nothing is
    found.
    """
    found, remaining = _patch_until_clean(session)
    groups = [_without_inert_leaders(session, group) for group in _grouped(session, found)]
    if not groups or session.leak == 0.0:
        return PatchedOrigins(tuple(groups), None, session.states)
    explained = _share(session.leak, remaining)
    if len(groups) == 1:
        return PatchedOrigins((Group(groups[0].first, groups[0].others, explained),), explained, session.states)
    kept = [g for g in (_confirm(session, g) for g in groups[:_MOST_GROUPS]) if g is not None]
    return PatchedOrigins(tuple(kept) or tuple(groups[:1]), explained, session.states)


def _patch_until_clean(session: PatchingSession) -> tuple[dict[str, Origin], float]:
    """All origins by site name, and the leak that remains when they are patched.

    Sites like a new origin (the same operation in other layers) are patched along with it, on suspicion: since a
    trace records what a patched site computed itself, the next look shows which of them really are origins, and the
    others are dropped.
    """
    graph, live = session.graph, session.live
    confirmed: dict[str, Origin] = {}
    patched: dict[str, Site] = {}
    rejected: set[str] = set()  # suspects that were none when last looked at; they may still turn out to be origins
    refused: set[str] = set()  # sites the model does not run with patched
    states, leak = session.states, session.leak
    for _ in range(_ROUNDS):
        done = (*patched.values(), *session.settled(patched.values()))
        fresh = session.origins(states, {k for s in done for k in s.outputs})
        new = [o for o in fresh if o.site.name not in confirmed]
        new = [o for o in new if o.site.name not in refused]
        confirmed |= {o.site.name: o for o in new}
        rejected |= set(patched) - set(confirmed)
        wanted = {name: o.site for name, o in confirmed.items()}
        for origin in new:
            wanted |= {s.name: s for s in siblings(graph, origin.site, live) if s.name not in rejected | refused}
        if set(wanted) == set(patched):
            break
        try:
            states, leak = session.retrace(wanted.values())
        except RunError:
            # Indices and counts cannot be replaced one without the other; values can.
            whole = {name: site for name, site in wanted.items() if session.floating(site)}
            if not whole:
                return confirmed, session.leak
            refused |= set(wanted) - set(whole)
            confirmed = {name: origin for name, origin in confirmed.items() if name in whole}
            wanted = whole
            try:
                states, leak = session.retrace(wanted.values())
            except RunError:  # what was found so far stands, unconfirmed
                return confirmed, session.leak
        patched = wanted
        if not _unexplained(session, leak) and set(wanted) == set(confirmed):
            break
    return confirmed, leak


def _without_inert_leaders(session: PatchingSession, group: Group) -> Group:
    """The group without those first members whose dirt alone leaks nothing: one operation in several places need not
    be at fault in the first of them, as where a mask is pooled beside the sequence.
    """
    while group.others:
        try:
            moved = session.inject([group.first.site])
        except RunError:
            break
        if moved > _min_effect(session):
            break
        group = Group(group.others[0], group.others[1:])
    return group


def _min_effect(session: PatchingSession) -> float:
    """How far the answers must move for a site's dirt to count."""
    return max(_MIN_EFFECT, 100 * session.epsilon)


def _unexplained(session: PatchingSession, leak: float) -> bool:
    return leak > _NEGLIGIBLE * session.leak


def _share(leak: float, left: float) -> float:
    """The part of ``leak`` that is gone when ``left`` remains, between 0 and 1; NaN leaks are all or nothing."""
    if leak == float("inf"):
        return 0.0 if left == float("inf") else 1.0
    return min(1.0, max(0.0, 1.0 - left / leak))


def _grouped(session: PatchingSession, found: dict[str, Origin]) -> list[Group]:
    ordered = in_order(session.graph, [o.site for o in found.values()])
    groups: dict[tuple[object, ...], list[Origin]] = {}
    for site in ordered:
        groups.setdefault(signature(session.graph, site), []).append(found[site.name])
    return [Group(members[0], tuple(members[1:])) for members in groups.values()]


def _confirm(session: PatchingSession, group: Group) -> Group | None:
    """Patch the group alone for its share. Where later origins hide its effect, see whether its dirt alone leaks."""
    try:
        _, left = session.retrace(group.sites, record=())
    except RunError:  # the model refuses this patch alone; the origin stands, its share unknown
        return group
    share = _share(session.leak, left)
    if share < _NEGLIGIBLE and not session.inject(group.sites) > _min_effect(session):
        return None
    return Group(group.first, group.others, share)
