"""Report -> JSON Lines: one model a line, for sweeps over many. Each line stands alone."""

from __future__ import annotations

import json

from maskcheck.core.report import Report
from maskcheck.report.json import document
from maskcheck.report.plain import plain
from maskcheck.report.rendering import Rendering


def render(report: Report, rendering: Rendering | None = None) -> str:
    """Return a line for each model: the model's part of the JSON report, with the version and settings beside it."""
    whole = document(report)
    shared = {key: whole[key] for key in ("schema_version", "tool", "environment", "settings")}
    return "".join(json.dumps(plain({**shared, "model": m}), allow_nan=False) + "\n" for m in whole["models"]) or "\n"
