"""Overrides from several places -> one set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from maskcheck.core.settings import Overrides

Table = Mapping[str, Mapping[str, Any]]


def merge(base: Overrides, above: Overrides) -> Overrides:
    """Combine two sets of overrides, key by key; where both speak, ``above`` wins."""
    names = [field.name for field in dataclasses.fields(Overrides)]
    return Overrides(**{name: _combine(getattr(base, name), getattr(above, name)) for name in names})


def _combine(low: Any, high: Any) -> Any:
    if isinstance(low, Mapping):
        return _combine_tables(low, high)
    return low if high is None else high


def _combine_tables(low: Table, high: Table) -> dict[str, dict[str, Any]]:
    return {name: {**low.get(name, {}), **high.get(name, {})} for name in {**low, **high}}
