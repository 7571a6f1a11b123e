"""``python -m benchmarks.keras_mechanisms``: the mechanisms as Keras users write them, live and from files."""

from __future__ import annotations

from pathlib import Path

from benchmarks import running
from benchmarks.keras_mechanisms.cases import cases
from benchmarks.keras_mechanisms.judge import judge

RESULTS = Path("benchmarks/results/keras_mechanisms.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "family", "model", "condition"))
