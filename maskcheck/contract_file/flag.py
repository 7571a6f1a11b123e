"""One ``--input`` flag -> the settings of one input."""

from __future__ import annotations

from typing import Any

from maskcheck.contract_file.schema import TABLES, checked
from maskcheck.core.errors import UsageError


def parse_flag(text: str) -> tuple[str, dict[str, Any]]:
    """Read ``NAME=ROLE[,key=value...]``, the role optional, and return the input's name and its settings.

    Axes and sizes are separated by colons: ``feats=features,dims=batch:time:-,shape=0:0:80,pad_value=0``.

    Raises:
        UsageError: the flag has no name, an unknown key or a wrong value.
    """
    name, _, rest = (part.strip() for part in text.partition("="))
    if not name or not rest:
        raise UsageError(
            f"Reading --input {text!r}: expected NAME=ROLE[,key=value...].",
            hint="For example: --input feats=features,dims=batch:time:-,pad_value=0",
        )
    settings: dict[str, Any] = {}
    for position, item in enumerate(rest.split(",")):
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals and position == 0:
            key, value = "role", key
        settings[key] = _parse_value(key, value)
    return name, checked(TABLES["inputs"], settings, f"--input {text!r}")


def _parse_value(key: str, text: str) -> Any:
    """Turn the text of a flag into what the same setting would be in TOML; the check of the key then judges it."""
    if key == "dims":
        return text.split(":")
    if key == "shape":
        return [_parse_scalar(part) for part in text.split(":")]
    return text if key in ("role", "domain") else _parse_scalar(text)


def _parse_scalar(text: str) -> Any:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            continue
    return text
