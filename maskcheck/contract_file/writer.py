"""A contract -> commented TOML that reads back as the overrides which reproduce it."""

from __future__ import annotations

import json
import math
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from maskcheck.core.contract import Contract, Dimension, InputContract, OutputContract
from maskcheck.core.errors import UsageError

HEADER = """\
# What each input and output of the model means to maskcheck, and why it thinks so.
# Correct what is wrong, delete what should be inferred again, and run: maskcheck audit MODEL --contract FILE
# dims labels each axis: "batch", the name of a dimension that padding lengthens, or "-" for one it leaves alone."""


def write(contract: Contract, path: str | Path) -> None:
    """Write ``to_toml(contract)`` to ``path``.

    Raises:
        UsageError: the file cannot be written.
    """
    try:
        Path(path).write_text(to_toml(contract), encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"Writing the contract {path}: {error.strerror}.", hint="Give --write a path in a folder that exists."
        ) from error


def to_toml(contract: Contract) -> str:
    """Return the contract as TOML. Reasons of inference, choices and conflicts become comments."""
    blocks = [HEADER, *_remarks(contract)]
    if contract.fixed_batch is not None:
        blocks.append(_table(None, [("fixed_batch", contract.fixed_batch)]))
    blocks += [_table(("domains", d.name), [("side", d.side)]) for d in contract.domains]
    blocks += [_dimension(dimension) for dimension in contract.dimensions.values()]
    blocks += [_input(spec) for spec in contract.inputs]
    blocks += [_output(spec) for spec in contract.outputs]
    return "\n\n".join(blocks) + "\n"


def _remarks(contract: Contract) -> Iterator[str]:
    lines = [_comment(f"Chosen, not known: {choice}") for choice in contract.choices]
    lines += [_comment(f"The model contradicts a name: {conflict.message}") for conflict in contract.conflicts]
    if lines:
        yield "\n".join(lines)


def _dimension(dimension: Dimension) -> str:
    entries = (("fixed", dimension.fixed), ("minimum", dimension.minimum), ("maximum", dimension.maximum))
    return _table(("dimensions", dimension.name), entries)


def _input(spec: InputContract) -> str:
    remark = spec.inferred_from
    if spec.ids_carry_mask:
        remark += "; the model reads the padding off these values"
    entries = (
        ("role", spec.role),
        ("domain", spec.domain),
        ("dims", _labels(spec.dims)),
        ("shape", spec.shape if any(spec.shape) else None),
        ("pad_value", spec.pad_value),
        ("valid_when", spec.valid_when),
        ("vocabulary", spec.vocabulary),
        ("fill", spec.fill),
    )
    return _table(("inputs", spec.name), entries, remark)


def _output(spec: OutputContract) -> str:
    return _table(("outputs", spec.name), (("kind", spec.kind), ("dims", _labels(spec.dims))), spec.inferred_from)


def _labels(dims: Iterable[str | None]) -> list[str]:
    return ["-" if label is None else label for label in dims]


def _table(name: tuple[str, str] | None, entries: Iterable[tuple[str, Any]], remark: str = "") -> str:
    """Return one TOML table; entries whose value is ``None`` are left out."""
    lines = [f"[{name[0]}.{_key(name[1])}]"] if name else []
    lines += [_comment(remark)] if remark else []
    lines += [f"{key} = {_value(value)}" for key, value in entries if value is not None]
    return "\n".join(lines)


def _comment(text: str) -> str:
    return "# " + " ".join("".join(" " if unicodedata.category(c)[0] == "C" else c for c in text).split())


def _key(name: str) -> str:
    bare = name.isascii() and name.replace("_", "").replace("-", "").isalnum()
    return name if bare else _string(name)


def _string(text: str) -> str:
    # TOML's basic strings are JSON's, except that DEL must be escaped too and surrogates cannot be written at all.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f").encode("utf-8", "replace").decode()


def _value(value: Any) -> str:
    if hasattr(value, "item"):  # a numpy scalar
        value = value.item()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(str(value))
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, int):
        return str(value)
    return repr(float(value)) if math.isfinite(value) else str(float(value))
