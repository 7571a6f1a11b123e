"""``python -m benchmarks.exports``: files as exporters, optimisers and quantisers leave them, leaky and mended."""

from __future__ import annotations

from pathlib import Path

from benchmarks import running
from benchmarks.exports.cases import cases
from benchmarks.exports.judge import judge

RESULTS = Path("benchmarks/results/exports.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("condition", "family", "model"))
