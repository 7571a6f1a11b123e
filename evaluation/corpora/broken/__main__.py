"""``python -m evaluation.corpora.broken``: sound models broken by program."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.broken.cases import cases
from evaluation.corpora.broken.judge import judge

RESULTS = Path("evaluation/results/corpus.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "model", "condition"))
