"""TOML -> overrides."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskcheck.contract_file.schema import TABLES, TOP, checked
from maskcheck.core.errors import UsageError
from maskcheck.core.settings import Overrides


def read(path: str | Path) -> Overrides:
    """Read a contract file.

    Raises:
        UsageError: the file cannot be read, is no TOML, names an unknown key or holds a wrong value. The message names
            the file and the key, the hint the nearest right one.
    """
    try:
        document = tomllib.loads(_read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(
            f"Reading the contract {path}: {error}.",
            hint="A contract is a TOML file; maskcheck inspect MODEL --write FILE makes one.",
        ) from error
    return parse(document, f"the contract {path}")


def parse(document: Mapping[str, Any], source: str) -> Overrides:
    """Check a contract that was read already; ``source`` says in errors where it came from.

    Raises:
        UsageError: a key is unknown or a value wrong.
    """
    fields: dict[str, Any] = {key: _read_table(key, value, source) for key, value in document.items() if key in TABLES}
    rest = {key: value for key, value in document.items() if key not in TABLES}
    fields.update(checked(TOP, rest, source, extra=TABLES))
    return Overrides(**fields)


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(
            f"Reading the contract {path}: {error.strerror}.", hint="Check the path given with --contract."
        ) from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"Reading the contract {path}: it is not UTF-8 text.", hint="Check the path given with --contract."
        ) from error


def _read_table(table: str, value: Any, source: str) -> dict[str, dict[str, Any]]:
    if not isinstance(value, Mapping) or not all(isinstance(entry, Mapping) for entry in value.values()):
        raise UsageError(
            f"Reading {source}: {table} must hold tables.", hint=f"Write [{table}.NAME] and its keys below it."
        )
    return {name: checked(TABLES[table], entry, source, f"{table}.{name}") for name, entry in value.items()}
