"""Origins: dirty sites that no dirty input explains."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from maskcheck.core.contract import Contract
from maskcheck.core.trace import Trace
from maskcheck.explain.divergence import State, TensorState
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind
from maskcheck.ir.settings import Along, Pick, Reduce, Settings, Slice, Softmax
from maskcheck.probe.align import Axes

_FAINT = 1e-4
"""Standard deviations below which a difference is near rounding, and need not stay above it all the way."""


def pure_masks(graph: Graph, contract: Contract, uses: Sequence[InputUse], ignored: Collection[str]) -> frozenset[str]:
    """Tensors that say where padding is and nothing else: made from masks, lengths, or ids compared with a constant."""
    masks = {spec.name for spec in contract.inputs if spec.role.marks_padding}
    comparing = {use.site for use in uses if use.kind is UseKind.COMPARE}
    for site in graph.sites:
        if site.name in comparing:
            masks |= set(site.outputs)
            continue
        carried = [
            k for k in site.inputs if k not in ignored and (k in graph.maker or k in {s.name for s in contract.inputs})
        ]
        if carried and all(k in masks for k in carried) and any(k in masks for k in carried):
            masks |= set(site.outputs)
    return frozenset(masks)


def counts(masks: Collection[str], trace: Trace, axes: Mapping[str, Axes | None]) -> frozenset[str]:
    """Those of ``masks`` that say how many steps there are, and not which, or in what order."""
    ordered: set[str] = set()
    for site in trace.sites:
        if site.kind is Kind.ROUTING or ordered & set(site.inputs):
            ordered |= set(site.outputs)
    return frozenset(
        key
        for key in masks
        if key not in ordered
        and (value := trace.tensors.get(key)) is not None
        and np.issubdtype(value.dtype, np.integer)
        and ((known := axes.get(key)) is None or not known.sequence)
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """A site where padding gets in, with the opaque sites just before it, if any."""

    site: Site
    gap: float
    interval: tuple[Site, ...] = ()


def origins(
    graph: Graph,
    found: Mapping[str, TensorState],
    live: Collection[str],
    patched: Collection[str] = (),
    counts: Collection[str] = (),
) -> list[Origin]:
    """All origins among the live sites, in order. A patched tensor counts as clean for those who read it.

    ``counts`` are numbers of steps, which may differ: the longest row of a batch is another one beside other rows. What
    makes something of the sequence by them is the origin.
    """
    result = []
    for site in graph.sites:
        gaps = [
            found[k].gap
            for k in site.outputs
            if k in live and k not in counts and k in found and found[k].state is State.DIRTY
        ]
        if not gaps:
            continue
        dirty, interval = _explained(graph, found, site, patched, counts, faint=max(gaps) < _FAINT)
        if not dirty:
            turning = _turning(graph, found, site)
            result.append(Origin(site, max(gaps), interval) if turning is None else Origin(turning, max(gaps)))
    return list({origin.site.name: origin for origin in result}.values())


def _turning(graph: Graph, found: Mapping[str, TensorState], site: Site) -> Site | None:
    """The site that moved one of two sequences, which meet here, to the other end of the row."""
    read = [k for k in site.inputs if k in found and found[k].state is State.CLEAN]
    turned = [k for k in read if found[k].mode.mirrored]
    if not turned or len(turned) == len(read):
        return None
    maker = graph.maker.get(turned[0])
    while maker is not None:
        before = next((k for k in maker.inputs if k in found and found[k].mode.mirrored), None)
        if before is None:
            return maker
        maker = graph.maker.get(before)
    return None


def _explained(
    graph: Graph,
    found: Mapping[str, TensorState],
    site: Site,
    patched: Collection[str],
    counts: Collection[str],
    faint: bool,
) -> tuple[bool, tuple[Site, ...]]:
    """Whether some input is dirty, looking through opaque tensors to what they were made from.

    A ``faint`` difference may have passed below the noise of the tensors in between.
    """
    seen: set[str] = set()
    passed: dict[str, Site] = {}
    stack = list(site.inputs)
    while stack:
        key = stack.pop()
        if key in seen or key in patched:
            continue
        seen.add(key)
        state = found[key].state if key in found else State.OPAQUE
        if key in counts:
            stack.extend(graph.maker[key].inputs if key in graph.maker else ())
            continue
        if state is State.DIRTY:
            return True, ()
        if state is State.OPAQUE and (maker := graph.maker.get(key)) is not None:
            passed[maker.name] = maker
            stack.extend(maker.inputs)
        elif faint and key in found and found[key].gap > 0.0 and key in graph.maker:
            stack.extend(graph.maker[key].inputs)
    return False, tuple(reversed(passed.values()))


def signature(graph: Graph, site: Site) -> tuple[object, ...]:
    """What makes sites of repeated layers alike: the operation, its axes, and its neighbours' operations."""
    before = tuple(sorted(graph.maker[k].operation for k in site.inputs if k in graph.maker))
    after = tuple(sorted({r.operation for k in site.outputs for r in graph.readers.get(k, ())}))
    return (site.operation, before, after, type(site.settings), _axes(site.settings))


def _axes(settings: Settings | None) -> object:
    """The axes as the operation was given them. Other settings name tensors, which differ between layers."""
    match settings:
        case Reduce() | Slice():
            return settings.axes
        case Along() | Softmax() | Pick():
            return settings.axis
        case _:
            return None


def siblings(graph: Graph, site: Site, live: Collection[str]) -> list[Site]:
    """Other live sites with the same signature: the same operation in other layers."""
    if site.kind in (Kind.ELEMENTWISE, Kind.LAYOUT):
        return []  # too common to guess from; found one after another instead
    wanted = signature(graph, site)
    return [
        s
        for s in graph.sites
        if s.name != site.name and any(k in live for k in s.outputs) and signature(graph, s) == wanted
    ]


def in_order(graph: Graph, sites: Sequence[Site]) -> list[Site]:
    rank = {site.name: i for i, site in enumerate(graph.sites)}
    return sorted(sites, key=lambda s: rank.get(s.name, 0))
