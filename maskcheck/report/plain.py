"""Any value an audit holds -> what JSON can hold."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any


def plain(value: Any) -> Any:
    """Return ``value`` in dicts, lists, strings, numbers, booleans and ``None``.

    NaN and the infinities become the strings ``"nan"``, ``"inf"`` and ``"-inf"``; numpy scalars and arrays become
    numbers and lists; what has no JSON form becomes its ``str``.
    """
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, Collection):
        return [plain(item) for item in value]
    return str(value)


def dump(document: Any) -> str:
    """Return ``document`` as indented JSON of ASCII characters only, ending in a newline."""
    return json.dumps(plain(document), indent=2, allow_nan=False) + "\n"
