"""``python -m evaluation.corpora.training``: what padding does to losses, metrics and gradients."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.training.cases import cases
from evaluation.corpora.training.judge import judge

RESULTS = Path("evaluation/results/training.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "family", "model"), apart=True)
