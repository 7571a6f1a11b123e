"""Judges a part of the reported Keras models in a process of its own and prints the results as JSON."""

from __future__ import annotations

import json
import sys

from evaluation.corpora.keras_reported import judge
from evaluation.corpora.keras_reported.cases import cases

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


def found() -> list[dict]:
    named = {case.name: case for case in cases()}
    audited = [{"name": name, **judge._compared(named[name], judge._audited(named[name]))} for name in SLOW]
    return [*(judge.judge(named[name]) for name in CHOSEN), *audited]


if __name__ == "__main__":
    sys.stdout.write(json.dumps(found()) + "\n")
