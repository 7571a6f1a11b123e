"""Prints what is wrong, and the scores as a table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from evaluation.result import Result
from evaluation.score import Score, grouped, score, wrong

_COLUMNS = ("cases", "leaks", "missed", "sound", "false alarms", "origins right", "causes right")


def show(results: Sequence[Result], groups: Sequence[str]) -> None:
    """Print the wrong cases, then a row for all and one for each value of each group."""
    console = Console(width=150)
    for found in wrong(results):
        console.print(_sentence(found), markup=False)
    console.print(_table(results, groups))
    console.print(f"{sum(r.seconds for r in results):.0f} s of audits")


def _sentence(found: Result) -> str:
    truth = "leaky" if found.truth.leaky else "clean"
    return (
        f"{found.name}: plain test {truth} ({found.truth.difference:.1e}), audit {found.said.outcome}; "
        f"expected {list(found.expected)}, found {found.said.named}; causes {found.said.causes} "
        f"{(found.said.reason or '')[-300:]}"
    )


def _table(results: Sequence[Result], groups: Sequence[str]) -> Table:
    table = Table("", *_COLUMNS)
    _row(table, "all", score(results))
    for group in groups:
        table.add_section()
        for name, found in grouped(results, lambda r, key=group: r.labels[key]).items():  # type: ignore[misc]
            _row(table, f"{group} {name}", found)
    return table


def _row(table: Table, name: str, found: Score) -> None:
    counts = (found.cases, found.leaks, found.missed, found.sound, found.false_alarms)
    table.add_row(
        name,
        *map(str, counts),
        f"{found.origins}/{found.leaks} ({found.origin_rate:.0%})",
        f"{found.causes}/{found.faults} ({found.cause_rate:.0%})",
    )
