"""How a report is to look, decided by whoever prints it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maskcheck.core.report import Report


@dataclass(frozen=True, slots=True)
class Rendering:
    """``width`` in terminal cells; ``verbosity`` -1 (verdicts only), 0, or 1 (every row and reason)."""

    width: int = 80
    colour: bool = False
    verbosity: int = 0


Reporter = Callable[["Report", Rendering], str]
