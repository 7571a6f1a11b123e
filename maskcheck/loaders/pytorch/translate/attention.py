"""Fused attention."""

from __future__ import annotations

from maskcheck.ir.settings import Attention
from maskcheck.loaders.pytorch.translate.call import Call

_MASKS = ("attn_mask", "mask")
_BIASES = ("attn_bias",)


def attention(call: Call) -> Attention:
    """The mask is (..., queries, keys), boolean or added to the scores; backends take it as a bias."""
    return Attention(
        mask=call.key(*_MASKS),
        bias=call.key(*_BIASES),
        mask_rank=call.rank(*_MASKS, *_BIASES) if call.tensor(*_MASKS, *_BIASES) is not None else None,
        causal=bool(call.given.get("is_causal")),
    )
