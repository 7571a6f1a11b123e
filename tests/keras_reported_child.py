"""Judges a part of the reported Keras models in a process of its own and prints the results as JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from evaluation import registry
from evaluation.corpora.keras_reported.corpus import CORPUS
from evaluation.running import judged

CHOSEN = (
    "attention_on_top reported live",
    "attention_on_top mended live",
    "residual_by_plus reported .keras",
    "joined_streams reported .keras",
    "masked_cnn mended live",
    "dummy_images reported live",
    "mean_by_lambda reported live",
)
"""What the first run of them had wrong and is mended since, and what it had right."""
SLOW = ("delft_characters reported live",)
"""The plain test of it takes half a minute: only audited."""


def found() -> dict[str, list[dict] | dict[str, dict]]:
    return {
        "judged": [judged("keras_reported", name) for name in CHOSEN],
        "heard": {name: heard(name) for name in SLOW},
    }


def heard(name: str) -> dict:
    """What the audit says of a case."""
    case = registry.cases("keras_reported")[name]
    with tempfile.TemporaryDirectory() as folder:
        return asdict(CORPUS.read(case, CORPUS.marks(case, Path(folder)), CORPUS.audit(case, Path(folder))))


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found()) + "\n")
