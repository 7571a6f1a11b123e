"""``python -m evaluation.corpora.reported``: models from public reports about padding, leaky as reported and mended."""

from __future__ import annotations

from pathlib import Path

from evaluation import running
from evaluation.corpora.reported.cases import cases
from evaluation.corpora.reported.judge import judge

RESULTS = Path("evaluation/results/reported.jsonl")

if __name__ == "__main__":
    running.main(__doc__, cases(), judge, RESULTS, ("condition", "field", "family"))
