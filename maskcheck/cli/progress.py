"""A progress bar on stderr, for audits that take a while."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

PATIENCE_S = 1.0


class ProgressBar:
    """Callable with a step and the fraction done. It appears on a terminal only, late, and leaves no trace."""

    def __init__(self, quiet: bool = False) -> None:
        self._wanted = not quiet and sys.stderr.isatty()
        self._started = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, step: str, fraction: float) -> None:
        if not self._wanted or time.monotonic() - self._started < PATIENCE_S:
            return
        done = round(1000 * min(max(fraction, 0.0), 1.0))
        shown = "".join(c for c in step if c.isprintable())
        if self._bar is None or self._task is None:
            self._bar = _bar()
            self._task = self._bar.add_task(shown, total=1000, completed=done)
            self._bar.start()
        self._bar.update(self._task, completed=done, description=shown)


def _bar() -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
    from rich.table import Column

    step = TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True))
    return Progress(
        step, BarColumn(bar_width=24), TaskProgressColumn(), console=Console(stderr=True), transient=True, expand=True
    )
