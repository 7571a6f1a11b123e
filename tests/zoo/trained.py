"""The trained models of ``fixtures/`` as cases."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path

from .case import MATES, PADS, RIGHT, SIDE, Case, Output, mask, tokens

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
REVIEWS = (tokens(vocabulary=80), mask())
SENTENCES = (tokens(vocabulary=54), mask())
LOGITS = (Output("logits", "BC"),)
TAGS = (Output("logits", "BTC"),)


def copy(name: str, path: Path) -> Path:
    shutil.copyfile(FIXTURES / f"{name}.onnx", path)
    return path


CASES: tuple[Case, ...] = (
    Case("reviews_clean", partial(copy, "reviews_clean"), REVIEWS, LOGITS, "CL-09", SIDE, RIGHT),
    Case("reviews_leaky", partial(copy, "reviews_leaky"), REVIEWS, LOGITS, "POOL-01", PADS, MATES, "ReduceMean"),
    Case("tagger_clean", partial(copy, "tagger_clean"), SENTENCES, TAGS, "CL-07", SIDE, RIGHT),
    Case(
        "tagger_leaky",
        partial(copy, "tagger_leaky"),
        SENTENCES,
        TAGS,
        "RNN-03",
        frozenset({"length", "side"}),
        MATES | {"content"},
        "LSTM",
    ),
)
