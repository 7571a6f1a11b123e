"""Lines of the user's own source code, as exporters and tracers record them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's own source code that an exporter or tracer recorded."""

    file: str
    line: int
    function: str | None = None
    text: str | None = None
