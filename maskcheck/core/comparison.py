"""Two audits side by side: what an export, a conversion or a quantisation did to a model's padding."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from maskcheck.core.contract import Contract
from maskcheck.core.report import GROWTH, Finding, ModelReport, Outcome, PassportRow, Severity, Status, TwinKind


class Change(StrEnum):
    """What became of one twin. ``unknown`` means that it was tried on one side only, or on neither."""

    SAME = "same"
    ADDED = "added"
    GROWN = "grown"
    MENDED = "mended"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TwinChange:
    """One twin before and after; differences are in standard deviations, 0.0 where none was measured."""

    twin: TwinKind
    domain: str | None
    gating: bool
    before: Status
    after: Status
    before_difference: float
    after_difference: float

    @property
    def change(self) -> Change:
        if Status.UNTESTED in (self.before, self.after):
            return Change.UNKNOWN
        if self.before is not self.after:
            return Change.ADDED if self.after is Status.LEAKY else Change.MENDED
        if self.after is Status.LEAKY and _grew(self.before_difference, self.after_difference):
            return Change.GROWN
        return Change.SAME


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two audits and what differs between them.

    ``lost`` names the masks and lengths that only ``before`` takes. ``added`` are the findings of ``after`` whose cause
    ``before`` does not have, or has at fewer places; ``gone`` the other way round.
    """

    before: ModelReport
    after: ModelReport
    twins: tuple[TwinChange, ...]
    lost: tuple[str, ...]
    added: tuple[Finding, ...]
    gone: tuple[Finding, ...]

    @property
    def comparable(self) -> bool:
        """Whether both models could be audited."""
        return all(model.outcome in (Outcome.CLEAN, Outcome.LEAKY) for model in (self.before, self.after))

    @property
    def worse(self) -> bool:
        """Whether ``after`` leaks where ``before`` does not, or far more.

        A cause that is new beside the old ones counts; one that stands in the place of another may be the same leak
        seen in another format's operators and does not. Neither does a model whose every leak was accepted.
        """
        if not self.comparable or self.after.excused:
            return False
        twins = any(t.gating and t.change in (Change.ADDED, Change.GROWN) for t in self.twins)
        newly = self.before.outcome is Outcome.CLEAN and self.after.outcome is Outcome.LEAKY
        causes = any(f.severity is Severity.ERROR for f in self.added) and not _errors(self.gone)
        return twins or newly or causes


def compare(before: ModelReport, after: ModelReport) -> Comparison:
    """Compare the audits of one model in two forms. Names of inputs, domains and sites may differ between them."""
    return Comparison(
        before,
        after,
        _twins(before.passport, after.passport),
        _lost(before.contract, after.contract),
        _only(after.findings, before.findings),
        _only(before.findings, after.findings),
    )


def _twins(before: Sequence[PassportRow], after: Sequence[PassportRow]) -> tuple[TwinChange, ...]:
    """Pair the rows by twin, and by domain where both models call their domains the same."""
    named = {row.domain for row in before} == {row.domain for row in after}
    first, second = _grouped(before, named), _grouped(after, named)
    changes = []
    for key in dict.fromkeys((*first, *second)):
        old, new = first.get(key, []), second.get(key, [])
        gating = any(row.gating for row in (*old, *new))
        changes.append(TwinChange(*key, gating, _status(old), _status(new), _largest(old), _largest(new)))
    return tuple(changes)


def _grouped(rows: Sequence[PassportRow], named: bool) -> dict[tuple[TwinKind, str | None], list[PassportRow]]:
    """Group the rows; of a twin that gates, the rows that do, for the others decide nothing."""
    groups: dict[tuple[TwinKind, str | None], list[PassportRow]] = {}
    for row in rows:
        groups.setdefault((row.twin, row.domain if named else None), []).append(row)
    return {key: [row for row in group if row.gating] or group for key, group in groups.items()}


def _status(rows: Iterable[PassportRow]) -> Status:
    """A group leaks if any row does, and is clean if any was tried."""
    found = {row.status for row in rows}
    return next((status for status in (Status.LEAKY, Status.CLEAN) if status in found), Status.UNTESTED)


def _largest(rows: Iterable[PassportRow]) -> float:
    """Return the largest difference of the rows; NaN, which is further than any number, if one became NaN."""
    differences = [output.difference for row in rows for output in row.outputs]
    return math.nan if any(map(math.isnan, differences)) else max(differences, default=0.0)


def _grew(before: float, after: float) -> bool:
    if not math.isfinite(before):
        return False
    return not math.isfinite(after) or after > GROWTH * before


def _lost(before: Contract | None, after: Contract | None) -> tuple[str, ...]:
    """Return the inputs that tell ``before`` of padding, those beyond the number that ``after`` takes.

    Exports rename inputs, so one is taken for another of its role; by name first.
    """
    if before is None or after is None:
        return ()
    kept = {spec.name for spec in after.inputs if spec.role.marks_padding}
    missing = [spec.name for spec in before.inputs if spec.role.marks_padding and spec.name not in kept]
    renamed = len(kept - {spec.name for spec in before.inputs})
    return tuple(missing[renamed:])


def _only(findings: Sequence[Finding], others: Sequence[Finding]) -> tuple[Finding, ...]:
    """Return the findings whose rule the others have at fewer findings."""
    left = Counter(finding.rule for finding in others)
    only = []
    for finding in findings:
        if left[finding.rule]:
            left[finding.rule] -= 1
        else:
            only.append(finding)
    return tuple(only)


def _errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity is Severity.ERROR for finding in findings)
