"""``python -m evaluation.corpora.mechanisms``: every mechanism and every look-alike inside two architectures."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.mechanisms.cases import cases
from evaluation.corpora.mechanisms.judge import judge

RESULTS = Path("evaluation/results/mechanisms.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "family", "model", "condition"))
