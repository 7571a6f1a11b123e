"""Results of a run that can be resumed: a line of JSON each, the last one for a key counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, as_completed
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track

Line = dict[str, Any]


def read(path: Path, key: str) -> dict[str, Line]:
    """Return the results in ``path`` by their field ``key``; none where the file is not there yet."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line[key]: line for line in lines}


def add(path: Path, running: Sequence[Future[Line]]) -> None:
    """Append each result as soon as it is there, with a progress bar."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        for done in _tracked(as_completed(running), len(running)):
            file.write(json.dumps(done.result()) + "\n")
            file.flush()


def _tracked(running: Iterable[Future[Line]], total: int) -> Iterable[Future[Line]]:
    return track(running, "auditing", total=total, console=Console(stderr=True))
