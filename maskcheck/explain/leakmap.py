"""The leak map: what padding does to every site, at every valid position, and the same by stretches of the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck.core.model import Array
from maskcheck.core.report import LayerState, Reach
from maskcheck.core.trace import Trace
from maskcheck.explain.divergence import State
from maskcheck.explain.session import PatchingSession
from maskcheck.ir.graph import Site
from maskcheck.probe.compare import absolute, scale

STRETCHES = 120
"""Most stretches that a map has. Reporters fold them by module; a terminal shows runs of one state as a range."""


@dataclass(frozen=True, slots=True)
class SiteState:
    """One site on the map; ``positions`` as in ``LayerState``."""

    site: Site
    state: Reach
    positions: tuple[float, ...] = ()


def clean_map(trace: Trace) -> tuple[SiteState, ...]:
    """The map of a model in which nothing leaks. Sites that only compute sizes are left out."""
    ignored = trace.shape_only | trace.constants
    return tuple(SiteState(site, Reach.CLEAN) for site in trace.sites if not ignored.issuperset(site.outputs))


def leak_map(session: PatchingSession, origins: Collection[str]) -> tuple[SiteState, ...]:
    """The map of one leaking pair; ``origins`` are names of sites. Sites that only compute sizes are left out."""
    drawn = []
    for site in session.twin.sites:
        state = Reach.ORIGIN if site.name in origins else _state(session, site)
        if state is not None:
            drawn.append(SiteState(site, state, _positions(session, site)))
    return tuple(drawn)


def gaps(session: PatchingSession, key: str) -> Array | None:
    """max|a - b| of a tensor at each valid position, from the first to the last; (1,) where no axis is a sequence.

    ``None`` where the two runs cannot be compared. Equal non-finite values count as 0, others as infinity.
    """
    axes, state = session.alignment.axes.get(key), session.states.get(key)
    before, after = session.reference.tensors.get(key), session.twin.tensors.get(key)
    if axes is None or state is None or before is None or after is None:
        return None
    parts = session.alignment.parts(key, before, after, state.mode)
    if parts is None or parts[0].size == 0:
        return None
    gap = absolute(*parts)
    axis = min(axes.sequence, default=gap.ndim)
    if axis >= gap.ndim:
        return np.array([gap.max()])
    profile: Array = gap.max(axis=tuple(i for i in range(gap.ndim) if i != axis))
    return profile


def layers(sites: Sequence[SiteState]) -> tuple[LayerState, ...]:
    """The model in stretches from input to output, by module where the exporter recorded modules.

    What happens between the modules, in the ``forward`` of the whole model, goes by the name of its origin, or of the
    last site there.
    """
    named = [s.site for s in sites if s.site.module]
    depth = _depth([s.module or "" for s in named]) if len(named) * 2 > len(sites) else 0
    size = max(-(-len(sites) // STRETCHES), 1)
    stretches: list[tuple[str, list[SiteState]]] = []
    for i, entry in enumerate(sites):
        name = ".".join((entry.site.module or "").split(".")[:depth])
        if not stretches or (stretches[-1][0] != name if depth else i % size == 0):
            stretches.append((name, []))
        stretches[-1][1].append(entry)
    return tuple(
        LayerState(name or _own_name(run, depth), _worst([s.state for s in run]), _joined(run))
        for name, run in stretches
    )


def _own_name(run: Sequence[SiteState], depth: int) -> str:
    origin = next((entry.site.name for entry in run if entry.state is Reach.ORIGIN), None)
    return origin or run[-1 if depth else 0].site.name


def _state(session: PatchingSession, site: Site) -> Reach | None:
    own = [session.states[key].state for key in site.outputs if key in session.states]
    return next((Reach(s.value) for s in (State.DIRTY, State.CLEAN, State.OPAQUE) if s in own), None)


def _positions(session: PatchingSession, site: Site) -> tuple[float, ...]:
    """The first output that can be compared, in standard deviations; what is rounding there counts as nothing."""
    for key in site.outputs:
        state = session.states.get(key)
        if state is None or state.state not in (State.CLEAN, State.DIRTY):
            continue
        found = gaps(session, key)
        if found is None:
            continue
        if state.state is State.CLEAN:
            return (0.0,) * len(found)
        # The gap of the whole tensor is in deviations of its valid region; each position's share is of the same unit.
        top = float(found.max())
        unit = state.gap / top if np.isfinite(top) and top > 0 else 1.0 / scale([session.reference.tensors[key]])
        return tuple(float(f"{value * unit:.3g}") for value in found)
    return ()


def _joined(run: Sequence[SiteState]) -> tuple[float, ...]:
    """The largest difference at each position over the sites of a stretch whose sequences are equally long.

    Sites without a sequence have one value for all positions.
    """
    known = [entry.positions for entry in run if entry.positions]
    if not known:
        return ()
    sizes = Counter(len(positions) for positions in known if len(positions) > 1)
    size = sizes.most_common(1)[0][0] if sizes else 1
    rows = [p if len(p) == size else p * size for p in known if len(p) in (size, 1)]
    return tuple(max(column) for column in zip(*rows, strict=True))


def _depth(modules: Sequence[str]) -> int:
    """The deepest level of module names that still gives only a few stretches."""
    best = 1
    for depth in range(1, 6):
        runs = 0
        last = None
        for module in modules:
            name = ".".join(module.split(".")[:depth])
            runs += name != last
            last = name
        if runs <= STRETCHES:
            best = depth
    return best


def _worst(states: Sequence[Reach]) -> Reach:
    known = (Reach.ORIGIN, Reach.DIRTY, Reach.CLEAN)
    return next((state for state in known if state in states), Reach.OPAQUE)
