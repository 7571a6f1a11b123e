"""The traces of one leaking pair: what to run, how to align it, what leaks with which sites patched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from maskcheck.core.contract import Contract
from maskcheck.core.model import Array, Model
from maskcheck.core.report import TwinKind
from maskcheck.core.trace import OperationKind, Site, Trace
from maskcheck.probe.entry import entries, feeds, pad_rows_changed
from maskcheck.probe.explain.align import Axes, View, guess, learn
from maskcheck.probe.explain.dirt import Alignment, State, TensorState, states
from maskcheck.probe.explain.origins import Graph
from maskcheck.probe.layout import Fill, Padding
from maskcheck.probe.noise import site_noise
from maskcheck.probe.observe import Pair
from maskcheck.probe.runner import Call


@dataclass(slots=True)
class Session:
    """One pair, traced. ``twin`` is re-traced with patches; everything else is computed once."""

    model: Model
    contract: Contract
    pair: Pair
    reference: Trace
    twin: Trace
    twin_call: Call
    alignment: Alignment
    graph: Graph
    outputs: tuple[str, ...]
    live: frozenset[str]
    states: dict[str, TensorState]
    base_patches: Mapping[str, Array] = field(default_factory=dict)

    @property
    def leak(self) -> float:
        """Largest gap over the leaking outputs, unpatched."""
        return self._leak(self.states)

    def _leak(self, found: Mapping[str, TensorState]) -> float:
        return max((found[k].gap for k in self.outputs if k in found and found[k].state is State.DIRTY), default=0.0)

    def retrace(
        self, sites: Collection[Site], record: Collection[str] | None = None
    ) -> tuple[dict[str, TensorState], float]:
        """Trace the twin with the valid regions of ``sites`` replaced by clean values: all states, and what still
        leaks.
        """
        patches = {**self.base_patches, **self._patches(sites)}
        twin = self.model.trace(feeds(self.contract, self.twin_call), patches=patches, record=record)
        if record is not None:
            keep = {*record, *self.outputs}
            reference = replace(self.reference, tensors={k: v for k, v in self.reference.tensors.items() if k in keep})
            tensors = {
                **{k: v for k, v in twin.tensors.items() if k in keep},
                **{k: np.asarray(twin.outputs[k]) for k in self.outputs},
            }
            found = states(reference, replace(twin, tensors=tensors), self.alignment)
        else:
            found = states(self.reference, twin, self.alignment)
        return found, self._leak_patched(found, twin, sites)

    def _leak_patched(self, found: Mapping[str, TensorState], twin: Trace, sites: Collection[Site]) -> float:
        """A patched site that is itself a model output leaks nothing any more."""
        made = {k for s in sites for k in s.outputs}
        return self._leak({k: v for k, v in found.items() if k not in made})

    def _patches(self, sites: Collection[Site]) -> dict[str, Array]:
        patches = {}
        for site in sites:
            for key in site.outputs:
                if key not in self.live or key not in self.twin.tensors or key not in self.reference.tensors:
                    continue
                value = self._cleaned(key, neutral_pads=site.kind is OperationKind.SOFTMAX)
                if value is not None:
                    patches[key] = value
        return patches

    def _cleaned(self, key: str, neutral_pads: bool) -> Array | None:
        """The twin's tensor with its valid region overwritten by the reference's.

        Attention weights are clean only when pads get none: their pad region becomes 0, or the weight already spent
        on pads would go on leaking through the product with the values.
        """
        value = np.ascontiguousarray(self.twin.tensors[key]).copy()
        if neutral_pads and self.alignment.twin.rows == 1:
            value[...] = 0
        parts = self.alignment.parts(key, self.reference.tensors[key], value, self.states[key].mode)
        if parts is None:
            return None
        clean, region = parts
        region[...] = clean
        return value


@dataclass(frozen=True, slots=True)
class Ground:
    """What several pairs of one domain share: axes of all tensors, traces and noise of the single padded row."""

    single: Call
    unpadded: Call | None
    short: Trace | None
    long: Trace
    noise: Mapping[str, float]


def ground(model: Model, contract: Contract, pair: Pair, fixed: bool, batch: int, seed: int) -> Ground:
    """Trace the pair's row alone, unpadded and padded, and measure every site's noise."""
    row = pair.reference.rows[min(pair.row, len(pair.reference.rows) - 1)]
    padding = _plain(pair.other.padding)
    single = Call((row,) * batch, padding, pair.other.seed)
    long = model.trace(feeds(contract, single))
    if fixed:
        return Ground(single, None, None, long, site_noise(model, contract, single, long, seed))
    plain = Call((row,) * batch, Padding(dict(row.lengths)), pair.reference.seed)
    short = model.trace(feeds(contract, plain))
    return Ground(single, plain, short, long, site_noise(model, contract, plain, short, seed))


def _plain(padding: Padding) -> Padding:
    """Right padding with the pad value, of the same totals."""
    return Padding(dict(padding.totals), sides={}, fill=Fill.PAD)


def open_session(
    model: Model, contract: Contract, pair: Pair, base: Ground, outputs: Sequence[str], batch: int, seed: int
) -> Session:
    """Trace the pair and compare its tensors."""
    reference, twin, twin_call, views, patches, exact = _runs(model, contract, pair, base, batch, seed)
    dimension = _padded_dimension(contract, pair)
    ratio = (base.single.rows[0].lengths[dimension], base.single.padding.totals[dimension])
    axes = _axes(contract, pair, base, twin, views[1])
    alignment = Alignment(views[0], views[1], axes, ratio, base.noise, exact)
    graph = Graph.of(twin)
    found = states(reference, twin, alignment)
    reference = _with_outputs(reference)
    leaking = tuple(outputs)
    return Session(
        model,
        contract,
        pair,
        reference,
        twin,
        twin_call,
        alignment,
        graph,
        leaking,
        graph.live(leaking),
        found,
        patches,
    )


def _with_outputs(trace: Trace) -> Trace:
    return replace(trace, tensors={**trace.outputs, **trace.tensors})


def _padded_dimension(contract: Contract, pair: Pair) -> str:
    return contract.domain(pair.domain).dimensions[0].name if pair.domain else contract.domains[0].dimensions[0].name


def _runs(
    model: Model, contract: Contract, pair: Pair, base: Ground, batch: int, seed: int
) -> tuple[Trace, Trace, Call, tuple[View, View], Mapping[str, Array], bool]:
    """Reference trace, twin trace, twin call, views, standing patches, exactness: by the kind of twin."""
    row = base.single.rows[0]
    padded, side = View(True, rows=batch), pair.other.padding.side(_padded_dimension(contract, pair))
    if pair.twin in (TwinKind.MATES, TwinKind.EMPTY):
        first = (
            pair.reference
            if len(pair.reference.rows) > 1
            else Call((row,) * batch, pair.reference.padding, pair.reference.seed)
        )
        reference = model.trace(feeds(contract, first))
        twin = model.trace(feeds(contract, pair.other))
        views = (
            View(True, side, len(first.rows), pair.row if len(first.rows) > 1 else 0),
            View(True, side, len(pair.other.rows), pair.row),
        )
        return (
            reference,
            twin,
            pair.other,
            views,
            {},
            pair.reference.padding == pair.other.padding and len(first.rows) == len(pair.other.rows),
        )
    if pair.pad_row:
        found = [e for e in entries(model, contract, base.long) if e.input.domain == pair.domain]
        fill = {"nan": float("nan"), "huge": 1e4}.get(pair.variant)
        patches = pad_rows_changed(contract, base.single, base.long, tuple(found), fill, seed + 29)
        twin = model.trace(feeds(contract, base.single), patches=patches)
        # The entry's own value is what the site computed; what its readers saw is the patch.
        twin = replace(twin, tensors={**twin.tensors, **patches})
        return base.long, twin, base.single, (padded, padded), patches, True
    call = Call((row,) * batch, pair.other.padding, pair.other.seed)
    twin = model.trace(feeds(contract, call))
    if pair.twin in (TwinKind.CONTENT, TwinKind.POISON) or base.short is None:
        same_side = View(True, side, batch)
        return base.long, twin, call, (padded, same_side), {}, side is padded.side
    return base.short, twin, call, (View(False, rows=batch), View(True, side, batch)), {}, False


def _axes(contract: Contract, pair: Pair, base: Ground, twin: Trace, view: View) -> dict[str, Axes | None]:
    """Axes of every tensor, learned from sizes that change; guessed from sizes where the length is fixed."""
    axes: dict[str, Axes | None] = {}
    among = pair.twin in (TwinKind.MATES, TwinKind.EMPTY)
    rows = len(base.single.rows)
    lengths = {
        base.single.padding.totals[n]: length
        for n, length in base.single.rows[0].lengths.items()
        if base.single.padding.totals[n] != length
    }
    for key, value in twin.tensors.items():
        long = base.long.tensors.get(key)
        if long is None:
            axes[key] = None
        elif base.short is None:
            axes[key] = guess(value.shape, lengths, view.rows)
        elif (short := base.short.tensors.get(key)) is None:
            axes[key] = None
        else:
            found = learn(short.shape, long.shape, value.shape if among and view.rows != rows else None, view.rows)
            if found is not None and view.rows > 1 and found.batch is None:
                found = replace(found, batch=_first_of(value.shape, view.rows))
            axes[key] = found
    return axes


def _first_of(shape: tuple[int, ...], rows: int) -> int | None:
    """The leftmost axis that can hold the rows, where all runs have the same batch."""
    return next((i for i, size in enumerate(shape) if size == rows), None)
