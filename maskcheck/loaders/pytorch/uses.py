"""How the model reads its inputs, from one recorded run."""

from __future__ import annotations

from collections.abc import Sequence

from maskcheck.core.model import InputUse, StaticFact, TensorSpec, UseKind
from maskcheck.core.trace import Trace
from maskcheck.ir.graph import Site
from maskcheck.ir.operation import Kind

_MOVES = (Kind.LAYOUT, Kind.INDEX, Kind.CONCATENATE, Kind.PAD)
_CASTS = frozenset({"aten.to_copy", "aten.sort", "aten.clamp", "aten.clamp_min", "aten.clone", "aten.copy"})


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
            if site.operator == "aten.pack_padded_sequence" and positions == [1]:
                uses.append(InputUse(spec.name, UseKind.LENGTHS, site.name, site.operator, None, site.operation))
            elif _keeps(site, positions):
                held.update(site.outputs)
            else:
                uses.append(_use(spec.name, site, positions[0], trace))
                kept = site.attributes.get("padding_idx", -1)
                if uses[-1].kind is UseKind.INDEX and kept >= 0:
                    uses.append(InputUse(spec.name, UseKind.PADDING, site.name, site.operator, kept, site.operation))
    return tuple(uses)


def _keeps(site: Site, positions: Sequence[int]) -> bool:
    if site.operator in _CASTS:
        return True
    return site.kind in _MOVES and (positions[0] == 0 or site.kind is Kind.CONCATENATE)


def _use(name: str, site: Site, position: int, trace: Trace) -> InputUse:
    attributes = site.attributes
    if site.kind is Kind.EMBEDDING and position > 0:
        return InputUse(name, UseKind.INDEX, site.name, site.operator, attributes.get("rows"), site.operation)
    if attributes.get("compares") and isinstance(attributes.get("fill"), int | float):
        return InputUse(name, UseKind.COMPARE, site.name, site.operator, attributes["fill"], site.operation)
    if site.kind is Kind.ATTENTION and attributes.get("has_mask") and position >= 3:
        return InputUse(name, UseKind.MASK, site.name, site.operator, attributes.get("mask_rank"), site.operation)
    return InputUse(name, UseKind.OTHER, site.name, site.operator, None, site.operation)


def static_facts(
    trace: Trace, inputs: Sequence[TensorSpec], uses: Sequence[InputUse], outputs: Sequence[str]
) -> tuple[StaticFact, ...]:
    """Suspicious things that the recorded operators show: inputs nobody reads, recurrence without lengths."""
    read = {use.input for use in uses} | _passed_on(trace, outputs)
    facts = [
        StaticFact("unused-input", None, f"input {spec.name!r}: no operator reads it")
        for spec in inputs
        if spec.name not in read
    ]
    for site in trace.sites:
        label = site.operator.removeprefix("aten.")
        if site.kind is Kind.RECURRENT and site.attributes.get("has_sequence_lens") is False:
            detail = f"{label} ({site.attributes.get('direction')}) of a sequence that is not packed"
            facts.append(StaticFact("no-sequence-lens", site.name, detail))
        elif site.kind is Kind.ATTENTION and site.attributes.get("has_mask") is False:
            facts.append(StaticFact("attention-without-mask", site.name, f"{label} is given no mask"))
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
    for site in trace.sites:
        if site.kind is Kind.RECURRENT and "time_first_rows" in site.attributes:
            return int(site.attributes["time_first_rows"])
    return None
