"""Where an ONNX model's weights lie on disk, and reading them there.

An initialiser is held in the model file itself or names another file. Names are checked before any runtime sees them:
a location that is absolute, climbs out of the model's directory, or is missing is a ``LoadError``. Symbolic links (the
Hugging Face cache is made of them) are resolved, because a runtime that is given a model as bytes refuses them.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from maskcheck.core.errors import LoadError
from maskcheck.loaders.onnx.wire import THIS_FILE

if TYPE_CHECKING:
    import onnx

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class WeightFiles:
    """The files that hold weights. ``real`` maps each location as the model spells it to the file, links resolved.

    ``folder`` is a directory above all of them, and ``relative`` their paths below it.
    """

    folder: Path
    real: dict[str, Path]
    relative: dict[str, str]

    @property
    def size_bytes(self) -> int:
        """Size of all files, the model file included."""
        return sum(p.stat().st_size for p in set(self.real.values()))


def resolve(path: Path, model: onnx.ModelProto) -> WeightFiles:
    """Find every file that ``model`` (read from ``path``) takes weights from. Raises ``LoadError``."""
    real = {THIS_FILE: path.resolve()}
    for tensor in external_tensors(model):
        location = entry(tensor, "location") or ""
        if location not in real:
            real[location] = _check_location(path, location, tensor.name)
        _check_range(path, tensor, real[location])
    try:
        folder = Path(os.path.commonpath([p.parent for p in real.values()]))
    except ValueError as error:
        raise LoadError(f"{path}: model and weights lie on different drives.", hint="Put them side by side.") from error
    return WeightFiles(folder, real, {key: p.relative_to(folder).as_posix() for key, p in real.items()})


def relocate(model: onnx.ModelProto, files: WeightFiles) -> None:
    """Rewrite the locations in ``model`` so that they hold relative to ``files.folder``."""
    for tensor in external_tensors(model):
        for item in tensor.external_data:
            if item.key == "location":
                item.value = files.relative[item.value]


def external_tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor of the model whose data lies outside the message, those in subgraphs included."""
    yield from _external(model.graph)
    for function in model.functions:
        yield from _external_in_nodes(function.node)


def entry(tensor: onnx.TensorProto, key: str) -> str | None:
    return next((e.value for e in tensor.external_data if e.key == key), None)


def size_of(tensor: onnx.TensorProto) -> int:
    """How many elements a tensor has."""
    return int(np.prod(tensor.dims, dtype=np.int64))


def _external(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from (t for t in graph.initializer if t.data_location == 1)
    for sparse in graph.sparse_initializer:
        yield from (t for t in (sparse.values, sparse.indices) if t.data_location == 1)
    yield from _external_in_nodes(graph.node)


def _external_in_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.TensorProto]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t") and attribute.t.data_location == 1:
                yield attribute.t
            yield from (t for t in attribute.tensors if t.data_location == 1)
            for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                yield from _external(graph)


def _check_location(path: Path, location: str, tensor: str) -> Path:
    spellings = (PurePosixPath(location), PureWindowsPath(location))
    outside = any(s.is_absolute() or s.drive or ".." in s.parts for s in spellings)
    if outside or not location or "\0" in location:
        raise LoadError(
            f"{path}: the weight {tensor!r} is said to lie at {location!r}, outside the model's directory.",
            hint="Refused as unsafe: external data must lie beside the model; save it again from a source you trust.",
        )
    target = path.parent / location
    if not target.is_file():
        raise LoadError(
            f"{path}: the weight {tensor!r} is said to lie in {location!r}, which is not in {path.parent}.",
            hint=f"Put {location!r} beside the model: both files are needed.",
        )
    return target.resolve()


def _check_range(path: Path, tensor: onnx.TensorProto, target: Path) -> None:
    offset, length = _number(path, tensor, "offset"), _number(path, tensor, "length")
    size = target.stat().st_size
    if offset + length > size:
        raise LoadError(
            f"{path}: the weight {tensor.name!r} needs bytes {offset} to {offset + length} of {target.name}, "
            f"which has {size}.",
            hint="The file of weights is incomplete or of another version: fetch it again.",
        )


def _number(path: Path, tensor: onnx.TensorProto, key: str) -> int:
    text = entry(tensor, key) or "0"
    if not text.isascii() or not text.isdigit():
        raise LoadError(f"{path}: the weight {tensor.name!r} has the {key} {text!r}, which is not a number.")
    return int(text)


@dataclass(slots=True)
class WeightReader:
    """Reads initialisers where they lie. Arrays of external data are read-only views of the mapped file."""

    files: WeightFiles
    _maps: dict[Path, mmap.mmap] = field(default_factory=dict)

    def read(self, tensor: onnx.TensorProto) -> Array | None:
        """Return the tensor's values, or ``None`` for types that numpy cannot hold (4 bits, strings)."""
        from onnx import TensorProto, helper, numpy_helper

        if tensor.data_type in (TensorProto.STRING, TensorProto.UNDEFINED):
            return None
        if tensor.data_location != TensorProto.EXTERNAL:
            return np.asarray(numpy_helper.to_array(tensor))
        return self._view(tensor, np.dtype(helper.tensor_dtype_to_np_dtype(tensor.data_type)))

    def _view(self, tensor: onnx.TensorProto, dtype: np.dtype[Any]) -> Array | None:
        """A tensor in the file that it names; ``None`` where the file holds another number of bytes for it."""
        count = size_of(tensor)
        offset, length = (int(entry(tensor, key) or 0) for key in ("offset", "length"))
        if count == 0:
            return np.empty(tuple(tensor.dims), dtype)
        buffer = self._map(self._path(tensor))
        if length not in (0, count * dtype.itemsize) or offset + count * dtype.itemsize > len(buffer):
            return None
        return np.frombuffer(buffer, dtype, count, offset).reshape(tuple(tensor.dims))

    def close(self) -> None:
        """Forget the mapped files; arrays handed out keep theirs alive."""
        self._maps.clear()

    def _path(self, tensor: onnx.TensorProto) -> Path:
        location = entry(tensor, "location") or ""
        return self.files.folder / location

    def _map(self, path: Path) -> mmap.mmap:
        if path not in self._maps:
            with path.open("rb") as file:
                self._maps[path] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self._maps[path]
