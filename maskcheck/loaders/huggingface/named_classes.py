"""Classes that the configurations in a sentence-transformers folder name, and which the package imports and calls.

A pipeline lists its modules, a module may list further ones, and some name a function or a tokenizer besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from maskcheck.core.errors import LoadError
from maskcheck.loaders.huggingface.folder import read_json

OLDEST = (6, 2)
"""The first version that takes no class but its own modules and torch's from a folder nobody vouched for."""

_OWN = re.compile(r"sentence_transformers(\.\w+)*\.[A-Z]\w*")
_ACTIVATION = re.compile(r"torch\.nn\.(modules\.\w+\.)?[A-Z]\w*")
_SINGLE = {"tokenizer_class": _OWN, "activation_function": _ACTIVATION, "activation_fn": _ACTIVATION}
"""Fields of a configuration that hold a class where their text has a dot in it."""


def check_version(version: str) -> None:
    """Raise ``LoadError`` for a sentence-transformers that would import what a folder names."""
    found = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if found < OLDEST:
        wanted = ".".join(str(part) for part in OLDEST)
        raise LoadError(
            f"sentence-transformers {version} imports and calls whatever class a directory names.",
            hint=f'Upgrade it: pip install "sentence-transformers>={wanted}"',
        )


def check_folder(folder: Path) -> None:
    """Look through every configuration in the folder, those of modules in modules included.

    Raises:
        LoadError: one names a class that is no part of sentence-transformers, or a place outside the folder.
    """
    listed = read_json(folder / "modules.json")
    if not isinstance(listed, list) or not listed:
        raise _refused(folder, "modules.json lists no modules")
    for file in sorted(folder.rglob("*")):
        if _is_configuration(file):
            _check_file(folder, file)


def _is_configuration(file: Path) -> bool:
    """Some disks take ``CONFIG.json`` for ``config.json``."""
    name = file.name.lower()
    return (name == "modules.json" or name.endswith("config.json")) and file.is_file()


def _check_file(folder: Path, file: Path) -> None:
    content = read_json(file)
    name = file.relative_to(folder).as_posix()
    for entry in content if isinstance(content, list) else [content]:
        for place in _places(entry):
            if _leaves(place):
                raise _refused(folder, f"{name} names the place {place!r}")
        for kind, allowed in _named(entry, modules=file.name.lower() == "modules.json"):
            if not (isinstance(kind, str) and allowed.fullmatch(kind)):
                raise _refused(folder, f"{name} names {kind!r}, which is no part of sentence-transformers")


def _named(entry: Any, *, modules: bool) -> Iterator[tuple[Any, re.Pattern[str]]]:
    """What an entry would have imported, and what may be imported there."""
    if not isinstance(entry, dict):
        return
    if modules:
        yield entry.get("type"), _OWN
    if isinstance(entry.get("types"), dict):  # a router: its modules by their folders
        yield from ((kind, _OWN) for kind in entry["types"].values())
    for field, allowed in _SINGLE.items():
        if "." in str(entry.get(field, "")):
            yield entry[field], allowed


def _places(entry: Any) -> Iterator[str]:
    """The folders of further modules."""
    if isinstance(entry, dict):
        yield str(entry.get("path", ""))
        yield from (str(name) for name in _table(entry.get("types")))


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _leaves(place: str) -> bool:
    path = PurePosixPath(place.replace("\\", "/"))
    return path.is_absolute() or ".." in path.parts or ":" in place


def _refused(folder: Path, what: str) -> LoadError:
    return LoadError(f"{folder}: refused: {what}.", hint="Nothing but sentence-transformers' own modules is imported.")
