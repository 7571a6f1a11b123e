"""One architecture: built, saved, tested plainly, audited through its directory without a flag."""

from __future__ import annotations

import tempfile
import time
import traceback
from pathlib import Path
from typing import Any

from evaluation.architectures import build, truth
from evaluation.architectures.catalogue import Architecture


def judge(architecture: Architecture) -> dict[str, Any]:
    """Everything known of one architecture, as plain data; a failure is a result too."""
    found: dict[str, Any] = {"name": architecture.name, "modality": architecture.modality}
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = build.save(architecture, Path(folder))
        except Exception as error:
            return {**found, "built": f"{type(error).__name__}: {error}"[:300]}
        try:
            found["difference"], leaky = truth.leaks(made, architecture.modality)
            found["truth"] = "leaky" if leaky else "clean"
        except Exception as error:
            found["truth"] = "unknown"
            found["truth_error"] = f"{type(error).__name__}: {error}"[:300]
        del made
        started = time.perf_counter()
        try:
            found |= _audited(folder)
        except Exception:
            found |= {"outcome": "crash", "reason": traceback.format_exc()[-1500:]}
        found["seconds"] = round(time.perf_counter() - started, 1)
    return found


def _audited(folder: str) -> dict[str, Any]:
    import maskcheck

    model = maskcheck.audit(folder).model
    return {
        "outcome": model.outcome.value,
        "reason": (model.reason or "").replace(folder, "DIR"),
        "notes": list(model.notes),
        "rows": [
            [r.twin.value, r.variant, r.status.value, r.gating, r.difference, r.reason]
            for r in model.passport
            if r.status.value == "leaky"
        ],
        "findings": [_finding(f) for f in model.findings],
    }


def _finding(finding: Any) -> dict[str, Any]:
    site = finding.site
    source = site.source if site is not None else None
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "module": site.module if site is not None else None,
        "operation": site.operator if site is not None else None,
        "line": f"{Path(source.file).name}:{source.line}" if source is not None else None,
        "text": source.text if source is not None else None,
        "share": finding.share,
        "difference": finding.difference,
    }
