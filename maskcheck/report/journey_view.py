"""The way of an implicit mask through a model, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from maskcheck.core.model import MaskFate, MaskStep
from maskcheck.report.canvas import indented, joined, to_text, words
from maskcheck.report.rendering import Rendering

STYLES = {
    MaskFate.NONE: "dim",
    MaskFate.MADE: "green",
    MaskFate.PASSED: "green",
    MaskFate.USED: "green",
    MaskFate.CONSUMED: "green",
    MaskFate.DROPPED: "bold red",
    MaskFate.IGNORED: "bold red",
}

LONGEST_NAME = 34


def render(journey: Sequence[MaskStep], rendering: Rendering) -> str:
    """Return a heading and a row for each layer call; operators show where they lose a mask."""
    blocks: list[RenderableType] = [words("the mask's way", "bold"), Text(), indented(_table(journey), 2)]
    return to_text(blocks, rendering)


def _table(journey: Sequence[MaskStep]) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(*(words(head, "dim") for head in ("layer", "class", "mask")))
    for step in journey:
        table.add_row(
            Text("  " * step.depth).append_text(words(step.layer, limit=LONGEST_NAME)),
            words(step.operator, limit=LONGEST_NAME),
            joined([words(step.fate, STYLES[step.fate]), words(_remark(step), "dim")], "; "),
        )
    return table


def _remark(step: MaskStep) -> str:
    if step.fate is MaskFate.DROPPED:
        why = "one of its inputs carries none; " if step.partly else ""
        return why + ("Keras warns" if step.warned else "Keras does not warn")
    if step.fate is MaskFate.IGNORED:
        return "works across positions without it"
    if step.warned and step.fate is not MaskFate.CONSUMED:
        return "Keras warns, but the result does carry the mask"
    return step.detail
