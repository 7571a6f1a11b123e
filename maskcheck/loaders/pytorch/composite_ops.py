"""Calls that are recorded as one site, though torch takes them apart: attention, recurrent networks, products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.loaders.pytorch.operations import base_name

RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
ATTENTION = "scaled_dot_product_attention"
UNITS = RECURRENT | {ATTENTION, "matmul", "rmatmul", "linear", "einsum", "instance_norm", "pad_packed_sequence"}
"""Names of the functions recorded whole."""

_SDPA = ("query", "key", "value", "attn_mask", "dropout_p", "is_causal")


def unit_name(func: Any) -> str | None:
    """The unit that ``func`` is, or ``None``."""
    name = base_name(getattr(func, "__name__", ""))
    if name not in UNITS:
        return None
    return "matmul" if name == "rmatmul" else name


def unit_arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the unit was called with, by name where names matter."""
    if name == ATTENTION:
        return dict(zip(_SDPA, args, strict=False)) | dict(kwargs)
    if name in RECURRENT:
        return _recurrent(args)
    if name == "einsum" and args and isinstance(args[0], str):
        return {"equation": args[0]}
    return {}


def _recurrent(args: Sequence[Any]) -> dict[str, Any]:
    """Settings of a call with ``(input, hx, weights, ...)`` or, packed, ``(data, batch_sizes, hx, weights, ...)``."""
    packed = len(args) > 3 and isinstance(args[3], list | tuple) and not isinstance(args[2], list)
    both = bool(args[8] if packed else args[7]) if len(args) > 8 else False
    found: dict[str, Any] = {"direction": "bidirectional" if both else "forward", "has_sequence_lens": packed}
    if not packed and len(args) > 8 and not args[8] and args[0].ndim == 3:
        found["time_first_rows"] = int(args[0].shape[1])
    return found


def attention_settings(given: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a fused attention call."""
    mask = given.get("attn_mask", given.get("attn_bias"))
    return {
        "has_mask": mask is not None,
        "mask_rank": None if mask is None else int(mask.ndim),
        "is_causal": bool(given.get("is_causal")),
        "unidirectional": bool(given.get("is_causal")),
    }


def attention_weights(given: Mapping[str, Any]) -> Array | None:
    """Weights (batch, heads, queries, keys) of a fused attention call, worked out again from what it read.

    Rows that attend to nothing are zeros. ``None`` for layouts that are not covered.
    """
    import torch

    query, key = given.get("query"), given.get("key")
    if query is None or key is None or query.ndim != key.ndim or query.ndim not in (3, 4):
        return None
    if query.ndim == 3:
        query, key = query.unsqueeze(1), key.unsqueeze(1)
    if query.shape[1] != key.shape[1]:
        if query.shape[1] % key.shape[1]:
            return None
        key = key.repeat_interleave(query.shape[1] // key.shape[1], dim=1)
    scale = given.get("scale") or query.shape[-1] ** -0.5
    scores = query.float() @ key.float().transpose(-1, -2) * scale
    if given.get("is_causal"):
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, float("-inf"))
    mask = given.get("attn_mask", given.get("attn_bias"))
    if mask is not None:
        if mask.ndim == 3 and given["query"].ndim == 3:
            mask = mask.unsqueeze(1)
        scores = scores.masked_fill(~mask, float("-inf")) if mask.dtype == torch.bool else scores + mask.float()
    weights = scores.softmax(-1).nan_to_num(0.0)
    return np.array(weights.cpu().numpy(), dtype=np.float32)
