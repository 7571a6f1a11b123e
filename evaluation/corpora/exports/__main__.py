"""``python -m evaluation.corpora.exports``: files as exporters, optimisers and quantisers leave them, leaky and mended."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.exports.cases import cases
from evaluation.corpora.exports.judge import judge

RESULTS = Path("evaluation/results/exports.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("condition", "family", "model"))
