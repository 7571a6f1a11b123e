"""The leak map on a terminal: a line for each module, its positions as cells; a strip of names where none is known."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from rich.console import RenderableType
from rich.text import Text

from maskcheck.core.report import LayerState, Reach
from maskcheck.report.canvas import clean, flow, joined, shorten, words
from maskcheck.report.drawings import fitted
from maskcheck.report.layer_tree import Branch, Leaf, branches, by_module

MARKS = {
    Reach.CLEAN: (".", "green", "clean"),
    Reach.DIRTY: ("#", "red", "padding inside"),
    Reach.ORIGIN: ("!", "bold red", "padding gets in here"),
    Reach.OPAQUE: ("?", "yellow", "cannot be compared"),
}
UNKNOWN = ("?", "yellow", "cannot be compared")

CELLS = ".:-=+*#"
"""From a position that is as it should be to one that is off by a tenth of a standard deviation or more."""
CELL_STYLES = ("green", "yellow", "yellow", "yellow", "red", "red", "bold red")
MOST_CELLS = 40
MOST_LINES = 14
LONGEST_NAME = 30
LONGEST_RUN = 3


def layer_lines(layers: Sequence[LayerState], width: int, verbose: bool = False) -> list[RenderableType]:
    """Return the map and its legend; modules are unfolded where padding gets in when ``verbose``."""
    if not layers:
        return []
    if any(layer.positions for layer in layers) and any(layer.state is Reach.ORIGIN for layer in layers):
        return _map(branches(layers), width, verbose)
    shown = layers if verbose or len(layers) <= MOST_LINES else by_module(layers)
    items = [item for state, run in groupby(shown, key=lambda layer: layer.state) for item in _run(state, list(run))]
    return [flow(items, width, gap=2), _legend([layer.state for layer in shown])]


def _map(grown: Sequence[Branch], width: int, verbose: bool) -> list[RenderableType]:
    rows: list[Branch | Leaf] = []
    for branch in grown:
        rows += [branch]
        if verbose and branch.state is Reach.ORIGIN and len(branch.leaves) > 1:
            rows += branch.leaves
    hidden = 0 if verbose else max(len(rows) - MOST_LINES, 0)
    first = len(rows) - 3 - hidden if hidden else len(rows)
    kept = [*rows[:first], *rows[first + hidden :]]
    names = [_name(row) for row in kept]
    column = max(len(name) for name in names)
    cells = min(max((len(row.shades) for row in kept), default=0), MOST_CELLS, width - column - 6)
    lines: list[RenderableType] = [_heading(column, cells)]
    for i, (row, name) in enumerate(zip(kept, names, strict=True)):
        if hidden and i == first:
            lines.append(words(f"... and {hidden} more", "dim"))
        mark, style, _ = MARKS[row.state]
        label = Text(name + " " * (column - len(name)))
        lines.append(joined([label, words(mark, style), _cells(row.shades, cells)], "  "))
    return [*lines, _legend([row.state for row in kept])]


def _heading(column: int, cells: int) -> Text:
    """Say what the cells are: real positions, from the first to the last."""
    text = "first" + " " * (cells - 9) + "last" if cells >= 12 else "first ..."
    return Text(" " * (column + 5) + text, "dim") if cells > 1 else Text()


def _cells(shades: Sequence[int], count: int) -> Text:
    """Draw the shades in ``count`` cells; a layer with fewer positions has wider ones, one without has one."""
    fit = fitted(shades, count)
    text = Text()
    for i in range(count if fit else 0):
        shade = fit[i * len(fit) // count]
        text.append(CELLS[shade], CELL_STYLES[shade])
    return text


def _name(row: Branch | Leaf) -> str:
    inner = isinstance(row, Leaf)
    return ("  " if inner else "") + _short(row.name)


def _legend(states: Sequence[Reach]) -> Text:
    used = list(dict.fromkeys(MARKS.get(state, UNKNOWN) for state in states))
    return joined([joined([words(mark, style), words(meaning, "dim")], " ") for mark, style, meaning in used])


def _run(state: Reach, run: list[LayerState]) -> list[Text]:
    mark, style, _ = MARKS.get(state, UNKNOWN)
    if state is Reach.ORIGIN or len(run) <= LONGEST_RUN:
        return [joined([words(layer.name, limit=LONGEST_NAME), words(mark, style)], " ") for layer in run]
    names = f"{_short(run[0].name)} .. {_short(run[-1].name)} ({len(run)})"
    return [joined([words(names), words(mark, style)], " ")]


def _short(name: str) -> str:
    return shorten(clean(name), LONGEST_NAME)
