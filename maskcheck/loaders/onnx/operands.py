"""What each fused attention operator reads, as queries, keys, values and what is added to the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.onnx.constants import GraphConstants
from maskcheck.loaders.onnx.graph import OnnxNode


class NotCoveredError(Exception):
    """The operator is used in a way that is not worked out here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operands:
    """Heads first: ``query`` (B, N, T, H), ``key`` and ``value`` (B, G, S, H), with G groups for N heads.

    ``bias`` joins the scores, which are scaled by ``scale`` (``None`` for 1 / sqrt(H)). ``causal``: query ``i`` looks
    at keys up to ``past + i``.
    """

    query: Array
    key: Array
    value: Array
    bias: Array | None
    scale: float | None
    causal: bool = False
    past: int = 0


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the operands of one node: traced tensors, patches in place of them, weights from the file."""

    node: OnnxNode
    tensors: Mapping[str, Array]
    patches: Mapping[str, Array]
    constants: GraphConstants

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

    def output(self, position: int) -> Array | None:
        """What the node itself returned as output ``position``."""
        name = self.node.outputs[position] if position < len(self.node.outputs) else ""
        value = self.tensors.get(name) if name else None
        return value.astype(np.float32) if value is not None and value.dtype == np.float16 else value


def _contrib_attention(read: Reader) -> Operands:
    """``com.microsoft.Attention``: projects its input itself."""
    read.refuse(4, 6)
    source, weights, bias = read.need(0), read.need(1).astype(np.float32), read.get(2)
    projected = source @ weights + (0.0 if bias is None else bias)
    return _split_projection(read, projected, mask=read.get(3), extra=read.get(5))


def _quantised_attention(read: Reader) -> Operands:
    """``com.microsoft.QAttention``: the same from integers and their scales."""
    read.refuse(8)
    source = _dequantise(read.need(0), read.need(3), read.get(6))
    weights = _dequantise(read.need(1), read.need(4), read.get(7))
    return _split_projection(read, source @ weights + read.need(2), mask=read.get(5), extra=None)


def _dequantise(values: Array, scale: Array, zero: Array | None) -> Array:
    shifted = values.astype(np.float32) - (0.0 if zero is None else zero.astype(np.float32))
    return np.asarray(shifted * scale, np.float32)


def _split_projection(read: Reader, projected: Array, mask: Array | None, extra: Array | None) -> Operands:
    attributes = read.node.attributes
    if attributes.get("do_rotary"):
        raise NotCoveredError("rotary embedding")
    heads = attributes["num_heads"]
    sizes = attributes.get("qkv_hidden_sizes") or [projected.shape[-1] // 3] * 3
    query, key, value = (
        _split_heads(part, heads) for part in np.split(projected, [sizes[0], sizes[0] + sizes[1]], axis=-1)
    )
    return _contrib_operands(read, query, key, value, (mask, extra))


def _multi_head_attention(read: Reader) -> Operands:
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
    return _contrib_operands(read, query, key, value, (read.get(4), read.get(5)))


def _contrib_operands(
    read: Reader, query: Array, key: Array, value: Array, masks: tuple[Array | None, Array | None]
) -> Operands:
    """Heads first, with a mask and a bias of the scores; the last query is that of the last key."""
    mask, extra = masks
    hidden = None if mask is None else _weak_fills(read, _open_keys(mask, key.shape[0], key.shape[2]))
    return Operands(
        query=query,
        key=key,
        value=value,
        bias=_sum(hidden, extra),
        scale=_scale(read),
        causal=bool(read.node.attributes.get("unidirectional")),
        past=key.shape[2] - query.shape[2],
    )


def _sum(first: Array | None, second: Array | None) -> Array | None:
    if first is None or second is None:
        return second if first is None else first
    return np.asarray(first + second)


def _weak_fills(read: Reader, seen: Array) -> Array:
    """What is added to scores; hidden ones are only made small, by as much as the operator was told."""
    weak = np.float32(read.node.attributes.get("mask_filter_value", -10000.0))
    return np.where(seen, np.float32(0.0), weak)


def _open_keys(mask: Array, batch: int, keys: int) -> Array:
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


def _grouped_query_attention(read: Reader) -> Operands:
    """``com.microsoft.GroupQueryAttention``: causal, every row as long as ``seqlens_k`` says."""
    _refuse_variants(read)
    query, key, value = read.need(0), read.output(1), read.output(2)
    if not read.node.input(1) or query.ndim != 3 or key is None or value is None:
        raise NotCoveredError("packed layout")
    query = _split_heads(query, read.node.attributes["num_heads"])
    lengths = read.need(5).reshape(-1).astype(np.int64) + 1
    places = _places(read, lengths, query.shape[2])
    if read.node.attributes.get("do_rotary"):
        query = _rotate(read, query, places)
    bias = _grouped_bias(places, lengths, key.shape[2], read.get(10))
    return Operands(query=query, key=key, value=value, bias=bias, scale=_scale(read))


_UNCOVERED = ("softcap", "smooth_softmax", "qk_output", "k_quant_type", "v_quant_type", "sliding_window_cache")


def _refuse_variants(read: Reader) -> None:
    attributes = read.node.attributes
    if any(attributes.get(name) not in (None, 0, 0.0, "", "NONE") for name in _UNCOVERED):
        raise NotCoveredError("softcap, quantised cache or the like")
    if attributes.get("local_window_size", -1) != -1 or attributes.get("causal", 1) != 1:
        raise NotCoveredError("window")
    read.refuse(11, 12, 13, 14, 15)


def _places(read: Reader, lengths: Array, queries: int) -> Array:
    """Position of every query (B, T); those behind a past are the last of their row."""
    has_past = read.get(3) is not None and read.need(3).size
    starts = lengths - queries if has_past else np.zeros_like(lengths)
    return np.asarray(starts[:, None] + np.arange(queries))


def _grouped_bias(places: Array, lengths: Array, keys: int, extra: Array | None) -> Array:
    """Hides the future and what lies past the end of each row; queries past that end read what lies before it."""
    columns = np.arange(keys)
    seen = (columns <= places[:, :, None]) & (columns < lengths[:, None, None])
    bias = _hide_unless(seen[:, None])
    return bias if extra is None else bias + extra


def _hide_unless(seen: Array) -> Array:
    return np.where(seen, 0.0, -np.inf).astype(np.float32)


def _rotate(read: Reader, query: Array, places: Array) -> Array:
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


def _standard_attention(read: Reader) -> Operands:
    """``Attention`` of the standard, opset 23 and later."""
    attributes = read.node.attributes
    if attributes.get("softcap") not in (None, 0.0):
        raise NotCoveredError("softcap")
    query = _by_head(read.need(0), attributes.get("q_num_heads"))
    key, value = (_with_past(read, at, _by_head(read.need(at), attributes.get("kv_num_heads"))) for at in (1, 2))
    past = read.get(4)
    return Operands(
        query=query,
        key=key,
        value=value,
        bias=_standard_bias(read, key.shape[2]),
        scale=_scale(read),
        causal=bool(attributes.get("is_causal")),
        past=0 if past is None else past.shape[2],
    )


def _with_past(read: Reader, position: int, values: Array) -> Array:
    """Keys or values behind those of earlier calls, which stand three operands further on."""
    past = read.get(position + 3)
    return values if past is None else np.concatenate([past, values], axis=2)


def _standard_bias(read: Reader, keys: int) -> Array | None:
    mask, lengths = read.get(3), read.get(6)
    added = None if mask is None else _fill_up(_hide_unless(mask) if mask.dtype == np.bool_ else mask, keys)
    seen = None if lengths is None else (np.arange(keys) < lengths.reshape(-1, 1))[:, None, None, :]
    return _sum(added, None if seen is None else _hide_unless(seen))


def _fill_up(mask: Array, keys: int) -> Array:
    """A mask may cover fewer keys than there are; the operator shuts out the rest."""
    edges = [(0, 0)] * (mask.ndim - 1) + [(0, keys - mask.shape[-1])]
    return np.pad(mask, edges, constant_values=-np.inf).astype(np.float32)


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


def _scale(read: Reader) -> float | None:
    """The factor that the operator was given; 0 is how it spells that there is none."""
    return read.node.attributes.get("scale") or None


OPERATORS: dict[str, Callable[[Reader], Operands]] = {
    "com.microsoft.Attention": _contrib_attention,
    "com.microsoft.QAttention": _quantised_attention,
    "com.microsoft.MultiHeadAttention": _multi_head_attention,
    "com.microsoft.GroupQueryAttention": _grouped_query_attention,
    "Attention": _standard_attention,
}
