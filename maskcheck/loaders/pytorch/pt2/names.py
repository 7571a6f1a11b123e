"""Names of an exported program. Torch writes many of them into Python code that it then runs, quoted or not."""

from __future__ import annotations

import keyword
import re
from functools import cache
from typing import Any

from maskcheck.loaders.pytorch.pt2.refusal import Damaged, Refused, shortened

_SYMBOL = re.compile(r"[a-z]{1,4}[0-9]{1,6}")
_LONGEST = 1000


def text(value: Any) -> str:
    """Any text. Raises ``Damaged``."""
    if not isinstance(value, str):
        raise Damaged(f"{shortened(value)} is no text")
    return value


def identifier(value: Any) -> str:
    """The name of a value of the graph: a variable of the code that torch makes. Raises ``Refused``."""
    name = text(value)
    if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__") or len(name) > _LONGEST:
        raise Refused(f"{shortened(name)} is no name of a variable")
    return name


def identifier_or_nothing(value: Any) -> str:
    """Like ``identifier``; the empty text stands for no name. Raises ``Refused``."""
    return "" if value == "" else identifier(value)


def path_of_tensor(value: Any) -> str:
    """The dotted path of a weight: attributes of modules, which must not be those that every module has.

    Raises:
        Refused: a step could leave the quotes that torch puts it in, or replaces a part of the module.
    """
    path = text(value)
    if len(path) > _LONGEST or not all(_is_step(step) for step in path.split(".")):
        raise Refused(f"{shortened(path)} is no name of a weight")
    return path


def symbol(value: Any) -> str:
    """The name of a size, such as ``s43``. Raises ``Refused``."""
    name = text(value)
    if not _SYMBOL.fullmatch(name):
        raise Refused(f"{shortened(name)} is no name of a size")
    return name


def _is_step(step: str) -> bool:
    plain = step.isprintable() and not set(step) & set("\"'\\`{}")
    return bool(step) and plain and not step.startswith("__") and step not in _attributes()


@cache
def _attributes() -> frozenset[str]:
    from torch.nn import Module

    return frozenset(dir(Module()))
