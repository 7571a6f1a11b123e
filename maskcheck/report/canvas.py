"""Blocks of styled text that fit a width. Names from a model are hostile: all text is cleaned here, none is markup."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterable, Sequence

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from maskcheck.report.rendering import Rendering

ELLIPSIS = "..."


def clean(text: str) -> str:
    """Return ``text`` on one line, without control, format and surrogate characters."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def words(text: str, style: str = "", limit: int | None = None) -> Text:
    """Return cleaned text, shortened in the middle to ``limit`` cells."""
    return Text(shorten(clean(text), limit) if limit else clean(text), style=style, overflow="fold")


def prose(text: str, style: str = "") -> Text:
    """Return running text to be wrapped anew; indented lines are code and stay as they are, empty ones stay empty."""
    lines: list[str] = []
    open_paragraph = False
    for line in (line.expandtabs(4).rstrip() for line in text.strip("\n").split("\n")):
        running = bool(line) and not line.startswith(" ")
        if running and open_paragraph:
            lines[-1] += " " + clean(line)
        else:
            lines.append(line[: len(line) - len(line.lstrip(" "))] + clean(line))
        open_paragraph = running
    return Text("\n".join(lines), style=style, overflow="fold") if text.strip() else Text()


def code(text: str, style: str = "") -> Text:
    """Return text whose lines and indentation matter."""
    lines = [line.expandtabs(4).rstrip() for line in text.strip("\n").split("\n")]
    kept = [line[: len(line) - len(line.lstrip(" "))] + clean(line) for line in lines]
    return Text("\n".join(kept), style=style, overflow="fold") if text.strip() else Text()


def shorten(text: str, limit: int) -> str:
    """Return ``text`` in at most ``limit`` cells. Long names differ at their ends, so the middle goes."""
    if cell_len(text) <= limit:
        return text
    room = max(limit - len(ELLIPSIS), 2)
    return _fit(text, room // 2) + ELLIPSIS + _fit(text[::-1], room - room // 2)[::-1]


def shorten_start(text: str, limit: int) -> str:
    """Return ``text`` in at most ``limit`` cells, its beginning cut: for paths, whose end matters."""
    if cell_len(text) <= limit:
        return text
    return ELLIPSIS + _fit(text[::-1], max(limit - len(ELLIPSIS), 1))[::-1]


def _fit(text: str, room: int) -> str:
    """Return the longest beginning of ``text`` that takes at most ``room`` cells."""
    used = 0
    for end, character in enumerate(text):
        used += cell_len(character)
        if used > room:
            return text[:end]
    return text


def joined(parts: Iterable[Text | str], gap: str = "   ") -> Text:
    """Return the parts that are not empty, ``gap`` between them."""
    return Text(gap, overflow="fold").join([p if isinstance(p, Text) else words(p) for p in parts if len(p)])


def flow(parts: Sequence[Text], width: int, gap: int = 3) -> Text:
    """Lay the parts out in lines of at most ``width`` cells, breaking only between them where they allow it."""
    lines: list[list[Text]] = []
    used = 0
    for part in (p for p in parts if len(p)):
        if lines and used + gap + part.cell_len <= width:
            lines[-1].append(part)
            used += gap + part.cell_len
        else:
            lines.append([part])
            used = part.cell_len
    return Text("\n", overflow="fold").join([joined(line, " " * gap) for line in lines])


def indented(block: RenderableType, cells: int) -> Padding:
    return Padding(block, (0, 0, 0, cells))


def hanging(label: Text | str, body: RenderableType, indent: int) -> Table:
    """A label in a column of ``indent`` cells, and a body that wraps beside it."""
    grid = Table.grid(padding=0, expand=True)
    grid.add_column(width=indent, no_wrap=True, overflow="crop")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_row(label if isinstance(label, Text) else words(label), body)
    return grid


def spread(left: RenderableType, right: Text) -> Table:
    """A body that wraps, and a remark set against the right edge."""
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True, pad_edge=False)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(justify="right", no_wrap=True)
    grid.add_row(left, right)
    return grid


def to_text(blocks: Iterable[RenderableType], rendering: Rendering) -> str:
    """Render blocks one below the other. The environment is not consulted; lines end without blanks."""
    out = io.StringIO()
    console = Console(
        file=out,
        width=rendering.width,
        height=100,
        force_terminal=rendering.colour,
        color_system="standard" if rendering.colour else None,
        no_color=not rendering.colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
        _environ={},
    )
    console.print(Group(*blocks))
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip().split("\n")) + "\n"
