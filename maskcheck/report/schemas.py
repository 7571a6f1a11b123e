"""The JSON schemas of what maskcheck writes, as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import resources
from typing import Any


def report_schema() -> str:
    """Return the schema of ``maskcheck audit --format json``."""
    return (resources.files("maskcheck") / "report" / "report.schema.json").read_text(encoding="utf-8")


def comparison_schema() -> str:
    """Return the schema of ``maskcheck compare --format json``; its models are those of the report."""
    from maskcheck.core.comparison import Change
    from maskcheck.core.report import Status

    report: Mapping[str, Any] = json.loads(report_schema())
    side = {
        "type": "object",
        "required": ["status", "difference"],
        "properties": {
            "status": {"enum": [status.value for status in Status]},
            "difference": {"$ref": "#/$defs/number"},
        },
    }
    twin = {
        "type": "object",
        "required": ["twin", "domain", "gating", "change", "before", "after"],
        "properties": {
            "twin": {"$ref": "#/$defs/twin"},
            "domain": {"type": ["string", "null"]},
            "gating": {"type": "boolean"},
            "change": {"enum": [change.value for change in Change]},
            "before": side,
            "after": side,
        },
    }
    fingerprints = {"description": "Fingerprints of findings.", "type": "array", "items": {"type": "string"}}
    properties = {
        "schema_version": report["properties"]["schema_version"],
        "tool": report["properties"]["tool"],
        "worse": {"description": "Whether the second leaks what the first does not.", "type": "boolean"},
        "comparable": {"description": "Whether both could be audited.", "type": "boolean"},
        "twins": {"type": "array", "items": twin},
        "lost_inputs": {
            "description": "Inputs that tell padding from data and that only the first takes.",
            "type": "array",
            "items": {"type": "string"},
        },
        "added": fingerprints,
        "gone": fingerprints,
        "before": {"$ref": "#/$defs/model"},
        "after": {"$ref": "#/$defs/model"},
    }
    schema = {
        "$schema": report["$schema"],
        "title": "maskcheck comparison",
        "description": "Two audits side by side: maskcheck compare BEFORE AFTER --format json.",
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "$defs": report["$defs"],
    }
    return json.dumps(schema, indent=2) + "\n"


SCHEMAS = {"report": report_schema, "comparison": comparison_schema}
