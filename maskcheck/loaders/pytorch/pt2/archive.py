"""The zip file around an exported program: its entries by name, each checked before a byte of it is unpacked."""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from maskcheck.loaders.pytorch.pt2.refusal import Damaged, Refused, inside, shortened

_ENCRYPTED, _PATCHED, _STRONG = 0x1, 0x20, 0x40
"""Bits of an entry's flags: its bytes are not simply its content."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_RATIO, _SMALL = 100, 2**20
"""An entry may unpack to so many times its packed size, and to ``_SMALL`` bytes whatever its packed size is."""
_JSON = 256 * 2**20
_CHUNK = 2**22


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """An open archive. Names are those below its one top folder, where it has one; none comes twice."""

    file: zipfile.ZipFile
    entries: Mapping[str, zipfile.ZipInfo]

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def size(self, name: str) -> int:
        """Bytes of an entry once unpacked. Raises ``Damaged`` where there is no such entry."""
        return self._entry(name).file_size

    def read(self, name: str, largest: int = _JSON) -> bytes:
        """The content of an entry.

        Raises:
            Damaged: there is no such entry, or it is cut short.
            Refused: it is larger than ``largest``.
        """
        if self.size(name) > largest:
            raise Refused(f"it is larger than {largest >> 20} MiB", name)
        with self.file.open(self._entry(name)) as source:
            return source.read()

    def read_json(self, name: str) -> Any:
        """An entry of JSON as plain values. Raises ``Damaged`` and ``Refused``."""
        try:
            return json.loads(self.read(name).decode("utf-8"))
        except RecursionError as error:
            raise Refused("it is nested too deeply", name) from error
        except ValueError as error:
            raise Damaged(f"it is no JSON ({error})", name) from error

    def fill(self, name: str, room: memoryview) -> None:
        """Unpack an entry into memory of its size. Raises ``Damaged``."""
        with self.file.open(self._entry(name)) as source:
            _copy(source, room, name)

    def _entry(self, name: str) -> zipfile.ZipInfo:
        if name not in self.entries:
            raise Damaged("the archive has no such entry", name)
        return self.entries[name]


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """The archive at ``path`` while it is open.

    Raises:
        Damaged: it is no archive, or damaged, then or later.
        Refused: two entries have one name, or the content of one cannot be known.
    """
    try:
        with zipfile.ZipFile(path) as file:
            yield Archive(file=file, entries=_checked(file))
    except (zipfile.BadZipFile, OSError, EOFError, zlib.error, NotImplementedError) as error:
        raise Damaged(f"the archive is damaged: {error}") from error


def known_only(archive: Archive, known: Callable[[str], bool], described: Callable[[str], str]) -> None:
    """Raise ``Refused`` for an entry that is not ``known``; ``described`` says what it is instead."""
    for name in archive.entries:
        if not known(name):
            raise Refused(described(name), shortened(name)[1:-1])


def _checked(file: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    infos = [info for info in file.infolist() if not info.is_dir()]
    root = _root([info.filename for info in infos])
    entries: dict[str, zipfile.ZipInfo] = {}
    folded: set[str] = set()
    for info in infos:
        name = info.filename.removeprefix(root)
        with inside(shortened(name)[1:-1]):
            _check(info)
            _check_unique(name, folded)
        folded.add(name.casefold())
        entries[name] = info
    return entries


def _root(names: list[str]) -> str:
    """The top folder with its slash, where all entries lie in one."""
    tops = {name.partition("/")[0] for name in names}
    return f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in names) else ""


def _check(info: zipfile.ZipInfo) -> None:
    if info.flag_bits & (_ENCRYPTED | _PATCHED | _STRONG):
        raise Refused("it is encrypted or a patch")
    if info.compress_type not in _METHODS:
        raise Refused("it is packed in a way that torch does not read")
    if info.file_size > max(_SMALL, _RATIO * info.compress_size):
        raise Refused(f"it would unpack to {info.file_size} bytes from {info.compress_size}")


def _check_unique(name: str, folded: Collection[str]) -> None:
    """Names that differ in the case of their letters only are one name to torch."""
    if name.casefold() in folded:
        raise Refused("its name comes twice, and readers differ in which of the two they take")


def _copy(source: IO[bytes], room: memoryview, name: str) -> None:
    done = 0
    while chunk := source.read(_CHUNK):
        room[done : done + len(chunk)] = chunk
        done += len(chunk)
    if done != len(room):
        raise Damaged("it is cut short", name)
