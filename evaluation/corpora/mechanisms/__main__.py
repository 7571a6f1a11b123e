"""``python -m benchmarks.mechanisms``: every mechanism and every look-alike inside two architectures."""

from __future__ import annotations

from pathlib import Path

from benchmarks import running
from benchmarks.mechanisms.cases import cases
from benchmarks.mechanisms.judge import judge

RESULTS = Path("benchmarks/results/mechanisms.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "family", "model", "condition"))
