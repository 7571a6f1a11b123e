"""One comparison of two calls, judged against the noise floor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from maskcheck.core.contract import OutputKind
from maskcheck.core.report import (
    OutputDifference,
    PassportRow,
    Status,
    TakenForPadding,
    TwinKind,
    Variant,
)
from maskcheck.probe.compare import cosine_change, difference, max_abs
from maskcheck.probe.decisions import decisions_changed
from maskcheck.probe.noise import Noise
from maskcheck.probe.runner import Answers, PaddedBatch, Runner


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two calls whose answers should agree and do not, for the explanation to trace.

    ``row`` is the row that moved most; in ``other`` it stands at ``other_row`` where that is given. ``pad_row`` says
    that the twin differs by the pads' embedding row, which only the instrumented model can change.
    """

    twin: TwinKind
    variant: Variant
    domain: str | None
    reference: PaddedBatch
    other: PaddedBatch
    row: int
    difference: float
    pad_row: bool = False
    other_row: int | None = None

    @property
    def rows(self) -> tuple[int, int]:
        """Where the row stands in ``reference``, which may hold it alone, and in ``other``."""
        first = min(self.row, len(self.reference.rows) - 1)
        return first, self.row if self.other_row is None else self.other_row


@dataclass(frozen=True, slots=True)
class Observation:
    """A passport row and, where it leaks, the pair that showed it most clearly.

    ``curve`` pairs numbers of pads with the difference they made, where rows of one length were padded to several.
    ``taken`` is what a model does with real steps that equal the pad value, where that is the trouble.
    """

    row: PassportRow
    pair: Pair | None = None
    curve: tuple[tuple[int, float], ...] = ()
    taken: TakenForPadding | None = None


@dataclass(frozen=True, slots=True)
class Gap:
    """Differences of all outputs between two sets of answers."""

    outputs: tuple[OutputDifference, ...]
    row: int
    leaks: bool

    @property
    def worst(self) -> float:
        return max((o.difference for o in self.outputs), default=0.0)


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares answers: which outputs count, how noisy they are, how much a real token moves them."""

    runner: Runner
    noise: Noise
    token_effect: dict[str, float]
    reacting: frozenset[str]

    def compare(
        self, reference: Answers, other: Answers, rows: Sequence[int] | None = None, *, exact: bool = False
    ) -> Gap:
        """Differences at the given rows (all by default). ``exact``: both had the same shapes, rounding is no
        excuse.
        """
        found, worst_row, worst = [], 0, -1.0
        leaks = False
        for spec in self.runner.contract.outputs:
            if spec.name not in self.reacting:
                continue
            floor = self.noise.floors[spec.name]
            limit = floor.exact if exact else floor.tolerance
            before, after = _pick(reference[spec.name], rows), _pick(other[spec.name], rows)
            gap = difference(before, after)
            leaks = leaks or not gap <= limit
            found.append(self._describe(spec.name, before, after, gap, floor.response, limit))
            if gap / (limit or 1e-30) > worst:
                worst = gap / (limit or 1e-30)
                worst_row = int(np.argmax([_row_gap(a, b) for a, b in zip(before, after, strict=True)]))
        return Gap(tuple(found), rows[worst_row] if rows else worst_row, leaks)

    def _describe(
        self, name: str, before: list[np.ndarray], after: list[np.ndarray], gap: float, floor: float, limit: float
    ) -> OutputDifference:
        spec = self.runner.contract.output(name)
        effect = self.token_effect.get(name, 0.0)
        moved = not gap <= limit
        vector = spec.kind is OutputKind.POOLED and all(a.ndim == 1 and a.size > 2 for a in before)
        same_shape = all(a.shape == b.shape for a, b in zip(before, after, strict=True))
        return OutputDifference(
            name=name,
            difference=gap,
            noise_floor=floor,
            tolerance=limit,
            influence=gap / effect if effect > 0 else None,
            decisions_changed=decisions_changed(spec, before, after) if moved and same_shape else None,
            cosine_change=cosine_change(before, after) if moved and vector and same_shape else None,
        )


def _pick(answers: list[np.ndarray], rows: Sequence[int] | None) -> list[np.ndarray]:
    return answers if rows is None else [answers[i] for i in rows]


def _row_gap(a: np.ndarray, b: np.ndarray) -> float:
    return max_abs(a, b) if a.shape == b.shape else float("inf")


def merge(gaps: Sequence[Gap]) -> tuple[OutputDifference, ...]:
    """For every output its largest difference relative to the tolerance; decisions from whichever changed most."""
    by_name: dict[str, OutputDifference] = {}
    decisions: dict[str, str] = {}
    for gap in gaps:
        for found in gap.outputs:
            known = by_name.get(found.name)
            if known is None or _excess(found) > _excess(known):
                by_name[found.name] = found
            if found.decisions_changed and _changed(found.decisions_changed) >= _changed(
                decisions.get(found.name, "0/0")
            ):
                decisions[found.name] = found.decisions_changed
    return tuple(replace(found, decisions_changed=decisions.get(found.name)) for found in by_name.values())


def _changed(decisions: str) -> tuple[int, int]:
    changed, _, total = decisions.partition("/")
    return int(changed), int(total)


def _excess(found: OutputDifference) -> tuple[float, float]:
    return (found.difference / (found.tolerance or 1e-30), found.difference)


def untested(twin: TwinKind, variant: Variant, domain: str | None, reason: str, gating: bool = False) -> Observation:
    return Observation(
        PassportRow(twin=twin, variant=variant, domain=domain, status=Status.UNTESTED, gating=gating, reason=reason)
    )
