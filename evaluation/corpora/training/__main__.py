"""``python -m benchmarks.training``: what padding does to losses, metrics and gradients."""

from __future__ import annotations

from pathlib import Path

from benchmarks import running
from benchmarks.training.cases import cases
from benchmarks.training.judge import judge

RESULTS = Path("benchmarks/results/training.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "family", "model"), apart=True)
