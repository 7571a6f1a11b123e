"""Attention weights of Keras's attention layers, recomputed: a fused kernel does not hand them out."""

from __future__ import annotations

from maskcheck.core.model import Array
from maskcheck.loaders.keras.layer_calls import LayerCall
from maskcheck.loaders.keras.tensors import is_tensor, put_masks, read

_FLAG = "return_attention_scores"


def weights_of(layer_call: LayerCall) -> Array | None:
    """Weights ``(batch, heads, queries, keys)`` of a call that is about to happen.

    ``None`` where the layer does not give any. The layer may take masks off the tensors it reads; they are put back.
    """
    try:
        called = layer_call.invocation
        result = called.function(*called.args, **{**called.kwargs, _FLAG: True})
    except (TypeError, ValueError, NotImplementedError):
        return None
    finally:
        put_masks(layer_call.data, layer_call.beside)
    scores = result[1] if isinstance(result, tuple | list) and len(result) > 1 else None
    if not is_tensor(scores):
        return None
    weights = read(scores)
    if weights.ndim == 3:  # Attention and AdditiveAttention have one head
        return weights[:, None]
    return weights if weights.ndim == 4 else None
