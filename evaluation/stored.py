"""Results of a benchmark that can be resumed: a line of JSON each, the last one for a key counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def read(path: Path, key: str) -> dict[str, dict[str, Any]]:
    """Return the results in ``path`` by their field ``key``; none where the file is not there yet."""
    if not path.exists():
        return {}
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {line[key]: line for line in lines}
