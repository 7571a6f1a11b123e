"""Real steps that equal the pad value: do they count, or are they taken for padding?

A model that finds its padding by comparing ids or features with a value is blind to real steps of that value. That is
as it should be where no real step can have it, and nothing to be seen by any padding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from maskcheck.core.contract import BATCH, InputContract, Role
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Array
from maskcheck.core.report import Status, TakenForPadding, TwinKind, Variant
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import UseKind
from maskcheck.probe.compare import difference
from maskcheck.probe.entry import entries, feeds, steps_of, with_row
from maskcheck.probe.layout import Row, validity
from maskcheck.probe.observe import Observation
from maskcheck.probe.runner import Answers, PaddedBatch
from maskcheck.probe.twins.context import TwinContext

VARIANTS = {Role.TOKENS: Variant.PAD_ID_IN_USE, Role.FEATURES: Variant.PAD_VALUE_IN_USE}


def in_use(context: TwinContext, gating: bool) -> Iterator[Observation]:
    """One row for every input whose padding the model tells by its value, if its positions reach each other at all."""
    if len(context.plan.domain.dimensions) > 1:
        return
    for spec in context.contract.of(context.domain, *VARIANTS):
        if spec.ids_carry_mask and spec.pad_value is not None:
            variant = VARIANTS[spec.role]
            try:
                blind = _blind(context, spec)
            except (RunError, TraceError) as error:
                yield context.untested(TwinKind.VALID, variant, error.message, gating=gating)
                continue
            if blind is not None:
                yield _observed(context, spec, *blind, gating)


def _observed(context: TwinContext, spec: InputContract, blind: bool, site: Site | None, gating: bool) -> Observation:
    trouble, happens, reason = _meant(context, spec) if blind else (False, False, None)
    status = Status.LEAKY if trouble else Status.CLEAN
    row = context.told(TwinKind.VALID, VARIANTS[spec.role], status, gating=gating, reason=reason)
    if not trouble:
        return Observation(row)
    return Observation(row, taken=TakenForPadding(row=row, role=spec.role, site=site, happens=happens))


def _meant(context: TwinContext, spec: InputContract) -> tuple[bool, bool, str]:
    """Whether it matters that the model is blind to such steps, whether they are known to occur, and why."""
    tokens = spec.role is Role.TOKENS
    value = f"{spec.pad_value:g}"
    called = f"the pad id {value}" if tokens else f"{value} in every feature"
    if context.masked:
        return True, True, f"a real step that is {called} is treated as padding although it is marked valid"
    recorded = context.source.recorded
    holding = sum(bool(_held(spec, row).any()) for row in recorded)
    if holding:
        where = f"in {holding} of {len(recorded)} recorded inputs"
        return True, True, f"{where} a real step is {called}, and is taken for padding"
    if recorded:
        return False, False, f"no real step of the recorded inputs is {called}"
    if tokens:
        return False, False, f"{value} is taken for padding wherever it stands"
    if not _within(spec, context.rows):
        return False, False, f"{value} lies outside what real steps hold"
    return True, False, f"a real step that is {called} is taken for padding"


def _held(spec: InputContract, row: Row) -> Array:
    """Boolean, by step: which real steps of a row equal the pad value."""
    content = row.content[spec.name]
    labels = [label for label in spec.dims if label != BATCH]
    features = tuple(i for i, label in enumerate(labels) if label is None)
    held: Array = np.all(content == spec.pad_value, axis=features)
    return held


def _within(spec: InputContract, rows: Sequence[Row]) -> bool:
    """Whether the pad value lies among what every feature of real steps holds."""
    labels = [label for label in spec.dims if label != BATCH]
    steps = tuple(i for i, label in enumerate(labels) if label is not None)
    low = np.min([row.content[spec.name].min(axis=steps) for row in rows], axis=0)
    high = np.max([row.content[spec.name].max(axis=steps) for row in rows], axis=0)
    return bool(np.all((low <= spec.pad_value) & (spec.pad_value <= high)))


def _told_at(context: TwinContext, spec: InputContract, sites: Sequence[Site]) -> Site | None:
    """The site that tells the padding of an input by its value: a layer made for that, or a comparison."""
    uses = [u for u in context.model.uses if u.input == spec.name]
    wanted = [u.site for kind in (UseKind.MASKING, UseKind.COMPARE) for u in uses if u.kind is kind]
    named = {site.name: site for site in sites}
    return next((named[name] for name in wanted if name in named), None)


def _call(context: TwinContext) -> PaddedBatch:
    return PaddedBatch(context.exactly(context.few_rows), context.base.padding)


def _blind(context: TwinContext, spec: InputContract) -> tuple[bool, Site | None] | None:
    """Whether what the model made of such a step never reaches another position, and where it looks at its value.

    ``None`` where what it makes of other steps reaches none either.
    """
    call = _call(context)
    dimension = context.plan.domain.dimensions[0].name
    length = context.plan.valid[dimension]
    seen = context.model.trace(feeds(context.contract, call))
    keys = _made_of(context, spec, seen)
    told = _told_at(context, spec, seen.sites)
    tried = False
    for position in dict.fromkeys((length // 2, length - 1, 0)) if keys else ():
        if not _reaches(context, spec, call, position, keys, seen):
            continue
        tried = True
        held = replace(call, rows=tuple(_holding(spec, row, dimension, position) for row in call.rows))
        again = context.model.trace(feeds(context.contract, held), record=keys)
        if not _reaches(context, spec, held, position, keys, again):
            return True, told
    return (False, told) if tried else None


def _holding(spec: InputContract, row: Row, dimension: str, position: int) -> Row:
    labels = [label for label in spec.dims if label != BATCH]
    value = row.content[spec.name].copy()
    value[tuple(position if label == dimension else slice(None) for label in labels)] = spec.pad_value
    return row.with_content(spec.name, value)


def _reaches(
    context: TwinContext, spec: InputContract, call: PaddedBatch, position: int, keys: Sequence[str], base: Trace
) -> bool:
    """Whether an answer elsewhere moves when what was made of one real step is exchanged, ids and masks as before."""
    arrays = feeds(context.contract, call)
    rng = np.random.default_rng(context.settings.seed + 37)
    marked = _marked(context, spec, call, position, arrays[spec.name].shape)
    found = {key: steps_of(spec, marked, base.tensors[key]) for key in keys}
    patches = {key: with_row(base.tensors[key], steps, rng) for key, steps in found.items() if steps is not None}
    if not patches:
        return False
    moved = context.model.trace(arrays, patches=patches, record=())
    before, after = (_elsewhere(context, run, call, position) for run in (base, moved))
    limits = {name: context.judge.noise.floors[name].exact for name in context.judge.reacting}
    return any(not difference(before[name], after[name]) <= limit for name, limit in limits.items())


def _made_of(context: TwinContext, spec: InputContract, base: Trace) -> list[str]:
    """What the model first makes of an input: its embedding, or whatever else reads its values."""
    found = [e.key for e in entries(context.model, context.contract, base) if e.site and e.input.name == spec.name]
    if found:
        return found
    readers = {u.site for u in context.model.uses if u.input == spec.name and u.kind is UseKind.OTHER}
    made = [key for site in base.sites if site.name in readers for key in site.outputs if key in base.tensors]
    return [key for key in made if np.issubdtype(base.tensors[key].dtype, np.floating)]


def _marked(
    context: TwinContext, spec: InputContract, call: PaddedBatch, position: int, shape: tuple[int, ...]
) -> Array:
    """Boolean array of the input's shape: true at the real step ``position`` of every row."""
    dimension = context.plan.domain.dimensions[0].name
    marked = np.zeros(shape, dtype=bool)
    for i, valid in enumerate(validity(call.rows, call.padding, dimension)):
        column = int(np.flatnonzero(valid)[position])
        places = {dimension: column, BATCH: i}
        marked[tuple(slice(None) if label is None else places[label] for label in spec.dims)] = True
    return marked


def _elsewhere(context: TwinContext, run: Trace, call: PaddedBatch, position: int) -> Answers:
    """The answers without the position itself, where an output has one for every real step."""
    answers = context.runner.valid_outputs(run.outputs, call)
    length = context.plan.valid[context.plan.domain.dimensions[0].name]
    for spec in context.contract.outputs:
        labels = [label for label in spec.dims if label != BATCH]
        axis = next((i for i, label in enumerate(labels) if label is not None), None)
        if axis is not None and all(a.shape[axis] == length for a in answers[spec.name]):
            answers[spec.name] = [np.delete(a, position, axis=axis) for a in answers[spec.name]]
    return answers
