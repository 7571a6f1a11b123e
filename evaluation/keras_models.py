"""Keras models, live or from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import maskcheck
from maskcheck.core.report import ModelReport

LIVE, SAVED = "live", ".keras"


def audit(
    model: Any, form: str, folder: Path, example: Any = None, told: Mapping[str, Any] | None = None
) -> ModelReport:
    """What an audit says of a live model, or of the file it is saved to."""
    if form == LIVE:
        return maskcheck.audit(model, example, **(told or {})).model
    path = folder / "model.keras"
    model.save(path)
    return maskcheck.audit(path, **(told or {})).model
