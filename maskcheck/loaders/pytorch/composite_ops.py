"""Calls that are recorded as one site, though torch takes them apart: attention, recurrent networks, products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskcheck.core.model import Array
from maskcheck.ir.attention import weigh
from maskcheck.loaders.pytorch.arrays import to_numpy
from maskcheck.loaders.pytorch.operations import base_name

RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
ATTENTION = "scaled_dot_product_attention"
UNITS = RECURRENT | {ATTENTION, "matmul", "rmatmul", "linear", "einsum", "instance_norm", "pad_packed_sequence"}
"""Names of the functions recorded whole."""

_FUSED = "scaled_dot_product"
"""How the names of operators begin that attend by what they are given, and neither project nor change it first."""

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


def attention_weights(name: str, given: Mapping[str, Any]) -> Array | None:
    """Weights (batch, heads, queries, keys) of a fused attention call, worked out again from what it read.

    ``None`` for operators and layouts that are not covered.
    """
    query, key = given.get("query"), given.get("key")
    if not name.startswith(_FUSED) or query is None or key is None or query.ndim not in (3, 4):
        return None
    mask = given.get("attn_mask", given.get("attn_bias"))
    try:
        return weigh(
            to_numpy(query),
            to_numpy(key),
            scale=given.get("scale"),
            mask=None if mask is None else to_numpy(mask),
            causal=bool(given.get("is_causal")),
        )
    except ValueError:  # shapes that only a runtime's own broadcasting brings together
        return None
