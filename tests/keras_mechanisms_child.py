"""Judges a part of the Keras corpus in a process of its own and prints the results as JSON."""

from __future__ import annotations

import json
import sys

from evaluation.corpora.keras_mechanisms.cases import Case, cases
from evaluation.corpora.keras_mechanisms.judge import judge

PAIRS = (
    "lambda",
    "global maximum",
    "inverted",
    "a fill that is nothing",
    "after the softmax",
    "zero and one added",
    "maximum of zeros",
    "last column",
    "state of zeros",
    "backwards",
    "group normalization",
    "relative time",
    "clusters",
    "causal attention",
    "causal convolution and forward LSTM",
)


def chosen() -> list[Case]:
    """Each pair leaky in one host and, of every third, mended in the other; and two sound ones that float64 settles."""
    found = [c for c in cases() if c.condition == "live" and c.key in PAIRS]
    hosts = ("words", "frames")
    leaky = [c for c in found if c.leaky and c.host == hosts[PAIRS.index(c.key) % 2]]
    settled = ("masked recurrent layers/words/leaky/live", "standardised over time/frames/mended/live")
    rounding = [c for c in cases() if c.name.endswith(settled)]
    return leaky + rounding + [c for c in found if not c.leaky and c.host == hosts[PAIRS.index(c.key) % 2 - 1]][::3]


if __name__ == "__main__":
    sys.stdout.write(json.dumps([judge(case) for case in chosen()]) + "\n")
