"""One short run of a model, which shows how its inputs are used, what is suspicious and what becomes of its masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import Array, Feeds, MaskStep, TensorSpec
from maskcheck.ir.facts import FactKind, StaticFact, find_facts
from maskcheck.ir.graph import Graph
from maskcheck.ir.uses import InputUse, find_uses
from maskcheck.loaders.keras.backend import on_tensorflow
from maskcheck.loaders.keras.calling import Caller
from maskcheck.loaders.keras.journey import MaskJourneyRecorder
from maskcheck.loaders.keras.output_keys import OutputKeys
from maskcheck.loaders.keras.recorder import Recorder, record_run
from maskcheck.loaders.keras.trace_builder import TraceBuilder

_LENGTHS = (9, 16, 37, 131, 521)
"""Lengths tried for axes of any length, until the model accepts one."""

_TOLD_BY_JOURNEY = frozenset({FactKind.NO_LENGTHS, FactKind.NO_MASK})
"""Where a layer has no mask, the journey of the mask says where it was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstLook:
    """What one run shows; nothing where the model runs at no length that was tried."""

    outputs: tuple[TensorSpec, ...] = ()
    uses: tuple[InputUse, ...] = ()
    static: tuple[StaticFact, ...] = ()
    journey: tuple[MaskStep, ...] = ()


def look(caller: Caller, inputs: Sequence[TensorSpec], keys: OutputKeys) -> FirstLook:
    """Run the model at the first length at which it runs; ``keys`` learns the names of its outputs."""
    free = any(None in (spec.shape or ()) for spec in inputs)
    for length in _LENGTHS if free else _LENGTHS[:1]:
        try:
            return _look_at(caller, {s.name: _sample(s, length) for s in inputs}, keys)
        except RunError:
            continue
    return FirstLook()


def _look_at(caller: Caller, feeds: Feeds, keys: OutputKeys) -> FirstLook:
    caller.call(caller.tensors_of(feeds))  # layers that are built by their first call build now
    journey = MaskJourneyRecorder()
    recorder = Recorder({}, (), journey=journey)
    result = record_run(recorder, caller, feeds)
    keys.learn(recorder.builder, caller.named(result))
    uses, facts = _analyse(recorder.builder, feeds, [tensor for _, tensor in caller.named(result)])
    return FirstLook(
        outputs=tuple(TensorSpec(name, value.dtype.name, None) for name, value in caller.by_name(result).items()),
        uses=uses,
        static=(*journey.facts(), *facts),
        journey=journey.steps,
    )


def _analyse(
    builder: TraceBuilder, feeds: Feeds, answers: Sequence[Any]
) -> tuple[tuple[InputUse, ...], tuple[StaticFact, ...]]:
    graph = Graph.of(builder.sites)
    uses = find_uses(graph, {name: value.ndim for name, value in feeds.items()}, recorded=True)
    facts = find_facts(
        graph,
        inputs=list(feeds),
        outputs=builder.keys(answers),
        uses=uses,
        dtypes=builder.dtypes,
        leaving_out=_TOLD_BY_JOURNEY | _unseen(),
    )
    return uses, facts


def _unseen() -> frozenset[FactKind]:
    """On TensorFlow every operator is watched. Elsewhere those inside of layers are not, and one may read an input."""
    return frozenset() if on_tensorflow() else frozenset({FactKind.UNUSED_INPUT})


def _sample(spec: TensorSpec, length: int) -> Array:
    """Ones, which every table holds and no mask takes for padding."""
    shape = tuple(_size(axis, size, length) for axis, size in enumerate(spec.shape or ()))
    rng = np.random.default_rng(0)
    if np.issubdtype(np.dtype(spec.dtype), np.floating) and len(shape) >= 3:
        return rng.standard_normal(shape).astype(spec.dtype)
    return np.ones(shape, dtype=spec.dtype)


def _size(axis: int, size: int | str | None, length: int) -> int:
    """Two rows of ``length`` steps where the model leaves that open."""
    if isinstance(size, int):
        return size
    return 2 if axis == 0 else length
