"""``python -m evaluation.corpora.keras_reported``: Keras models from public reports about padding, as reported and mended."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.keras_reported.cases import cases
from evaluation.corpora.keras_reported.judge import judge

RESULTS = Path("evaluation/results/keras_reported.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("condition", "field", "family"))
