"""``python -m benchmarks.corpus``: sound models broken by program."""

from __future__ import annotations

from pathlib import Path

from benchmarks import running
from benchmarks.corpus.cases import cases
from benchmarks.corpus.judge import judge

RESULTS = Path("benchmarks/results/corpus.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "model", "condition"))
