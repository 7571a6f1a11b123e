"""Every reporter by the name ``--format`` knows it under."""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.report import console, json
from maskcheck.report.rendering import Reporter

REPORTERS: Mapping[str, Reporter] = {"console": console.render, "json": json.render}
