"""The command that measures the same again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from maskcheck.core.report import ModelReport, Report
from maskcheck.report.canvas import clean

_DEFAULTS: Mapping[str, Any] = {
    "seed": 0,
    "samples": None,
    "inputs": None,
    "optimization": "all",
    "provider": "CPUExecutionProvider",
}
_ALWAYS_REQUIRED = ("length", "mates")


def command(report: Report, model: ModelReport, *extra: str) -> str:
    """Return a shell command that audits ``model`` as it was audited, with ``extra`` arguments behind it."""
    flags = report.flags or _flags(report.settings)
    path = f"./{model.path}" if model.path.startswith("-") else model.path
    return " ".join(shlex.quote(clean(part)) for part in ("maskcheck", "audit", path, *flags, *extra))


def _flags(settings: Mapping[str, Any]) -> list[str]:
    """Return the flags that differ from what a bare command would do."""
    flags: list[str] = []
    for name, default in _DEFAULTS.items():
        value = settings.get(name, default)
        if value is not None and value != default:
            flags += [f"--{name}", str(value)]
    more = [str(twin) for twin in settings.get("require", ()) if twin not in _ALWAYS_REQUIRED]
    return [*flags, "--require", ",".join(more)] if more else flags
