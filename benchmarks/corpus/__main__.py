"""``python -m benchmarks.corpus``: run every case, go on where it stopped, print and keep the scores."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks import stored
from benchmarks.corpus.cases import cases
from benchmarks.corpus.judge import judge
from benchmarks.corpus.scores import Score, grouped, score, wrong

RESULTS = Path("benchmarks/results/corpus.jsonl")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--condition", help="plain, onnx, deep, ...")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="run the chosen ones anew")
    options = parser.parse_args(arguments)
    chosen = [c for c in cases() if options.only in c.name and options.condition in (None, c.condition)]
    known = stored.read(options.results, "name")
    todo = [c for c in chosen if options.again or c.name not in known]
    options.results.parent.mkdir(parents=True, exist_ok=True)
    with (
        ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool,
        options.results.open("a", encoding="utf-8") as file,
    ):
        running = [pool.submit(judge, case) for case in todo]
        for done in track(as_completed(running), "auditing", total=len(todo), console=Console(stderr=True)):
            file.write(json.dumps(done.result()) + "\n")
            file.flush()
    known = stored.read(options.results, "name")
    show([known[c.name] for c in chosen if c.name in known])


def show(results: Sequence[dict[str, Any]]) -> None:
    console = Console(width=150)
    for found in wrong(results):
        truth = "leaky" if found["leaky"] else "clean"
        console.print(
            f"{found['name']}: plain test {truth} ({found['difference']:.1e}), audit {found['outcome']}; "
            f"expected lines {found['expected']}, found {found.get('lines')}; causes {found.get('causes')} "
            f"{(found.get('reason') or '')[-300:]}",
            markup=False,
        )
    table = Table("", "cases", "leaks", "missed", "sound", "false alarms", "origins right", "causes right")
    _row(table, "all", score(results))
    for title, key in (("framework", "framework"), ("model", "model"), ("condition", "condition")):
        table.add_section()
        for name, found in grouped(results, lambda r, key=key: str(r[key])).items():  # type: ignore[misc]
            _row(table, f"{title} {name}", found)
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


if __name__ == "__main__":
    main()
