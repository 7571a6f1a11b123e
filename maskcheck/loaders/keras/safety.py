"""What a model file would run besides Keras's own code, read from its configuration before anything is loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from maskcheck.core.errors import LoadError

_EMBEDDED = frozenset({"Lambda", "TFSMLayer", "__lambda__", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
"""Classes whose configuration is code, or names a file of code."""

_OWN = ("keras", "builtins", "keras_hub", "keras_nlp")


def foreign_objects(config: Any, known: Collection[str] = ()) -> list[str]:
    """Names of everything in the tree that brings its own code, each once; ``known`` custom objects are left out."""
    return list(dict.fromkeys(_walk(config, frozenset(known))))


def _walk(node: Any, known: frozenset[str]) -> Iterator[str]:
    if isinstance(node, list):
        for item in node:
            yield from _walk(item, known)
    if not isinstance(node, dict):
        return
    if isinstance(node.get("class_name"), str):
        yield from _judge(node, known)
    for value in node.values():
        yield from _walk(value, known)


def _judge(node: dict[str, Any], known: frozenset[str]) -> Iterator[str]:
    name, module, config = node["class_name"], node.get("module"), node.get("config")
    if name in _EMBEDDED:
        title = config.get("name") if isinstance(config, dict) else None
        yield f"{name} {title!r}" if title else name
    elif name == "function" and isinstance(config, str):
        if config not in known and (module or "").split(".")[0] not in ("keras", "keras_hub", "keras_nlp"):
            yield f"function {config!r}"
    elif isinstance(module, str) and module.split(".")[0] not in _OWN and name not in known:
        yield f"{module}.{name}"
    elif module is None and _is_registered(node) and name not in known:
        yield str(node["registered_name"])


def _is_registered(node: dict[str, Any]) -> bool:
    """Custom classes are saved under a registered name, with their package before a ``>``."""
    registered = node.get("registered_name")
    return isinstance(registered, str) and ">" in registered and not registered.startswith(("keras", "Keras"))


def refuse(path: Path, foreign: list[str], *, code: bool) -> LoadError:
    """The error for a file that would run code nobody vouched for."""
    listed = ", ".join(foreign[:6]) + (f" and {len(foreign) - 6} more" if len(foreign) > 6 else "")
    hint = (
        "If you trust where it comes from, add --trust."
        if code
        else "Say where they are defined, with --custom-objects package.module or path/to/file.py; or add --trust."
    )
    return LoadError(f"{path}: this model brings code of its own: {listed}.", hint=hint)
