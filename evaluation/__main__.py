"""``python -m evaluation [NAME ...] --jobs 2``: is the audit right? All corpora, or those that are named.

Each goes on where it stopped, in processes of its own, with a progress bar; results stay in ``evaluation/results``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from evaluation import registry, tables
from evaluation.result import Result
from evaluation.running import Options, run

RESULTS = Path("evaluation/results")
TOGETHER = ("framework", "condition")
"""The groups that every corpus has."""


def main(arguments: Sequence[str] | None = None) -> None:
    told = _parsed(arguments)
    options = Options(results=told.results, jobs=told.jobs, only=told.only, condition=told.condition, again=told.again)
    results = [result for name in told.names or registry.CORPORA for result in _shown(name, options)]
    if len(told.names) != 1:
        print("== together")
        tables.show(results, TOGETHER)


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m evaluation", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(registry.CORPORA)}; all by default")
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--condition", help="plain, onnx, deep, ...")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=RESULTS, help="a folder with a file for each corpus")
    parser.add_argument("--again", action="store_true", help="run the chosen ones anew")
    told = parser.parse_args(arguments)
    if unknown := sorted(set(told.names) - set(registry.CORPORA)):
        parser.error(f"no corpus is called {', '.join(unknown)}")
    return told


def _shown(name: str, options: Options) -> list[Result]:
    corpus = registry.corpus(name)
    print(f"== {name}: {corpus.title}")
    results = run(name, options)
    tables.show(results, corpus.groups)
    return results


if __name__ == "__main__":
    main()
