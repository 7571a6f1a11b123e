"""How much attention goes to pads, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.table import Table

from maskcheck.core.report import AttentionMap
from maskcheck.report.canvas import words
from maskcheck.report.quantities import percent, plural

MOST_SHOWN = 8


def attention_lines(maps: Sequence[AttentionMap], width: int, verbose: bool = False) -> list[RenderableType]:
    """Return a table of the maps that look at pads, heaviest first, and how many do not."""
    looking = sorted((m for m in maps if m.pad_mass_max > 0), key=lambda m: -m.pad_mass_max)
    blind = len(maps) - len(looking)
    if not looking:
        return [words(f"{plural(blind, 'map')}, none looks at pads")] if blind else []
    shown = looking if verbose else looking[:MOST_SHOWN]
    hidden = len(looking) - len(shown)
    rest = [f"{plural(hidden, 'further map')} looking at pads" if hidden else ""]
    rest.append(f"{plural(blind, 'map')} not looking at pads" if blind else "")
    remark = ", ".join(part for part in rest if part)
    return [_table(shown, width), *([words(remark, "dim")] if remark else [])]


def _table(maps: Sequence[AttentionMap], width: int) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    heads = ("site", "heads", "most on pads", "mean", "mask on")
    table.add_row(*(words(head, "dim") for head in heads))
    for weights in maps:
        table.add_row(
            words(weights.site.name, limit=max(width - 42, 12)),
            words(str(weights.heads)),
            words(percent(weights.pad_mass_max), "red"),
            words(percent(weights.pad_mass_mean)),
            words(weights.axis),
        )
    return table
