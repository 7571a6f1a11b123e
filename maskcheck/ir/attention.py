"""Attention weights, worked out again from what a fused operator reads, for it never shows its own."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]

_MARGIN = {"float64": 1e-5, "float32": 1e-5, "float16": 5e-3}
"""How far ``weights @ value`` may lie from what the operator returned, relative to the largest entry, by its dtype."""


def weigh(
    query: Array,
    key: Array,
    *,
    scale: float | None = None,
    mask: Array | None = None,
    causal: bool = False,
    past: int = 0,
) -> Array:
    """Attention weights as float32 of shape (batch, heads, queries, keys).

    Args:
        query: (batch, heads, queries, width); without the axis of heads there is one head.
        key: (batch, groups, keys, width), of as many axes as ``query``. The heads are a multiple of the groups, each
            of which serves as many heads in a row.
        scale: what products of queries and keys are multiplied by; ``None`` for 1 / sqrt(width).
        mask: broadcasts to the weights, those of one head where ``query`` has no heads. Of truth values: true where a
            query may look at a key. Else it is added to the scaled scores.
        causal: query ``i`` looks at keys up to ``past + i``.
        past: how many keys come before the first query.

    Rows that attend to nothing, and rows that are not numbers, are zeros.

    Raises:
        ValueError: the shapes do not fit together.
    """
    one_head = query.ndim == 3
    query, key = _with_heads(query), _with_heads(key)
    key = repeat_groups(key, query.shape[1])
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    with np.errstate(all="ignore"):
        scores = _wide(query) @ _wide(key).swapaxes(-1, -2) * factor
        scores = _masked(scores, mask[:, None] if mask is not None and one_head and mask.ndim == 3 else mask)
        scores = _masked(scores, _seen(scores.shape[-2], scores.shape[-1], past) if causal else None)
        return _softmax(scores)


def verify(weights: Array, value: Array, returned: Array) -> bool:
    """Whether an operator that returned ``returned`` can have used ``weights``.

    Args:
        weights: (batch, heads, queries, keys).
        value: (batch, groups, keys, width), see ``weigh``.
        returned: (batch, heads, queries, width), or (batch, queries, heads * width).

    Rows without anything to attend to are defined by each runtime for itself and not looked at, nor is what is not
    finite; there must be something left to look at.

    Raises:
        ValueError: the shapes of ``weights`` and ``value`` do not fit together.
    """
    margin = _MARGIN.get(returned.dtype.name)
    expected = _laid_out(weights @ _wide(repeat_groups(_with_heads(value), weights.shape[1])), returned.ndim)
    if margin is None or expected.shape != returned.shape:
        return False
    actual = _wide(returned)
    compared = np.isfinite(actual) & ~_empty_rows(weights, expected.shape)
    largest = max(1.0, float(np.abs(actual[compared]).max(initial=0.0)))
    return bool(compared.any()) and float(np.abs(expected - actual)[compared].max()) <= margin * largest


def repeat_groups(value: Array, heads: int) -> Array:
    """(batch, groups, length, width) with every group repeated for the heads it serves.

    Raises:
        ValueError: the heads are no multiple of the groups.
    """
    groups = value.shape[1]
    if not groups or heads % groups:
        raise ValueError(f"{heads} heads cannot share {groups} groups")
    return np.repeat(value, heads // groups, axis=1) if groups != heads else value


def _with_heads(value: Array) -> Array:
    return value[:, None] if value.ndim == 3 else value


def _wide(value: Array) -> Array:
    """Half precision as float32; what is wider stays."""
    return value.astype(np.float32) if value.dtype.itemsize < 4 else value


def _masked(scores: Array, mask: Array | None) -> Array:
    if mask is None:
        return scores
    return np.where(mask, scores, -np.inf) if mask.dtype == np.bool_ else scores + _wide(mask)


def _seen(queries: int, keys: int, past: int) -> Array:
    return np.asarray(np.arange(keys) <= np.arange(queries)[:, None] + past)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights = powers / powers.sum(axis=-1, keepdims=True)
    return np.where(np.isnan(weights).any(axis=-1, keepdims=True), 0.0, weights).astype(np.float32)


def _empty_rows(weights: Array, shape: tuple[int, ...]) -> Array:
    """Entries of a result of ``shape`` that belong to rows of ``weights`` which attend to nothing."""
    empty = ~weights.any(axis=-1, keepdims=True)
    width = shape[-1] if len(shape) == 4 else shape[-1] // weights.shape[1]
    return _laid_out(np.broadcast_to(empty, (*empty.shape[:-1], width)), len(shape))


def _laid_out(value: Array, rank: int) -> Array:
    """(batch, heads, queries, width), or with the heads side by side where ``rank`` is 3."""
    batch, _, queries, _ = value.shape
    return value.swapaxes(1, 2).reshape(batch, queries, -1) if rank == 3 else value
