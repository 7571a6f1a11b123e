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
_SETTINGS = ("has_biases", "num_layers", "dropout", "train", "bidirectional")
_RECURRENT = ("input", "hx", "params", *_SETTINGS, "batch_first")
_RECURRENT_PACKED = ("data", "batch_sizes", "hx", "params", *_SETTINGS)
_USES_OWN_STATISTICS = 5
"""Place of ``use_input_stats`` among the arguments of ``instance_norm``, torch's own and that of its library."""


def unit_name(func: Any) -> str | None:
    """The unit that ``func`` is, or ``None``."""
    name = base_name(getattr(func, "__name__", ""))
    if name not in UNITS:
        return None
    return "matmul" if name == "rmatmul" else name


def unit_arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the unit was called with, by name where names matter."""
    names = _names(name, args)
    return dict(zip(names, args, strict=False)) | {k: v for k, v in kwargs.items() if k in names}


def _names(name: str, args: Sequence[Any]) -> tuple[str, ...]:
    """Names of the arguments, in order; ``()`` for units that are told by their name alone."""
    if name in RECURRENT:
        packed = len(args) > 3 and isinstance(args[3], list | tuple) and not isinstance(args[2], list)
        return _RECURRENT_PACKED if packed else _RECURRENT
    return _NAMES.get(name, ())


_NAMES: Mapping[str, tuple[str, ...]] = {
    ATTENTION: (*_SDPA, "scale", "enable_gqa"),
    "einsum": ("equation",),
    "instance_norm": (*(f"operand{i}" for i in range(_USES_OWN_STATISTICS)), "use_input_stats"),
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
