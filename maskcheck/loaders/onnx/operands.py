"""What each fused attention operator reads, as queries, keys, values and what is added to the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.onnx.constants import Constants
from maskcheck.loaders.onnx.graph import OnnxNode


class NotCoveredError(Exception):
    """The operator is used in a way that is not worked out here."""


@dataclass(frozen=True, slots=True)
class Operands:
    """Heads first: ``query`` (B, N, T, H), ``key`` and ``value`` (B, N, S, H); ``bias`` joins the scaled scores."""

    query: Array
    key: Array
    value: Array
    bias: Array
    scale: float


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the operands of one node: traced tensors, patches in place of them, weights from the file."""

    node: OnnxNode
    tensors: Mapping[str, Array]
    patches: Mapping[str, Array]
    constants: Constants

    def get(self, position: int) -> Array | None:
        """The operand at ``position`` as floats (masks keep their type), ``None`` where it was left out."""
        name = self.node.input(position)
        if not name:
            return None
        value = self.patches.get(name, self.tensors.get(name))
        if value is None:
            value = self.constants.weight(name)
        if value is None:
            raise NotCoveredError(name)
        return value.astype(np.float32) if value.dtype == np.float16 else value

    def need(self, position: int) -> Array:
        value = self.get(position)
        if value is None:
            raise NotCoveredError(f"operand {position}")
        return value

    def refuse(self, *positions: int) -> None:
        """Give up where any of these operands is given and holds something."""
        for position in positions:
            value = self.get(position)
            if value is not None and value.size:
                raise NotCoveredError(f"operand {position}")

    def made(self, position: int) -> Array | None:
        """What the node itself returned as output ``position``."""
        name = self.node.outputs[position] if position < len(self.node.outputs) else ""
        value = self.tensors.get(name) if name else None
        return value.astype(np.float32) if value is not None and value.dtype == np.float16 else value


def _contrib_attention(read: Reader) -> Operands:
    """``com.microsoft.Attention``: projects its input itself."""
    read.refuse(4, 6)
    source, weights, bias = read.need(0), read.need(1).astype(np.float32), read.get(2)
    projected = source @ weights + (0.0 if bias is None else bias)
    return _projected(read, projected, mask=read.get(3), extra=read.get(5))


def _quantised_attention(read: Reader) -> Operands:
    """``com.microsoft.QAttention``: the same from integers and their scales."""
    read.refuse(8)
    source = _dequantised(read.need(0), read.need(3), read.get(6))
    weights = _dequantised(read.need(1), read.need(4), read.get(7))
    return _projected(read, source @ weights + read.need(2), mask=read.get(5), extra=None)


def _dequantised(values: Array, scale: Array, zero: Array | None) -> Array:
    shifted = values.astype(np.float32) - (0.0 if zero is None else zero.astype(np.float32))
    return np.asarray(shifted * scale, np.float32)


def _projected(read: Reader, projected: Array, mask: Array | None, extra: Array | None) -> Operands:
    attributes = read.node.attributes
    if attributes.get("do_rotary"):
        raise NotCoveredError("rotary embedding")
    heads = attributes["num_heads"]
    sizes = attributes.get("qkv_hidden_sizes") or [projected.shape[-1] // 3] * 3
    query, key, value = (
        _split_heads(part, heads) for part in np.split(projected, [sizes[0], sizes[0] + sizes[1]], axis=-1)
    )
    bias = _contrib_bias(read, query, key, mask, extra)
    return Operands(query, key, value, bias, _scale(read, query))


def _multi_head(read: Reader) -> Operands:
    """``com.microsoft.MultiHeadAttention`` over separate queries, keys and values."""
    read.refuse(6, 7, 8, 9)
    heads = read.node.attributes["num_heads"]
    query, key, value = read.need(0), read.need(1), read.need(2)
    if query.ndim != 3 or key.ndim not in (3, 4) or key.ndim != value.ndim:
        raise NotCoveredError("packed layout")
    bias = read.get(3)
    if bias is not None:
        width = query.shape[-1]
        query = query + bias[:width]
        if key.ndim == 3:
            key, value = key + bias[width : 2 * width], value + bias[2 * width :]
    query = _split_heads(query, heads)
    key, value = (part if part.ndim == 4 else _split_heads(part, heads) for part in (key, value))
    added = _contrib_bias(read, query, key, read.get(4), read.get(5))
    return Operands(query, key, value, added, _scale(read, query))


def _contrib_bias(read: Reader, query: Array, key: Array, mask: Array | None, extra: Array | None) -> Array:
    """What is added to the scores: the mask, an attention bias, and the future shut out."""
    batch, queries, keys = query.shape[0], query.shape[2], key.shape[2]
    weak = read.node.attributes.get("mask_filter_value", -10000.0)
    total = np.zeros((1, 1, queries, keys), np.float32)
    if mask is not None:
        total = total + np.where(_kept(mask, batch, keys), 0.0, np.float32(weak)).astype(np.float32)
    if read.node.attributes.get("unidirectional"):
        total = np.where(_past_only(queries, keys), total, np.finfo(np.float32).min)
    return total if extra is None else total + extra


def _kept(mask: Array, batch: int, keys: int) -> Array:
    """Which keys a mask lets through, as (B, 1, 1 or T, S); a vector holds ends, or ends and then starts."""
    if mask.ndim == 1 and mask.size in (batch, 2 * batch):
        ends, starts = mask[:batch, None], mask[batch:, None] if mask.size > batch else 0
        columns = np.arange(keys)
        return np.asarray(((columns < ends) & (columns >= starts))[:, None, None, :])
    if mask.ndim == 2:
        return np.asarray((mask > 0)[:, None, None, :])
    if mask.ndim == 3:
        return np.asarray((mask > 0)[:, None, :, :])
    raise NotCoveredError(f"mask of rank {mask.ndim}")


def _grouped_query(read: Reader) -> Operands:
    """``com.microsoft.GroupQueryAttention``: causal, every row as long as ``seqlens_k`` says."""
    attributes = read.node.attributes
    uncovered = ("softcap", "smooth_softmax", "qk_output", "k_quant_type", "v_quant_type", "sliding_window_cache")
    if any(attributes.get(name) not in (None, 0, 0.0, "", "NONE") for name in uncovered):
        raise NotCoveredError("softcap, quantised cache or the like")
    if attributes.get("local_window_size", -1) != -1 or attributes.get("causal", 1) != 1:
        raise NotCoveredError("window")
    read.refuse(11, 12, 13, 14, 15)
    heads, groups = attributes["num_heads"], attributes["kv_num_heads"]
    query, present_key, present_value = read.need(0), read.made(1), read.made(2)
    if not read.node.input(1) or query.ndim != 3 or present_key is None or present_value is None:
        raise NotCoveredError("packed layout")
    query = _split_heads(query, heads)
    lengths = read.need(5).reshape(-1).astype(np.int64) + 1
    starts = lengths - query.shape[2] if read.get(3) is not None and read.need(3).size else np.zeros_like(lengths)
    places = starts[:, None] + np.arange(query.shape[2])
    if attributes.get("do_rotary"):
        query = _rotated(read, query, places)
    key, value = (np.repeat(part, heads // groups, axis=1) for part in (present_key, present_value))
    columns = np.arange(key.shape[2])
    # Rows past a sequence's own end read what lies before that end.
    seen = (columns <= places[:, :, None]) & (columns < lengths[:, None, None])
    bias = np.where(seen[:, None], 0.0, -np.inf).astype(np.float32)
    extra = read.get(10)
    return Operands(query, key, value, bias if extra is None else bias + extra, _scale(read, query))


def _rotated(read: Reader, query: Array, places: Array) -> Array:
    """Rotate queries as the operator does; keys come out of it rotated already."""
    given = read.get(9)
    positions = places if given is None else given.astype(np.int64)
    half = read.need(7).shape[-1]
    cosine, sine = (read.need(p)[positions][:, None] for p in (7, 8))
    rest = query[..., 2 * half :]
    if read.node.attributes.get("rotary_interleaved"):
        first, second = query[..., 0 : 2 * half : 2], query[..., 1 : 2 * half : 2]
        turned = np.stack([first * cosine - second * sine, first * sine + second * cosine], axis=-1)
        return np.concatenate([turned.reshape(*query.shape[:-1], 2 * half), rest], axis=-1)
    first, second = query[..., :half], query[..., half : 2 * half]
    return np.concatenate([first * cosine - second * sine, first * sine + second * cosine, rest], axis=-1)


def _standard(read: Reader) -> Operands:
    """``Attention`` of the standard, opset 23 and later."""
    attributes = read.node.attributes
    if attributes.get("softcap") not in (None, 0.0):
        raise NotCoveredError("softcap")
    query, key, value = (
        _by_head(read.need(p), attributes.get(name))
        for p, name in ((0, "q_num_heads"), (1, "kv_num_heads"), (2, "kv_num_heads"))
    )
    past = read.get(4)
    if past is not None:
        key = np.concatenate([past, key], axis=2)
        value = np.concatenate([read.need(5), value], axis=2)
    groups = query.shape[1] // key.shape[1]
    key, value = (np.repeat(part, groups, axis=1) for part in (key, value))
    bias = _standard_bias(read, query.shape[2], key.shape[2], 0 if past is None else past.shape[2])
    return Operands(query, key, value, bias, _scale(read, query))


def _standard_bias(read: Reader, queries: int, keys: int, before: int) -> Array:
    total = np.zeros((1, 1, queries, keys), np.float32)
    mask = read.get(3)
    if mask is not None:
        added = np.where(mask, 0.0, -np.inf) if mask.dtype == np.bool_ else mask
        # A mask may cover fewer keys than there are; the operator shuts out the rest.
        short = keys - added.shape[-1]
        edges = [(0, 0)] * (added.ndim - 1) + [(0, short)]
        total = total + np.pad(added, edges, constant_values=-np.inf).astype(np.float32)
    if read.node.attributes.get("is_causal"):
        seen = np.arange(keys) <= np.arange(queries)[:, None] + before
        total = total + np.where(seen, 0.0, -np.inf).astype(np.float32)
    lengths = read.get(6)
    if lengths is not None:
        seen = np.arange(keys) < lengths.reshape(-1, 1)
        total = total + np.where(seen[:, None, None, :], 0.0, -np.inf).astype(np.float32)
    return total


def _past_only(queries: int, keys: int) -> Array:
    return np.asarray(np.arange(keys) <= np.arange(queries)[:, None] + (keys - queries))


def _split_heads(values: Array, heads: int) -> Array:
    """(B, T, N * H) to (B, N, T, H)."""
    batch, length, _ = values.shape
    return values.reshape(batch, length, heads, -1).swapaxes(1, 2)


def _by_head(values: Array, heads: Any) -> Array:
    if values.ndim == 4:
        return values
    if not heads:
        raise NotCoveredError("heads")
    return _split_heads(values, heads)


def _scale(read: Reader, query: Array) -> float:
    return float(read.node.attributes.get("scale") or 1.0 / np.sqrt(query.shape[-1]))


OPERATORS: dict[str, Callable[[Reader], Operands]] = {
    "com.microsoft.Attention": _contrib_attention,
    "com.microsoft.QAttention": _quantised_attention,
    "com.microsoft.MultiHeadAttention": _multi_head,
    "com.microsoft.GroupQueryAttention": _grouped_query,
    "Attention": _standard,
}
