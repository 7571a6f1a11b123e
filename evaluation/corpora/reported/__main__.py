"""``python -m benchmarks.reported``: models from public reports about padding, leaky as reported and mended."""

from __future__ import annotations

from pathlib import Path

from benchmarks import running
from benchmarks.reported.cases import cases
from benchmarks.reported.judge import judge

RESULTS = Path("benchmarks/results/reported.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("condition", "field", "family"))
