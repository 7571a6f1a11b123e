"""The padding passport as lines: one for each twin, its worst variant, or every variant where asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.text import Text

from maskcheck.core.report import OutputDifference, PassportRow, Status, TwinKind
from maskcheck.report.canvas import hanging, joined, words
from maskcheck.report.quantities import deviations, fraction_of, plural, quantity

LEGEND = "* decides the verdict"
LEAKS = {TwinKind.REPEAT: "varies", TwinKind.VALID: "fails", TwinKind.MASK: "fails"}
"""What a leaky row is called; these twins show something else than a leak."""


@dataclass(frozen=True, slots=True)
class PassportEntry:
    """Passport rows shown on one line: those of one twin and domain that gate, or those that do not."""

    rows: tuple[PassportRow, ...]
    status: Status

    @property
    def chosen(self) -> tuple[PassportRow, ...]:
        """The rows that make the status."""
        return tuple(row for row in self.rows if row.status is self.status)


def worst_output(rows: Iterable[PassportRow]) -> OutputDifference | None:
    """Return the output that moved furthest; one that became NaN moved furthest of all."""
    outputs = [output for row in rows for output in row.outputs]
    return max(outputs, key=lambda o: (o.difference != o.difference, o.difference), default=None)


def worst_row(rows: Iterable[PassportRow]) -> PassportRow | None:
    """Return the row that moved an output furthest."""
    measured = [row for row in rows if row.outputs]
    furthest = worst_output(measured)
    return next((row for row in measured if furthest in row.outputs), None)


def answers_changed(rows: Iterable[PassportRow]) -> tuple[int, int] | None:
    """Return how many answers changed out of how many, where most were compared; ``None`` if none changed."""
    counts = [fraction_of(output.decisions_changed) for row in rows for output in row.outputs]
    changed = [count for count in counts if count is not None and count[0]]
    return max(changed, key=lambda count: (count[1], count[0]), default=None)


def entries(rows: Sequence[PassportRow], one_by_one: bool) -> list[PassportEntry]:
    """Group the rows in order of appearance. A group leaks if any row does, and is clean if any was tried."""
    groups: dict[object, list[PassportRow]] = {}
    for position, row in enumerate(rows):
        key = position if one_by_one else (row.twin, row.gating, row.domain)
        groups.setdefault(key, []).append(row)
    return [PassportEntry(tuple(group), _status(group)) for group in groups.values()]


def passport_lines(rows: Sequence[PassportRow], one_by_one: bool = False) -> list[RenderableType]:
    """Return one block an entry, its remarks wrapping in a column of their own."""
    several = len({row.domain for row in rows if row.domain is not None}) > 1
    shown = entries(rows, one_by_one)
    labels = [_label(entry.rows[0], several) for entry in shown]
    indent = min(max((label.cell_len for label in labels), default=0), 22) + 2
    lines: list[RenderableType] = [
        hanging(label, hanging(_word(entry), _remarks(entry, one_by_one), 10), indent)
        for label, entry in zip(labels, shown, strict=True)
    ]
    return [*lines, words(LEGEND, "dim")] if any(row.gating for row in rows) else lines


def _status(rows: Sequence[PassportRow]) -> Status:
    found = {row.status for row in rows}
    return next(s for s in (Status.LEAKY, Status.CLEAN, Status.UNTESTED) if s in found)


def _label(row: PassportRow, with_domain: bool) -> Text:
    star = "*" if row.gating else ""
    domain = f" {row.domain}" if with_domain and row.domain else ""
    return words(f"{row.twin}{star}{domain}", limit=22)


def _word(entry: PassportEntry) -> Text:
    if entry.status is Status.UNTESTED:
        return words("untested", "yellow")
    if entry.status is Status.CLEAN:
        return words("safe", "green")
    word = LEAKS.get(entry.rows[0].twin, "leaks")
    return words(word.upper(), "bold red") if entry.rows[0].gating else words(word, "yellow")


def _remarks(entry: PassportEntry, one_by_one: bool) -> Text:
    if entry.status is Status.UNTESTED:
        return words("; ".join(dict.fromkeys(row.reason or "no reason given" for row in entry.rows)))
    worst = worst_output(entry.chosen)
    parts = [] if worst is None else _measured(entry, worst)
    leaky_variants = entry.status is Status.LEAKY or one_by_one
    parts.append(_variants(entry) if leaky_variants else "")
    untested = sum(row.status is Status.UNTESTED for row in entry.rows)
    parts.append(f"{untested} of {len(entry.rows)} variants untested" if untested else "")
    return joined([*parts, _reason(entry)])


def _reason(entry: PassportEntry) -> str:
    """Return what the worst row says about itself, or all of them where nothing was measured."""
    worst = worst_row(entry.chosen)
    if worst is not None:
        return worst.reason or ""
    return "; ".join(dict.fromkeys(row.reason for row in entry.chosen if row.reason))


def _measured(entry: PassportEntry, output: OutputDifference) -> list[str]:
    if entry.status is Status.CLEAN:
        same = output.difference == 0
        return ["not one bit differs" if same else f"rounding {quantity(output.difference, 1)} sd"]
    changed = answers_changed(entry.chosen)
    return [
        deviations(output.difference),
        f"(noise {quantity(output.noise_floor, 1)})",
        f"{changed[0]} of {plural(changed[1], 'answer')}" if changed else "",
        f"cosine falls by {quantity(output.cosine_change)}" if output.cosine_change else "",
    ]


def _variants(entry: PassportEntry) -> str:
    names = [name for name in dict.fromkeys(row.label for row in entry.chosen) if name]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
