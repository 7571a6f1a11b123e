"""Read the protobuf wire format of an ONNX file without touching its weights.

``skeleton`` yields a small, valid ``ModelProto`` in which every large tensor is declared as external data that lies in
the same file, at the offset where its bytes already are. The runtime can then map the original file; no weight is ever
copied. Only the few messages that may hold a tensor are walked, everything else is passed on byte by byte.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

THIS_FILE = "<this file>"
"""Location given to tensors that lie in the walked file itself."""

SMALLEST = 1024
"""Tensors below this many bytes stay where they are: shape inference wants to read small constants."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5

# Field numbers of onnx.proto3; these never change between versions.
_MODEL_IR_VERSION, _MODEL_GRAPH, _MODEL_OPSET = 1, 7, 8
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_OUTPUT, _NODE_OP_TYPE, _NODE_ATTRIBUTE = 2, 4, 5
_ATTRIBUTE_TENSOR, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 5, 6, 11
_TENSOR_DATA_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW, _TENSOR_DOUBLES = 2, 4, 8, 9, 10
_TENSOR_EXTERNAL, _TENSOR_LOCATION = 13, 14
_FLOAT, _DOUBLE = 1, 11


class WireError(ValueError):
    """The bytes are not a well-formed protobuf message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a message: its bytes lie at ``start:end``, its payload at ``data:end``."""

    number: int
    wire: int
    start: int
    data: int
    end: int
    value: int = 0  # of a varint


def map_file(path: Path) -> memoryview:
    """Map a file that is not empty. It is unmapped with the last view of it, never while an error still shows one."""
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def fields(view: memoryview, start: int, end: int) -> Iterator[Field]:
    """Yield the fields of the message at ``start:end``. Raises ``WireError`` on the first malformed one."""
    at = start
    while at < end:
        tag, data = _varint(view, at, end)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise WireError(f"field number 0 at byte {at}")
        value = 0
        if wire == _VARINT:
            value, stop = _varint(view, data, end)
        elif wire == _BYTES:
            length, data = _varint(view, data, end)
            stop = data + length
        elif wire in (_FIXED64, _FIXED32):
            stop = data + (8 if wire == _FIXED64 else 4)
        else:
            raise WireError(f"wire type {wire} at byte {at}")
        if stop > end:
            raise WireError(f"a field at byte {at} needs {stop - end} more bytes than there are")
        yield Field(number=number, wire=wire, start=at, data=data, end=stop, value=value)
        at = stop


def looks_like_model(view: memoryview) -> bool:
    """Tell whether the message has the fields every ``ModelProto`` has. Raises ``WireError`` where it is malformed."""
    numbers = {(f.number, f.wire) for f in fields(view, 0, len(view))}
    marks = {(_MODEL_IR_VERSION, _VARINT), (_MODEL_OPSET, _BYTES)}
    return (_MODEL_GRAPH, _BYTES) in numbers and bool(marks & numbers)


def skeleton(view: memoryview) -> bytes:
    """Return the model's bytes with every large tensor replaced by a reference into ``THIS_FILE``.

    Large ``Constant`` nodes become initialisers, so that they can be referred to as well. Raises ``WireError``.
    """
    parts: list[bytes | memoryview] = []
    for field in fields(view, 0, len(view)):
        if field.number == _MODEL_GRAPH and field.wire == _BYTES:
            parts.append(_message(_MODEL_GRAPH, _graph(view, field.data, field.end)))
        else:
            parts.append(view[field.start : field.end])
    return b"".join(parts)


def _graph(view: memoryview, start: int, end: int) -> bytes:
    parts: list[bytes | memoryview] = []
    for field in fields(view, start, end):
        changed = None
        if field.wire == _BYTES and field.number == _GRAPH_INITIALIZER:
            changed = _tensor(view, field.data, field.end)
            tag = _GRAPH_INITIALIZER
        elif field.wire == _BYTES and field.number == _GRAPH_NODE:
            tag, changed = _node(view, field.data, field.end)
        parts.append(view[field.start : field.end] if changed is None else _message(tag, changed))
    return b"".join(parts)


def _node(view: memoryview, start: int, end: int) -> tuple[int, bytes | None]:
    """Return the node's replacement, ``None`` to keep it, and the graph field it belongs to."""
    inside = list(fields(view, start, end))
    kind = next((bytes(view[f.data : f.end]) for f in inside if f.number == _NODE_OP_TYPE), b"")
    attributes = [f for f in inside if f.number == _NODE_ATTRIBUTE and f.wire == _BYTES]
    if kind == b"Constant":
        moved = _large_constant(view, inside, attributes)
        return (_GRAPH_INITIALIZER, moved) if moved is not None else (_GRAPH_NODE, None)
    replaced = {f.start: new for f in attributes if (new := _attribute(view, f.data, f.end)) is not None}
    if not replaced:
        return _GRAPH_NODE, None
    return _GRAPH_NODE, b"".join(
        _message(_NODE_ATTRIBUTE, replaced[f.start]) if f.start in replaced else view[f.start : f.end] for f in inside
    )


def _large_constant(view: memoryview, inside: list[Field], attributes: list[Field]) -> bytes | None:
    output = next((bytes(view[f.data : f.end]) for f in inside if f.number == _NODE_OUTPUT), b"")
    for attribute in attributes:
        for field in fields(view, attribute.data, attribute.end):
            if field.number == _ATTRIBUTE_TENSOR and field.wire == _BYTES:
                return _tensor(view, field.data, field.end, rename=output)
    return None


def _attribute(view: memoryview, start: int, end: int) -> bytes | None:
    """Return the attribute with its subgraphs replaced, or ``None`` where it holds none."""
    inside = list(fields(view, start, end))
    graphs = (_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS)
    if not any(f.number in graphs and f.wire == _BYTES for f in inside):
        return None
    return b"".join(
        _message(f.number, _graph(view, f.data, f.end)) if f.number in graphs else view[f.start : f.end] for f in inside
    )


def _tensor(view: memoryview, start: int, end: int, rename: bytes | None = None) -> bytes | None:
    """Return the tensor as a reference into this file, or ``None`` where it is small or not one run of plain bytes."""
    inside = list(fields(view, start, end))
    held = [f for f in inside if f.number in (_TENSOR_RAW, _TENSOR_FLOATS, _TENSOR_DOUBLES)]
    if len(held) != 1 or held[0].wire != _BYTES or held[0].end - held[0].data < SMALLEST:
        return None
    data, kind = held[0], next((f.value for f in inside if f.number == _TENSOR_DATA_TYPE), 0)
    # Packed floats and doubles are stored exactly as raw data is; packed integers are not.
    if (data.number == _TENSOR_FLOATS and kind != _FLOAT) or (data.number == _TENSOR_DOUBLES and kind != _DOUBLE):
        return None
    if any(f.number == _TENSOR_LOCATION and f.value for f in inside):
        return None
    dropped = {data.number, _TENSOR_LOCATION, _TENSOR_EXTERNAL} | ({_TENSOR_NAME} if rename is not None else set())
    parts: list[bytes | memoryview] = [view[f.start : f.end] for f in inside if f.number not in dropped]
    if rename is not None:
        parts.append(_message(_TENSOR_NAME, rename))
    entries = (("location", THIS_FILE), ("offset", str(data.data)), ("length", str(data.end - data.data)))
    parts += [_message(_TENSOR_EXTERNAL, _message(1, k.encode()) + _message(2, v.encode())) for k, v in entries]
    parts.append(_encode(_TENSOR_LOCATION << 3 | _VARINT) + b"\x01")
    return b"".join(parts)


def _varint(view: memoryview, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end:
        byte = view[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise WireError(f"a number at byte {at} is longer than 64 bits")
    raise WireError("the message ends inside a number")


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _message(number: int, payload: bytes) -> bytes:
    return _encode(number << 3 | _BYTES) + _encode(len(payload)) + payload
