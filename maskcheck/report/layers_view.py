"""The leak map: the model's layers in order, each with what padding does to it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from maskcheck.core.report import LayerState
from maskcheck.report.canvas import clean, flow, joined, shorten, words

MARKS = {
    "clean": (".", "green", "clean"),
    "dirty": ("#", "red", "padding inside"),
    "origin": ("!", "bold red", "padding gets in here"),
    "opaque": ("?", "yellow", "cannot be compared"),
}
UNKNOWN = ("?", "yellow", "cannot be compared")

LONGEST_NAME = 30
LONGEST_RUN = 3


def layer_lines(layers: Sequence[LayerState], width: int) -> list[RenderableType]:
    """Return the strip and its legend; more than ``LONGEST_RUN`` neighbours in one state are drawn as a range."""
    if not layers:
        return []
    items = [item for state, run in groupby(layers, key=lambda layer: layer.state) for item in _run(state, list(run))]
    used = list(dict.fromkeys(MARKS.get(layer.state, UNKNOWN) for layer in layers))
    legend = joined([joined([words(mark, style), words(meaning, "dim")], " ") for mark, style, meaning in used])
    return [flow(items, width, gap=2), legend]


def _run(state: str, run: list[LayerState]) -> list[Text]:
    mark, style, _ = MARKS.get(state, UNKNOWN)
    if state == "origin" or len(run) <= LONGEST_RUN:
        return [joined([words(layer.name, limit=LONGEST_NAME), words(mark, style)], " ") for layer in run]
    names = f"{_short(run[0])} .. {_short(run[-1])} ({len(run)})"
    return [joined([words(names), words(mark, style)], " ")]


def _short(layer: LayerState) -> str:
    return shorten(clean(layer.name), LONGEST_NAME)
