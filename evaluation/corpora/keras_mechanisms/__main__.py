"""``python -m evaluation.corpora.keras_mechanisms``: the mechanisms as Keras users write them, live and from files."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.keras_mechanisms.cases import cases
from evaluation.corpora.keras_mechanisms.judge import judge

RESULTS = Path("evaluation/results/keras_mechanisms.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("framework", "family", "model", "condition"))
