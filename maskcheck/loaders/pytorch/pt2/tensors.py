"""Weights and constants of an archive, read byte by byte into tensors; nothing is unpickled."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from maskcheck.loaders.pytorch.pt2.archive import Archive
from maskcheck.loaders.pytorch.pt2.refusal import Damaged, Refused, inside, shortened
from maskcheck.loaders.pytorch.pt2.schema import DTYPES, payloads

_ENTRY = re.compile(r"(weight|tensor)_\d{1,9}")
_STRIDED = 7
_MOST_AXES = 64


def tensors(archive: Archive, config: str) -> dict[str, Any]:
    """The tensors that the table in the entry ``config`` lists. Those that shared memory share it again.

    Raises:
        Refused: one is for the unpickler.
        Damaged: one does not fit into its bytes.
    """
    with inside(config):
        listed = payloads(archive.read_json(config))["config"]
    folder = config.rpartition("/")[0]
    storages: dict[str, Any] = {}
    found: dict[str, Any] = {}
    for name, entry in listed.items():
        with inside(config, name):
            found[name] = _tensor(archive, folder, entry, storages)
    return found


def _tensor(archive: Archive, folder: str, entry: Mapping[str, Any], storages: dict[str, Any]) -> Any:
    from torch import nn

    meta = _meta(entry)
    path = f"{folder}/{entry['path_name']}"
    if path not in storages:
        storages[path] = _storage(archive, path)
    tensor = _view(storages[path], meta)
    return nn.Parameter(tensor, requires_grad=meta["requires_grad"]) if entry["is_param"] else tensor


def _meta(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    """What is known of a tensor, where it is one of plain bytes."""
    path, meta = entry["path_name"], entry["tensor_meta"]
    if entry["use_pickle"]:
        raise Refused("it is read by the unpickler")
    if not _ENTRY.fullmatch(path) or meta is None:
        raise Refused(f"{shortened(path)} is no tensor")
    if meta["layout"] != _STRIDED:
        raise Refused("its layout is not plain")
    return meta


def _storage(archive: Archive, path: str) -> Any:
    """The bytes of an entry in memory of torch's own."""
    import torch

    room = torch.empty(archive.size(path), dtype=torch.uint8)
    archive.fill(path, memoryview(room.numpy()))
    return room.untyped_storage()


def _view(storage: Any, meta: Mapping[str, Any]) -> Any:
    import torch

    dtype = getattr(torch, DTYPES[meta["dtype"]])
    sizes, strides, (offset,) = (_numbers(meta[key]) for key in ("sizes", "strides", "storage_offset"))
    _check_fits(sizes, strides, offset, storage.nbytes() // dtype.itemsize)
    tensor = torch.empty(0, dtype=dtype).set_(storage, offset, sizes, strides)
    kind = meta["device"]["type"]
    return tensor if kind == "cpu" else tensor.to(torch.device(kind, meta["device"].get("index")))


def _numbers(sizes: Any) -> list[int]:
    listed = sizes if isinstance(sizes, list) else [sizes]
    if not all(size.get("as_int", -1) >= 0 for size in listed) or len(listed) > _MOST_AXES:
        raise Damaged("its sizes are no plain numbers")
    return [size["as_int"] for size in listed]


def _check_fits(sizes: list[int], strides: list[int], offset: int, room: int) -> None:
    if len(sizes) != len(strides):
        raise Damaged("it has not as many strides as sizes")
    last = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True))
    if math.prod(sizes) and last >= room:
        raise Damaged(f"its sizes {sizes} reach behind its bytes")
