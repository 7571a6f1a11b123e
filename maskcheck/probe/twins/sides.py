"""On which side the pads stand: the other one than the contract's, with positions given and without."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from maskcheck.core.contract import Role, Side
from maskcheck.core.report import TwinKind
from maskcheck.probe.observe import Gap, Observation
from maskcheck.probe.runner import Call, unpadded
from maskcheck.probe.twins.bench import Bench

BY_COLUMN = "positions by column"
"""Variant in which position ids count columns, pads included, as a caller who forgets them would have it."""


def side(bench: Bench) -> Iterator[Observation]:
    """Padding on the other side, against no padding (or, at a fixed length, against the usual side)."""
    gating = bench.gating(TwinKind.SIDE)
    other = Side.LEFT if bench.side is Side.RIGHT else Side.RIGHT
    positions = bench.contract.of(bench.domain, Role.POSITIONS)
    sides = {d.name: other for d in bench.plan.domain.dimensions}
    reference, call = bench.reference, bench.base
    if not bench.plan.fixed:
        call = unpadded(bench.rows)
    for given in (True, False) if positions else (True,):
        compared = []
        for totals in (bench.plan.few, bench.plan.many)[: 1 if bench.plan.fixed else 2]:
            padded = bench.padded(bench.rows, totals)
            twin = replace(padded, padding=replace(padded.padding, sides=sides, positions_given=given))
            compared.append((bench.judge.compare(reference, bench.runner.valid(twin)), call, twin))
        if not bench.plan.fixed:
            compared += list(_shorter(bench, sides, given))
        variant = other.value + ("" if not positions else ", positions given" if given else f", {BY_COLUMN}")
        yield bench.observe(TwinKind.SIDE, variant, compared, gating=gating and given)


def _shorter(bench: Bench, sides: Mapping[str, Side], given: bool) -> Iterator[tuple[Gap, Call, Call]]:
    """One pair of shorter rows: what only some contents show (a maximum that zeros win) wants more than one set of
    rows.
    """
    valid, totals = bench.plan.cases[-1]
    rows = bench.source.rows(bench.few_rows, valid, 40)
    call = unpadded(rows)
    padded = bench.padded(rows, totals)
    twin = replace(padded, padding=replace(padded.padding, sides=sides, positions_given=given))
    yield bench.judge.compare(bench.runner.valid(call), bench.runner.valid(twin)), call, twin
