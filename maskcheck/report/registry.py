"""Every reporter by the name ``--format`` knows it under."""

from __future__ import annotations

from collections.abc import Mapping

from maskcheck.report import console, github, html, json, jsonl, junit, markdown, sarif
from maskcheck.report.rendering import Reporter

REPORTERS: Mapping[str, Reporter] = {
    "console": console.render,
    "json": json.render,
    "jsonl": jsonl.render,
    "html": html.render,
    "sarif": sarif.render,
    "junit": junit.render,
    "github": github.render,
    "markdown": markdown.render,
}
