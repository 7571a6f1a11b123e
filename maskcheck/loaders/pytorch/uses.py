"""How the model reads its inputs, from one recorded run."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from maskcheck.core.model import TensorSpec
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Attention, Compare, Lookup, Recurrence
from maskcheck.ir.static_fact import FactKind, StaticFact

_MOVES = (Kind.LAYOUT, Kind.INDEX, Kind.CONCATENATE, Kind.PAD)
_CASTS = (Operation.CAST, Operation.SORT, Operation.CLIP)


def input_uses(trace: Trace, inputs: Sequence[TensorSpec]) -> tuple[InputUse, ...]:
    """Every use of every input, seen through operators that only move or convert values."""
    uses: list[InputUse] = []
    for spec in inputs:
        held = {spec.name}
        for site in trace.sites:
            positions = [i for i, key in enumerate(site.inputs) if key in held]
            if not positions:
                continue
            if site.operator == "output":
                continue
            if positions == [1] and isinstance(site.settings, Recurrence) and site.settings.lengths in held:
                uses.append(
                    InputUse(
                        input=spec.name,
                        kind=UseKind.LENGTHS,
                        site=site.name,
                        operator=site.operator,
                        value=None,
                        operation=site.operation,
                    )
                )
            elif _keeps(site, positions):
                held.update(site.outputs)
            else:
                uses += _uses(spec.name, site, held)
    return tuple(uses)


def _keeps(site: Site, positions: Sequence[int]) -> bool:
    if site.operation in _CASTS:
        return True
    return site.kind in _MOVES and (positions[0] == 0 or site.kind is Kind.CONCATENATE)


def _uses(name: str, site: Site, held: Collection[str]) -> list[InputUse]:
    """What ``site`` takes input ``name`` for, which it reads under one of the keys in ``held``."""
    match site.settings:
        case Lookup(ids=key) as lookup if key in held:
            kept = [] if lookup.padding is None else [(UseKind.PADDING, lookup.padding)]
            found: list[tuple[UseKind, float | None]] = [(UseKind.INDEX, lookup.rows), *kept]
        case Compare(operand=key, value=value) if key in held:
            found = [(UseKind.COMPARE, value)]
        case Attention(mask=mask, bias=bias, mask_rank=rank) if mask in held or bias in held:
            found = [(UseKind.MASK, rank)]
        case _:
            found = [(UseKind.OTHER, None)]
    return [
        InputUse(input=name, kind=kind, site=site.name, operator=site.operator, value=value, operation=site.operation)
        for kind, value in found
    ]


def static_facts(
    trace: Trace, inputs: Sequence[TensorSpec], uses: Sequence[InputUse], outputs: Sequence[str]
) -> tuple[StaticFact, ...]:
    """Suspicious things that the recorded operators show: inputs nobody reads, recurrence without lengths."""
    read = {use.input for use in uses} | _passed_on(trace, outputs)
    facts = [
        StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail=f"input {spec.name!r}: no operator reads it")
        for spec in inputs
        if spec.name not in read
    ]
    for site in trace.sites:
        label = site.operator.removeprefix("aten.")
        told = site.settings
        if site.kind is Kind.RECURRENT and isinstance(told, Recurrence) and not told.knows_lengths:
            detail = f"{label} ({told.direction}) of a sequence that is not packed"
            facts.append(StaticFact(kind=FactKind.NO_LENGTHS, site=site.name, detail=detail))
        elif isinstance(told, Attention) and not told.has_mask:
            facts.append(StaticFact(kind=FactKind.NO_MASK, site=site.name, detail=f"{label} is given no mask"))
    return tuple(facts)


def _passed_on(trace: Trace, outputs: Sequence[str]) -> set[str]:
    """Inputs whose values arrive at an output by being moved alone."""
    maker = {key: site for site in trace.sites for key in site.outputs}
    found: set[str] = set()
    stack = list(outputs)
    while stack:
        key = stack.pop()
        site = maker.get(key)
        if site is None:
            found.add(key)
        elif site.operator == "output" or _keeps(site, [0]):
            stack += site.inputs
    return found


def rows_of_time_first(trace: Trace) -> int | None:
    """Size of the batch as the first recurrent layer reads it, when that layer takes time before batch."""
    found = (s.settings for s in trace.sites if s.kind is Kind.RECURRENT)
    return next((t.time_first_rows for t in found if isinstance(t, Recurrence) and t.time_first_rows is not None), None)
