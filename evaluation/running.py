"""Run the cases of a corpus, go on where it stopped, print and keep the scores."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from evaluation import stored
from evaluation.score import Score, grouped, score, wrong


def main(
    title: str | None,
    cases: Iterable[Any],
    judge: Callable[[Any], dict[str, Any]],
    results: Path,
    groups: Sequence[str],
    arguments: Sequence[str] | None = None,
    *,
    apart: bool = False,
) -> None:
    """Judge every case that has no result yet, in processes of their own, and print the scores by ``groups``.

    ``apart`` gives every case a process, so that none holds two frameworks.
    A case has a ``name`` and a ``condition``; ``judge`` returns plain data with the fields that ``scores`` reads.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--condition", help="plain, onnx, deep, ...")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=results)
    parser.add_argument("--again", action="store_true", help="run the chosen ones anew")
    options = parser.parse_args(arguments)
    chosen = [c for c in cases if options.only in c.name and options.condition in (None, c.condition)]
    known = stored.read(options.results, "name")
    todo = [c for c in chosen if options.again or c.name not in known]
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with (
        ProcessPoolExecutor(
            options.jobs, mp_context=get_context("spawn"), max_tasks_per_child=1 if apart else None
        ) as pool,
        options.results.open("a", encoding="utf-8") as file,
    ):
        running = [pool.submit(judge, case) for case in todo]
        for done in track(as_completed(running), "auditing", total=len(todo), console=Console(stderr=True)):
            file.write(json.dumps(done.result()) + "\n")
            file.flush()
    known = stored.read(options.results, "name")
    show([known[c.name] for c in chosen if c.name in known], groups)


def show(results: Sequence[dict[str, Any]], groups: Sequence[str]) -> None:
    console = Console(width=150)
    for found in wrong(results):
        truth = "leaky" if found["leaky"] else "clean"
        console.print(
            f"{found['name']}: plain test {truth} ({found['difference']:.1e}), audit {found['outcome']}; "
            f"expected {found['expected']}, found {found.get('lines')}; causes {found.get('causes')} "
            f"{(found.get('reason') or '')[-300:]}",
            markup=False,
        )
    table = Table("", "cases", "leaks", "missed", "sound", "false alarms", "origins right", "causes right")
    _row(table, "all", score(results))
    for group in groups:
        table.add_section()
        for name, found in grouped(results, lambda r, key=group: str(r[key])).items():  # type: ignore[misc]
            _row(table, f"{group} {name}", found)
    console.print(table)
    console.print(f"{sum(r['seconds'] for r in results):.0f} s of audits")


def _row(table: Table, name: str, found: Score) -> None:
    counts = (found.cases, found.leaks, found.missed, found.sound, found.false_alarms)
    table.add_row(
        name,
        *map(str, counts),
        f"{found.origins}/{found.leaks} ({found.origin_rate:.0%})",
        f"{found.causes}/{found.faults} ({found.cause_rate:.0%})",
    )
