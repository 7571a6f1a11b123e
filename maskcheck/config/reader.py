"""TOML -> configuration."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskcheck.acceptance import Ignore
from maskcheck.config.model import Config, ModelTable
from maskcheck.config.schema import IGNORE, OPTIONS, TABLES, THRESHOLDS, TOP, text
from maskcheck.contract_file.schema import checked
from maskcheck.core.errors import UsageError

_FLAGS = {"input": "input_flags"}
"""Keys whose flag goes by another name."""
_PATHS = ("contract", "inputs")


def read(path: str | Path) -> Config:
    """Read a configuration: a pyproject.toml's ``[tool.maskcheck]``, or the whole of any other TOML file.

    Raises:
        UsageError: the file cannot be read, is no TOML, names an unknown key or holds a wrong value. The message names
            the file and the key, the hint the nearest right one.
    """
    path = Path(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"Reading {path}: {error.strerror}.", hint="Check the path given with --config.") from error
    except ValueError as error:
        raise UsageError(f"Reading {path}: {error}.", hint="A configuration is a TOML file.") from error
    if path.name == "pyproject.toml":
        document = document.get("tool", {}).get("maskcheck", {})
    return parse(document, str(path), path.absolute().parent)


def parse(document: Any, source: str, folder: Path) -> Config:
    """Check a configuration that was read already; its paths are relative to ``folder``.

    Raises:
        UsageError: a key is unknown or a value wrong.
    """
    document = _table(document, source, "tool.maskcheck")
    tables = document.get("models", [])
    if not isinstance(tables, list):
        raise UsageError(
            f"Reading {source}: models must be an array of tables.", hint="Write [[tool.maskcheck.models]]"
        )
    models = tuple(_model(table, source, folder, f"models #{i}") for i, table in enumerate(tables, start=1))
    own = {key: value for key, value in document.items() if key != "models"}
    everywhere, rest = _common(own, source, folder, "", extra=TOP)
    if "fail_on" in rest:
        everywhere = ModelTable(
            "**", {**everywhere.options, "fail_on": rest["fail_on"]}, everywhere.ignores, everywhere.thresholds
        )
    baseline = str(folder / rest["baseline"]) if "baseline" in rest else None
    return Config(source, folder, everywhere, models, baseline)


def _model(table: Any, source: str, folder: Path, where: str) -> ModelTable:
    table = _table(table, source, where)
    if "path" not in table:
        raise UsageError(f"Reading {source}: {where} lacks path.", hint='Write path = "exports/*.onnx", say.')
    common, rest = _common(table, source, folder, where, extra={"path": text})
    if Path(rest["path"]).is_absolute():
        raise UsageError(
            f"Reading {source}: {where}.path must be relative, not {rest['path']!r}.",
            hint="Paths are relative to the folder of the file they are in.",
        )
    return ModelTable(rest["path"], common.options, common.ignores, common.thresholds)


def _common(
    table: Mapping[str, Any], source: str, folder: Path, where: str, extra: Mapping[str, Any]
) -> tuple[ModelTable, dict[str, Any]]:
    """Read the keys that any table may hold; return them, and the checked values of the ``extra`` ones."""
    schema = {**OPTIONS, **THRESHOLDS, **extra}
    names = TABLES if not where else ("ignore",)
    found = checked(schema, {k: v for k, v in table.items() if k not in names}, source, where, extra=names)
    options = {_FLAGS.get(key, key): found[key] for key in OPTIONS if key in found}
    for key in _PATHS:
        if key in options:
            options[key] = str(folder / options[key])
    if "explain" in options:
        options["no_explain"] = not options.pop("explain")
    thresholds = {key: found[key] for key in THRESHOLDS if key in found}
    ignores = _ignores(table.get("ignore", []), source, f"{where}.ignore".lstrip("."))
    return ModelTable("**", options, ignores, thresholds), {key: found[key] for key in extra if key in found}


def _ignores(entries: Any, source: str, where: str) -> tuple[Ignore, ...]:
    if not isinstance(entries, list):
        raise UsageError(
            f"Reading {source}: {where} must be a list of tables.",
            hint='Write ignore = [{ rule = "MC603", reason = "why this is fine" }].',
        )
    return tuple(_ignore(entry, source, f"{where} #{i}") for i, entry in enumerate(entries, start=1))


def _ignore(entry: Any, source: str, where: str) -> Ignore:
    found = checked(IGNORE, _table(entry, source, where), source, where)
    for key in ("rule", "reason"):
        if key not in found:
            raise UsageError(
                f"Reading {source}: {where} lacks {key}.",
                hint="What is ignored needs its rule, and a reason to be read.",
            )
    return Ignore(**found)


def _table(value: Any, source: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(
            f"Reading {source}: {where} must be a table, not {value!r}.", hint="See docs/configuration.md."
        )
    return value
