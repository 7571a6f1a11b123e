"""``python -m evaluation.architectures``: audit every architecture, resume where it stopped, print who disagrees."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from evaluation import stored
from evaluation.architectures.catalogue import Architecture, architectures

RESULTS = Path("evaluation/results/architectures.jsonl")
_CHILD = "import sys; from evaluation.architectures.__main__ import child; child(int(sys.argv[1]))"
_LIMIT_S = 600


def child(index: int) -> None:
    """Judge one architecture in a process of its own; the last line printed is the result."""
    from evaluation.architectures.case import judge

    print("\n" + json.dumps(judge(list(architectures())[index])))


def main(arguments: Sequence[str] | None = None) -> None:
    options = _parser().parse_args(arguments)
    chosen = {
        _key(i, a): i
        for i, a in enumerate(architectures())
        if options.only in a.name and options.modality in (None, a.modality)
    }
    known = {} if options.again else stored.read(options.results, "key")
    with ThreadPoolExecutor(options.jobs) as pool:
        stored.add(options.results, [pool.submit(_run, i) for key, i in chosen.items() if key not in known])
    known = stored.read(options.results, "key")
    show([known[key] for key in chosen if key in known])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m evaluation.architectures", description=__doc__)
    parser.add_argument("--only", default="", help="names that contain this")
    parser.add_argument("--modality", choices=["text", "audio", "vision"])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="forget earlier results of the chosen ones")
    return parser


def _key(index: int, architecture: Architecture) -> str:
    return f"{index}:{architecture.name}"


def _run(index: int) -> dict[str, Any]:
    architecture = list(architectures())[index]
    found: dict[str, Any] = {"name": architecture.name, "modality": architecture.modality, "outcome": "crash"}
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", _CHILD, str(index)], capture_output=True, text=True, timeout=_LIMIT_S
        )
        found = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired:
        found["reason"] = f"longer than {_LIMIT_S} s"
    except (json.JSONDecodeError, IndexError):
        found["reason"] = done.stderr[-800:]
    return {**found, "key": _key(index, architecture)}


def show(results: Sequence[dict[str, Any]]) -> None:
    """Print a row for each that is leaky or where plain test and audit disagree, then the counts."""
    table = Table("architecture", "plain test", "audit", "origin", "s")
    for found in results:
        if found.get("truth") == found.get("outcome") == "clean":
            continue
        table.add_row(
            found["name"],
            f"{found.get('truth', '-')} {found.get('difference', float('nan')):.1e}",
            found.get("outcome", "not built"),
            "; ".join(_origins(found)) or str(found.get("built") or found.get("reason"))[-200:],
            str(found.get("seconds", "")),
        )
    console = Console()
    console.print(table)
    counts = Counter((r.get("truth", "not built"), r.get("outcome", "not built")) for r in results)
    for (truth, outcome), count in sorted(counts.items()):
        console.print(f"plain test {truth}, audit {outcome}: {count}")


def _origins(found: dict[str, Any]) -> Iterator[str]:
    for finding in found.get("findings", ()):
        if finding["severity"] == "error":
            yield f"{finding['rule']} {finding['line'] or finding['module']}"


if __name__ == "__main__":
    main()
