"""The traces of one leaking pair: what to run, how to align it, what leaks with which sites patched."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from maskcheck.core.contract import Contract
from maskcheck.core.model import Array, Model
from maskcheck.core.report import TwinKind
from maskcheck.core.trace import Trace
from maskcheck.explain.divergence import Alignment, State, TensorState, states
from maskcheck.explain.origins import Origin, counts, origins, pure_masks
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Kind
from maskcheck.probe.align import Axes, Mode, View, cut
from maskcheck.probe.compare import epsilon, max_abs, scale
from maskcheck.probe.entry import entries, feeds, pad_rows_changed
from maskcheck.probe.observe import Pair
from maskcheck.probe.row_traces import RowTraces, axes_of
from maskcheck.probe.runner import PaddedBatch


@dataclass(slots=True)
class PatchingSession:
    """One pair, traced. ``twin`` is re-traced with patches; everything else is computed once."""

    model: Model
    contract: Contract
    pair: Pair
    reference: Trace
    twin: Trace
    reference_call: PaddedBatch
    twin_call: PaddedBatch
    alignment: Alignment
    graph: Graph
    outputs: tuple[str, ...]
    live: frozenset[str]
    states: dict[str, TensorState]
    masks: frozenset[str] = frozenset()
    counts: frozenset[str] = frozenset()
    base_patches: Mapping[str, Array] = field(default_factory=dict)

    @property
    def leak(self) -> float:
        """Largest gap over the leaking outputs, unpatched."""
        return self._leak(self.states)

    def origins(self, found: Mapping[str, TensorState], patched: Collection[str] = ()) -> list[Origin]:
        """The origins that ``found`` shows; those of numbers of steps where nothing else is dirty."""
        made = origins(self.graph, found, self.live, patched, self.counts)
        return made or origins(self.graph, found, self.live, patched)

    @property
    def epsilon(self) -> float:
        """Spacing of numbers near one in the coarsest type among the leaking outputs."""
        return epsilon(np.asarray(self.reference.outputs[k]) for k in self.outputs if k in self.reference.outputs)

    def _leak(self, found: Mapping[str, TensorState]) -> float:
        return max((found[k].gap for k in self.outputs if k in found and found[k].state is State.DIRTY), default=0.0)

    def retrace(
        self, sites: Collection[Site], record: Collection[str] | None = None
    ) -> tuple[dict[str, TensorState], float]:
        """Trace the twin with the valid regions of ``sites`` replaced by clean values (see ``settled``).

        Returns all states, and what still leaks. Where reference and twin are equally padded, the reference has weights
        on pads as well, so it is patched in the same way.
        """
        sites = self.settled(sites)
        patches = {**self.base_patches, **self._patches(sites, self.twin)}
        twin = self.model.trace(feeds(self.contract, self.twin_call), patches=patches, record=record)
        reference = self.reference
        if self.alignment.exact and any(site.kind is Kind.SOFTMAX for site in sites):
            clean = self._patches(sites, self.reference)
            reference = self.model.trace(feeds(self.contract, self.reference_call), patches=clean, record=record)
        found = states(_with_outputs(reference), _with_outputs(twin), self.alignment)
        return found, self._leak_patched(found, sites)

    def _own_row(self, key: str, value: Array) -> Array:
        """The whole row, pads included, as a view; for attention between rows, what this row pays to all of them."""
        axes = self.alignment.axes.get(key) or Axes()
        view = replace(self.alignment.twin, padded=False)
        queries = replace(axes, batch=axes.batch[:1], packed=axes.packed[:1])
        own = cut(value, queries, view, self.states[key].mode, self.alignment.ratio)
        return value if own is None else own

    def _mode(self, key: str) -> Mode:
        """How to lay clean values into a tensor: where they belong, also where it is clean at the other end only."""
        state = self.states[key]
        return replace(state.mode, mirrored=False) if state.state is State.CLEAN else state.mode

    def floating(self, site: Site) -> bool:
        """Whether a site makes values rather than indices, counts or masks."""
        made = [self.twin.tensors[k] for k in site.outputs if k in self.twin.tensors]
        return bool(made) and all(np.issubdtype(value.dtype, np.floating) for value in made)

    def settled(self, sites: Collection[Site]) -> list[Site]:
        """The sites to patch for ``sites``: themselves, or, for an order of rows or positions, the first values that
        are picked by it. One entry of an order cannot be put right without the others.
        """
        found: dict[str, Site] = {}
        stack = list(sites)
        seen: set[str] = set()
        while stack:
            site = stack.pop(0)
            if site.name in seen:
                continue
            seen.add(site.name)
            orders = site.kind is Kind.ROUTING and not self.floating(site)
            indices = site not in sites and not self.floating(site)
            readers = [r for k in site.outputs for r in self.graph.readers.get(k, ())] if orders or indices else []
            if readers:
                stack += readers
            else:
                found[site.name] = site
        return list(found.values())

    def inject(self, sites: Collection[Site]) -> float:
        """Run the clean reference with the valid regions of ``sites`` as the twin had them: what leaks by these
        alone.
        """
        patches = {}
        for site in sites:
            for key in site.outputs:
                if key in self.live and key in self.twin.tensors and key in self.reference.tensors:
                    value = np.ascontiguousarray(self.reference.tensors[key]).copy()
                    parts = self.alignment.parts(key, value, self.twin.tensors[key], self._mode(key))
                    if parts is not None and np.shares_memory(parts[0], value):
                        parts[0][...] = parts[1]
                        patches[key] = value
        moved = self.model.trace(feeds(self.contract, self.reference_call), patches=patches, record=())
        gaps = (max_abs(np.asarray(self.reference.outputs[k]), np.asarray(moved.outputs[k])) for k in self.outputs)
        return max(
            (g / scale([np.asarray(self.reference.outputs[k])]) for k, g in zip(self.outputs, gaps, strict=True)),
            default=0.0,
        )

    def _leak_patched(self, found: Mapping[str, TensorState], sites: Collection[Site]) -> float:
        """A patched site that is itself a model output leaks nothing any more."""
        made = {k for s in sites for k in s.outputs}
        return self._leak({k: v for k, v in found.items() if k not in made})

    def _patches(self, sites: Collection[Site], run: Trace) -> dict[str, Array]:
        """Clean values of the sites' outputs, laid out as in ``run``."""
        patches = {}
        for site in sites:
            for key in site.outputs:
                if key not in self.live or key not in self.twin.tensors or key not in self.reference.tensors:
                    continue
                value = self._cleaned(key, run, neutral_pads=site.kind is Kind.SOFTMAX)
                if value is not None:
                    patches[key] = value
        return patches

    def _cleaned(self, key: str, run: Trace, neutral_pads: bool) -> Array | None:
        """A run's tensor with its valid region overwritten by the reference's.

        Attention weights are clean only when pads get none: their pad region becomes 0, or the weight already spent
        on pads would go on leaking through the product with the values.
        """
        value = np.ascontiguousarray(run.tensors[key]).copy()
        if neutral_pads:
            self._own_row(key, value)[...] = 0
        parts = self.alignment.parts(key, self.reference.tensors[key], value, self._mode(key), self.alignment.alike)
        if parts is None:
            return None
        clean, region = parts
        told = value.dtype == np.bool_ and clean.size and not self.alignment.reference.padded
        if told and np.all(clean == clean.flat[0]):  # a mask: what it does not say of real positions it says of pads
            self._own_row(key, value)[...] = ~clean.flat[0]
        region[...] = clean
        if neutral_pads:
            self._without_hidden_pads(key, value)
        return value

    def _without_hidden_pads(self, key: str, value: Array) -> None:
        """Take the weight off pads along an axis that steps of the model's own make equally long in all runs: where
        the padded run has pads, the unpadded one has such steps, and its weights were laid over them.
        """
        read = self.graph.maker[key].inputs if key in self.graph.maker else ()
        sizes = {self.states[k].filled for k in read if k in self.states}
        known = self.alignment.axes.get(key)
        valid, total = self.alignment.ratio
        for axis, size in enumerate(value.shape):
            hidden = size in sizes and size >= total and known is not None and axis not in known.sequence
            if hidden and not self._filled_alike(key, size):
                np.moveaxis(value, axis, 0)[valid:total] = 0

    def _filled_alike(self, key: str, size: int) -> bool:
        """Whether what the readers of ``key`` lay its weights on is the same at pads as at steps of the model's own."""
        valid, total = self.alignment.ratio
        others = {k for site in self.graph.readers.get(key, ()) for k in site.inputs if k != key}
        for other in others:
            before, after = self.reference.tensors.get(other), self.twin.tensors.get(other)
            if before is None or after is None or before.shape != after.shape or size not in before.shape:
                continue
            axis = before.shape.index(size)
            first, second = (np.moveaxis(x, axis, 0)[valid:total] for x in (before, after))
            if not np.array_equal(first, second):
                return False
        return True


@dataclass(frozen=True, slots=True)
class _Runs:
    """The two runs of a pair: traces, calls, how each lays out its rows, standing patches, whether rounding may
    differ.
    """

    reference: Trace
    twin: Trace
    reference_call: PaddedBatch
    twin_call: PaddedBatch
    views: tuple[View, View]
    patches: Mapping[str, Array] = field(default_factory=dict)
    exact: bool = False


def open_patching_session(
    model: Model,
    contract: Contract,
    pair: Pair,
    traces: RowTraces,
    outputs: Sequence[str],
    seed: int,
    *,
    whole_batch: bool = False,
) -> PatchingSession:
    """Trace the pair and compare its tensors: one row of it, or, for leaks that need company, the whole batch."""
    among = whole_batch or pair.twin in (TwinKind.MATES, TwinKind.EMPTY)
    runs = _batch_runs(model, contract, pair, traces) if among else _row_runs(model, contract, pair, traces, seed)
    dimension = _padded_dimension(contract, pair)
    ratio = (traces.padded_batch.rows[0].lengths[dimension], traces.padded_batch.padding.totals[dimension])
    axes = axes_of(traces, runs.twin, runs.views[1], among=among)
    graph = Graph.of(runs.twin.sites)
    ignored = runs.twin.shape_only | runs.twin.constants
    alike = among and pair.reference.padding.totals == pair.other.padding.totals
    masks = pure_masks(graph, contract, model.uses, ignored)
    whole = masks if alike else frozenset()
    alignment = Alignment(runs.views[0], runs.views[1], axes, ratio, traces.noise, runs.exact, whole, alike)
    leaking = tuple(outputs)
    return PatchingSession(
        model,
        contract,
        pair,
        _with_outputs(runs.reference),
        runs.twin,
        runs.reference_call,
        runs.twin_call,
        alignment,
        graph,
        leaking,
        graph.live(leaking),
        states(runs.reference, runs.twin, alignment),
        masks,
        counts(masks, runs.twin, axes),
        runs.patches,
    )


def _with_outputs(trace: Trace) -> Trace:
    return replace(trace, tensors={**trace.outputs, **trace.tensors})


def _padded_dimension(contract: Contract, pair: Pair) -> str:
    return contract.domain(pair.domain).dimensions[0].name if pair.domain else contract.domains[0].dimensions[0].name


def _batch_runs(model: Model, contract: Contract, pair: Pair, traces: RowTraces) -> _Runs:
    """Both calls with all their rows; a reference of one row is repeated where the batch is fixed."""
    first, other = pair.reference, pair.other
    if len(first.rows) == 1:
        first = PaddedBatch(traces.padded_batch.rows, first.padding, first.seed)
    name = _padded_dimension(contract, pair)
    side = other.padding.side(name)
    unpadded = first.padding.totals == first.rows[0].lengths
    views = (
        View(
            not unpadded,
            first.padding.side(name),
            len(first.rows),
            min(pair.row, len(first.rows) - 1),
            tuple(row.lengths[name] for row in first.rows),
        ),
        View(True, side, len(other.rows), pair.rows[1], tuple(row.lengths[name] for row in other.rows)),
    )
    same_shape = first.padding.totals == other.padding.totals and len(first.rows) == len(other.rows)
    reference, twin = model.trace(feeds(contract, first)), model.trace(feeds(contract, other))
    return _Runs(reference, twin, first, other, views, exact=same_shape)


def _row_runs(model: Model, contract: Contract, pair: Pair, traces: RowTraces, seed: int) -> _Runs:
    """One row of the pair; repeated where the batch is fixed."""
    rows = traces.padded_batch.rows
    padded, side = View(True, rows=len(rows)), pair.other.padding.side(_padded_dimension(contract, pair))
    if pair.pad_row:
        found = [e for e in entries(model, contract, traces.padded) if e.input.domain == pair.domain]
        patches = pad_rows_changed(traces.padded_batch, traces.padded, tuple(found), None, seed + 29)
        twin = model.trace(feeds(contract, traces.padded_batch), patches=patches)
        # The entry's own value is what the site computed; what its readers saw is the patch.
        twin = replace(twin, tensors={**twin.tensors, **patches})
        return _Runs(
            traces.padded, twin, traces.padded_batch, traces.padded_batch, (padded, padded), patches, exact=True
        )
    call = PaddedBatch(rows, pair.other.padding, pair.other.seed)
    twin = model.trace(feeds(contract, call))
    if pair.twin is TwinKind.CONTENT or traces.unpadded is None or traces.unpadded_batch is None:
        same_side = View(True, side, len(rows))
        return _Runs(traces.padded, twin, traces.padded_batch, call, (padded, same_side), exact=side is padded.side)
    return _Runs(
        traces.unpadded, twin, traces.unpadded_batch, call, (View(False, rows=len(rows)), View(True, side, len(rows)))
    )
