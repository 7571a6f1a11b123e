"""What an audit of a Keras model names, held against the names of the layers and operations that are right."""

from __future__ import annotations

from typing import Any


def compared(report: Any, wanted: list[str]) -> dict[str, Any]:
    """The outcome and its places as plain data. A place goes by the wanted name where it can, else by its own."""
    errors = [f for f in report.findings if f.severity.value == "error"]
    named: dict[str, str] = {}
    for finding in errors:
        named.setdefault(_matched(finding.site, wanted), finding.rule)
    return {
        "outcome": report.outcome.value,
        "reason": report.reason,
        "lines": named,
        "related": sorted({_matched(site, wanted) for f in errors for site in f.related}),
        "right": bool(named) and set(named) <= set(wanted),
        "root_causes": sorted({f.root_cause.site.name for f in errors if f.root_cause and f.root_cause.site}),
    }


def blamed(found: dict[str, Any], cause: str) -> bool:
    """Whether ``cause``, where there is one, is among the root causes."""
    return not cause or any(_called(name, cause) for name in found["root_causes"])


def _called(name: str, wanted: str) -> bool:
    """``softmax``, ``softmax_2``, ``it/cell`` and ``outer/it`` go by ``softmax`` and ``it``."""
    return any(part == wanted or (part.rsplit("_", 1)[0] == wanted and part[-1].isdigit()) for part in name.split("/"))


def _matched(site: Any, wanted: list[str]) -> str:
    """The wanted name that a site goes by, else its own."""
    names = [site.name, site.module or ""] if site is not None else [""]
    return next((w for w in wanted for name in names if _called(name, w)), names[0])
