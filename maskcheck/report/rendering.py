"""How a report is to look, decided by whoever prints it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskcheck.core.report import Report
    from maskcheck.report.rule_text import RuleText


ENDINGS: Mapping[str, str] = {
    ".json": "json",
    ".jsonl": "jsonl",
    ".html": "html",
    ".htm": "html",
    ".sarif": "sarif",
    ".xml": "junit",
    ".md": "markdown",
}
"""Which format the end of a report's name asks for."""


def as_given(path: str) -> str | None:
    """Return a relative path that stays inside its folder, and ``None`` for any other."""
    posix = PurePosixPath(path.replace("\\", "/"))
    inside = not posix.is_absolute() and ".." not in posix.parts and ":" not in "".join(posix.parts[:1])
    return str(posix) if inside and path else None


@dataclass(frozen=True, slots=True)
class Rendering:
    """``width`` in terminal cells; ``verbosity`` -1 (verdicts only), 0, or 1 (every row and reason).

    ``locate`` turns a path into one relative to the repository, for reports that are read beside its source, or into
    ``None`` where it lies outside. ``texts`` are the rules' own texts by code, for reports that carry them.
    """

    width: int = 80
    colour: bool = False
    verbosity: int = 0
    locate: Callable[[str], str | None] = as_given
    texts: Mapping[str, RuleText] = field(default_factory=dict)


Reporter = Callable[["Report", Rendering], str]
