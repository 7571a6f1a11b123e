"""Judges a part of the Keras corpus in a process of its own and prints the results as JSON."""

from __future__ import annotations

import json
import sys

from evaluation import registry
from evaluation.case import Case
from evaluation.running import judged

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
    every = registry.cases("keras_mechanisms").values()
    found = [c for c in every if c.condition == "live" and c.subject.pair.name in PAIRS]
    leaky = [c for c in found if not c.mended and c.subject.host == host(c, 0)]
    settled = ("masked recurrent layers/words/leaky/live", "standardised over time/frames/mended/live")
    rounding = [c for c in every if c.name.endswith(settled)]
    return leaky + rounding + [c for c in found if c.mended and c.subject.host == host(c, 1)][::3]


def host(case: Case, turn: int) -> str:
    """The two hosts take turns by pair."""
    return ("words", "frames")[(PAIRS.index(case.subject.pair.name) + turn) % 2]


if __name__ == "__main__":
    sys.stdout.write(json.dumps([judged("keras_mechanisms", case.name) for case in chosen()]) + "\n")
