"""Evidence for the rules: the origin, its tensors, its neighbours, and how its error is spread."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from maskcheck.core.evidence import Evidence, Spread, TensorFacts
from maskcheck.core.model import Array, Model
from maskcheck.core.report import AttentionMap, TwinKind, Variant
from maskcheck.explain.divergence import State, compare
from maskcheck.explain.leakmap import gaps
from maskcheck.explain.origins import Origin
from maskcheck.explain.session import PatchingSession
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Kind, Operation
from maskcheck.probe.align import Axes, View

_BEFORE, _BEHIND = 20, 12
"""How many of the nearest sites rules may look at."""
_FAR = 40
"""How many sites more that made a mask."""
_ADDED = {Operation.MATMUL_ADD: 0, Operation.LINEAR: 2}
"""Products that add a third operand, which may be a mask, and the place of that operand."""
_THROUGH = (Kind.ELEMENTWISE, Kind.LAYOUT, Kind.STATIC_QUANTIZE)


def facts(session: PatchingSession, keys: Collection[str], masks: Collection[str]) -> dict[str, TensorFacts]:
    """What is known about the given tensors."""
    found = {}
    trace = session.twin
    for key in keys:
        value = trace.tensors.get(key)
        if value is None:
            continue
        axes = session.alignment.axes.get(key) or Axes()
        state = session.states.get(key)
        if key in trace.shape_only and key in session.reference.tensors:
            state = compare(key, session.reference.tensors[key], value, session.alignment, mirrors=False)
        found[key] = TensorFacts(
            shape=tuple(value.shape),
            sequence_axes=tuple(axes.sequence),
            batch_axis=axes.batch[0] if axes.batch else None,
            shape_only=key in trace.shape_only,
            constant=key in trace.constants,
            mask_reaches=masked_nearby(session.graph, key, masks),
            zero_at_pads=_zero_at_pads(value, axes, session.alignment.twin),
            difference=state.gap if state is not None and state.state is State.DIRTY else 0.0,
            dtype=str(value.dtype),
        )
    return found


def masked_nearby(graph: Graph, key: str, masks: Collection[str]) -> bool:
    """Whether a mask is applied to a tensor right where it is made, looking through element-wise and layout
    operators.
    """
    seen, stack = set(), [key]
    while stack:
        current = stack.pop()
        if current in seen:
            continue
        seen.add(current)
        if current in masks:
            return True
        site = graph.maker.get(current)
        if site is not None and (site.kind in _THROUGH or (current == key and site.kind is Kind.SOFTMAX)):
            stack += site.inputs
        elif site is not None and (place := _ADDED.get(site.operation)) is not None and len(site.inputs) > 2:
            stack.append(site.inputs[place])
    return False


def _zero_at_pads(value: Array, axes: Axes, view: View) -> bool:
    """Whether every pad position holds exactly 0 (and not every position does)."""
    if not axes.sequence or not view.padded:
        return False
    axis, (short, long) = next(iter(axes.sequence.items()))
    if value.shape[axis] != long or not np.any(value):
        return False
    index: list[slice] = [slice(None)] * value.ndim
    index[axis] = slice(short, long) if view.side.value == "right" else slice(0, long - short)
    return not np.any(value[tuple(index)])


def spread(session: PatchingSession, site: Site) -> Spread:
    """How the error at an origin lies over its valid positions."""
    for key in site.outputs:
        profile = gaps(session, key)
        if profile is None:
            continue
        axes = session.alignment.axes[key]
        if axes is None or not axes.sequence or profile.size == 1:
            return Spread.POOLED
        finite = np.nan_to_num(profile, posinf=0.0)
        return _shape_of(finite if session.alignment.twin.side.value == "right" else finite[::-1])
    return Spread.POOLED


def _shape_of(profile: Array) -> Spread:
    """From the error per valid position, the pads following the last one."""
    top = float(profile.max(initial=0.0))
    if top == 0.0 or profile.size < 3:
        return Spread.UNIFORM
    half = profile.size // 2
    near, far = float(profile[half:].max()), float(profile[:half].max())
    if int(profile.argmax()) >= profile.size - 2 and far < 0.2 * top:
        return Spread.BOUNDARY
    if int(profile.argmax()) <= 1 and near < 0.2 * top:
        return Spread.START
    return Spread.UNIFORM if float(np.median(profile)) > 0.05 * top else Spread.LOCAL


def evidence(
    session: PatchingSession,
    model: Model,
    origin: Origin,
    at_site: Mapping[TwinKind, float],
    at_outputs: Mapping[TwinKind, float],
    variants: Mapping[tuple[TwinKind, Variant], float],
    attention: AttentionMap | None,
    dead: tuple[float, ...],
    masks: Collection[str],
) -> Evidence:
    """All that the rules may look at for one origin."""
    graph, site = session.graph, origin.site
    upstream, downstream = graph.upstream(site, _BEFORE), graph.downstream(site, _BEHIND)
    upstream += _mask_makers(graph, upstream, masks)
    near = {k for s in (site, *upstream, *downstream) for k in (*s.inputs, *s.outputs)}
    return Evidence(
        site=site,
        twin=session.pair.twin,
        at_site=dict(at_site),
        at_outputs=dict(at_outputs),
        tensors=facts(session, near, masks),
        contract=session.contract,
        framework=model.info.framework,
        format=model.info.format,
        spread=spread(session, site),
        upstream=upstream,
        downstream=downstream,
        attention=attention,
        static=model.info.static,
        conflicts=session.contract.conflicts,
        dead_positions=dead,
        domain=session.pair.domain,
        variants=dict(variants),
        beside=_layouts(graph, downstream),
        further=tuple(s for s in origin.interval if not any(k in session.reference.tensors for k in s.outputs)),
    )


def _mask_makers(graph: Graph, near: Sequence[Site], masks: Collection[str]) -> tuple[Site, ...]:
    """The sites that made the masks which ``near`` sites read, beyond those, back to the inputs."""
    known = {site.name for site in near}
    found: dict[str, Site] = {}
    queue = [key for site in near for key in site.inputs if key in masks]
    while queue and len(found) < _FAR:
        maker = graph.maker.get(queue.pop(0))
        if maker is None or maker.name in found:
            continue
        if maker.name not in known:
            found[maker.name] = maker
        queue += [key for key in maker.inputs if key in masks]
    return tuple(found.values())


def _layouts(graph: Graph, sites: Sequence[Site]) -> tuple[Site, ...]:
    """The sites that lay out what ``sites`` read, back to what is computed."""
    found: dict[str, Site] = {}
    stack = [key for site in sites for key in site.inputs]
    while stack:
        maker = graph.maker.get(stack.pop())
        if maker is not None and maker.kind is Kind.LAYOUT and maker.name not in found:
            found[maker.name] = maker
            stack += maker.inputs
    return tuple(found.values())
