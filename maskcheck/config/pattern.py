"""Paths by pattern, as ``pathlib`` globs: ``*`` stays inside a folder, ``**`` crosses them."""

from __future__ import annotations

import re


def matches(path: str, pattern: str) -> bool:
    """Whether a relative path with forward slashes fits the whole pattern."""
    pattern = pattern.removeprefix("./")
    return re.fullmatch("".join(_piece(token) for token in re.findall(r"\*\*/|\*\*|.", pattern)), path) is not None


def _piece(token: str) -> str:
    return {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(token) or re.escape(token)
