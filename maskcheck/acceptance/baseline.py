"""A file of known findings: one line each, sorted, so that it merges well and a review sees what changed."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from maskcheck.core.errors import UsageError
from maskcheck.core.report import GROWTH, Finding, ModelReport, Outcome, Severity

VERSION = 1
UNREVIEWED = "known since the baseline was made"


@dataclass(frozen=True, slots=True)
class BaselineEntry:
    """One known finding. ``model`` is relative to the baseline's folder, ``difference`` what was measured then."""

    rule: str
    model: str
    site: str
    difference: float
    reason: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.model, self.rule, self.site)

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256("|".join((self.rule, self.model, self.site)).encode("utf-8", "replace")).hexdigest()

    def covers(self, finding: Finding) -> bool:
        """Whether the finding is no larger than what was recorded, give or take ``GROWTH``."""
        if math.isnan(self.difference) or self.difference == math.inf:
            return True
        return finding.difference <= GROWTH * self.difference


@dataclass(frozen=True, slots=True)
class Baseline:
    """``folder`` is where the file lies, ``source`` how the user named it."""

    entries: Mapping[tuple[str, str, str], BaselineEntry] = field(default_factory=dict)
    folder: Path = Path()
    source: str = ""

    def entry(self, model: ModelReport, finding: Finding) -> BaselineEntry | None:
        return self.entries.get((self.name(model.path), finding.rule, place(finding)))

    def of(self, model: ModelReport) -> list[BaselineEntry]:
        name = self.name(model.path)
        return [entry for entry in self.entries.values() if entry.model == name]

    def name(self, path: str) -> str:
        """Return a model's path relative to the baseline, with forward slashes; the same wherever it is audited."""
        try:
            return Path(os.path.relpath(path, self.folder)).as_posix()
        except ValueError:  # another drive
            return Path(path).as_posix()


def place(finding: Finding) -> str:
    """Return the site's name; a finding without one is known by the twins that show it."""
    return finding.site.name if finding.site is not None else "twins " + ",".join(finding.twins)


def record(models: Iterable[ModelReport], old: Baseline, reason: str = "") -> Baseline:
    """Return a baseline of every finding that could gate in the models.

    Reasons given before are kept. Models that could not be audited, and models not audited now, keep their entries.
    """
    entries = dict(old.entries)
    for model in models:
        if model.outcome not in (Outcome.CLEAN, Outcome.LEAKY):
            continue
        for entry in old.of(model):
            entries.pop(entry.key, None)
        for finding in model.findings:
            if finding.severity is not Severity.INFO:
                _add(entries, _entry(model, finding, old, reason))
    return replace(old, entries=entries)


def to_text(baseline: Baseline) -> str:
    """Return the file's text, ending in a newline."""
    lines = [
        json.dumps(
            {
                "model": entry.model,
                "rule": entry.rule,
                "site": entry.site,
                "difference": _written(entry.difference),
                "reason": entry.reason,
                "fingerprint": entry.fingerprint,
            }
        )
        for _, entry in sorted(baseline.entries.items())
    ]
    body = ",\n".join(f"    {line}" for line in lines)
    return f'{{\n  "version": {VERSION},\n  "findings": [\n{body}\n  ]\n}}\n' if lines else _EMPTY


def read(path: str | Path) -> Baseline:
    """Read a baseline.

    Raises:
        UsageError: the file cannot be read or is no baseline of a version known here.
    """
    hint = "Make one with: maskcheck baseline MODEL... -o FILE"
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise UsageError(f"Reading the baseline {path}: version {document['version']} is unknown here.", hint=hint)
        entries = [_parsed(item) for item in document["findings"]]
    except OSError as error:
        raise UsageError(f"Reading the baseline {path}: {error.strerror}.", hint=hint) from error
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"Reading the baseline {path}: it is no baseline ({error}).", hint=hint) from error
    return Baseline({entry.key: entry for entry in entries}, Path(path).resolve().parent, str(path))


def _entry(model: ModelReport, finding: Finding, old: Baseline, reason: str) -> BaselineEntry:
    known = old.entry(model, finding)
    kept = known.reason if known is not None else ""
    return BaselineEntry(finding.rule, old.name(model.path), place(finding), finding.difference, kept or reason)


def _add(entries: dict[tuple[str, str, str], BaselineEntry], entry: BaselineEntry) -> None:
    """Two findings of one rule at one place are one entry, as large as the larger."""
    known = entries.get(entry.key)
    if known is None or not entry.difference <= known.difference:
        entries[entry.key] = entry


def _parsed(item: Any) -> BaselineEntry:
    texts = {key: item.get(key, "") if key == "reason" else item[key] for key in ("rule", "model", "site", "reason")}
    wrong = next((key for key, value in texts.items() if not isinstance(value, str)), None)
    if wrong is not None:
        raise ValueError(f"{wrong} must be text")
    return BaselineEntry(difference=float(item["difference"]), **texts)


def _written(value: float) -> float | str:
    return float(f"{value:.3g}") if math.isfinite(value) else str(value)


_EMPTY = f'{{\n  "version": {VERSION},\n  "findings": []\n}}\n'
