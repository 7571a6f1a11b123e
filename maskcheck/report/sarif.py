"""Report -> SARIF 2.1.0 as GitHub code scanning takes it.

GitHub reads only the first location of a result and shows only files of the repository, so a finding stands at its
source line where that lies in the repository, and at the model file otherwise. Its own fingerprints would take two
findings in one binary for the same one; ours are written instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from maskcheck.core.report import Finding, ModelReport, Outcome, Report, Severity
from maskcheck.ir.graph import Site
from maskcheck.report.canvas import clean
from maskcheck.report.findings_view import title
from maskcheck.report.plain import dump
from maskcheck.report.quantities import deviations
from maskcheck.report.rendering import Rendering
from maskcheck.report.verdict import sentence

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 5000
LONGEST_TEXT = 1024
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}

Document = dict[str, Any]


def render(report: Report, rendering: Rendering) -> str:
    """Return the findings as a SARIF log with one run. Accepted findings are left out, for GitHub would show them."""
    return dump(document(report, rendering))


def document(report: Report, rendering: Rendering) -> Document:
    found = [(model, finding) for model in report.models for finding in model.findings]
    ranked = sorted(found, key=lambda pair: list(Severity).index(pair[1].severity))[:MOST_RESULTS]
    rules = _rules([finding for _, finding in ranked], rendering)
    indices = {rule["id"]: i for i, rule in enumerate(rules)}
    seen: dict[str, int] = {}
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "maskcheck",
                        "version": clean(report.version),
                        "semanticVersion": clean(report.version),
                        "rules": rules,
                    }
                },
                "automationDetails": {"id": "maskcheck/"},
                "invocations": [_invocation(report, rendering)],
                "properties": {"accepted": sum(model.suppressed for model in report.models)},
                "results": [_result(m, f, indices[_id(f)], rendering, seen) for m, f in ranked],
            }
        ],
    }


def _id(finding: Finding) -> str:
    return clean(finding.rule) or "MC999"


def _rules(findings: list[Finding], rendering: Rendering) -> list[Document]:
    first: dict[str, Finding] = {}
    for finding in findings:
        first.setdefault(_id(finding), finding)
    return [_rule(finding, rendering) for _, finding in sorted(first.items())]


def _rule(finding: Finding, rendering: Rendering) -> Document:
    text = rendering.texts.get(finding.rule)
    name = _text(title(finding), finding.rule)
    page = f"maskcheck explain {_id(finding)} says more."
    what = f"{text.what} {text.why}" if text is not None else finding.message
    return {
        "id": _id(finding),
        "name": name,
        "shortDescription": {"text": _text(text.summary if text is not None else name, name)},
        "fullDescription": {"text": _text(what, name)},
        "help": {"text": _text(f"{finding.fix} {page}", page)},
        "defaultConfiguration": {"level": LEVELS[finding.severity]},
        "properties": {
            "tags": ["padding", *([clean(text.family)] if text is not None and clean(text.family) else [])],
            "precision": "high",
            "problem.severity": PROBLEMS[finding.severity],
        },
    }


def _result(model: ModelReport, finding: Finding, index: int, rendering: Rendering, seen: dict[str, int]) -> Document:
    fingerprint = clean(finding.fingerprint) or "0"
    seen[fingerprint] = seen.get(fingerprint, 0) + 1
    unique = fingerprint if seen[fingerprint] == 1 else f"{fingerprint}:{seen[fingerprint]}"
    return {
        "ruleId": _id(finding),
        "ruleIndex": index,
        "level": LEVELS[finding.severity],
        "message": {"text": _message(model, finding)},
        "locations": [_location(model, finding.site, rendering)],
        "partialFingerprints": {"primaryLocationLineHash": unique},
    }


def _message(model: ModelReport, finding: Finding) -> str:
    """Say it all: GitHub shows the first sentence as the title and knows nothing of layers."""
    site = f" at {clean(finding.site.name)}" if finding.site is not None else ""
    parts = [f"{title(finding)}{site}.", finding.message, f"Mend: {finding.fix}" if finding.fix else ""]
    if finding.difference:
        parts.append(f"It moves the answer of {model.path} by {deviations(finding.difference)}.")
    return clean(" ".join(part for part in parts if part))


def _location(model: ModelReport, site: Site | None, rendering: Rendering) -> Document:
    uri, line = _place(model, site, rendering)
    location: Document = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(uri.encode("utf-8", "replace"), safe="/-._~")},
            "region": {"startLine": line, "startColumn": 1, "endLine": line, "endColumn": 1},
        }
    }
    if site is not None:
        name = clean(site.module or site.name) or "unnamed"
        logical = {"name": name.rsplit(".", 1)[-1] or name, "fullyQualifiedName": name, "kind": "module"}
        location["logicalLocations"] = [logical]
    return location


def _place(model: ModelReport, site: Site | None, rendering: Rendering) -> tuple[str, int]:
    if site is not None and site.source is not None and site.source.line > 0:
        source = rendering.locate(site.source.file)
        if source:
            return source, site.source.line
    return rendering.locate(model.path) or _outside(model.path), 1


def _outside(path: str) -> str:
    """Return what can stand for a file outside the repository: its name."""
    return path.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or "model"


def _invocation(report: Report, rendering: Rendering) -> Document:
    failed = [m for m in report.models if m.outcome in (Outcome.ERROR, Outcome.SKIPPED)]
    return {
        "executionSuccessful": not failed,
        "toolExecutionNotifications": list(_notifications(failed, rendering)),
    }


def _notifications(models: list[ModelReport], rendering: Rendering) -> Iterator[Document]:
    for model in models:
        yield {
            "level": "error" if model.outcome is Outcome.ERROR else "warning",
            "message": {"text": _text(f"{model.path}: {model.outcome}: {sentence(model)}", "not audited")},
            "locations": [_location(model, None, rendering)],
        }


def _text(text: str, otherwise: str) -> str:
    """Return cleaned text of at most ``LONGEST_TEXT`` characters, never empty: GitHub refuses empty strings."""
    cleaned = clean(text) or clean(otherwise) or "-"
    return cleaned if len(cleaned) <= LONGEST_TEXT else cleaned[: LONGEST_TEXT - 3].rstrip() + "..."
