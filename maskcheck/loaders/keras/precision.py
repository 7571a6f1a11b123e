"""The same Keras model computing in another precision, to tell rounding from a leak."""

from __future__ import annotations

from typing import Any

_NAMES = frozenset({"float32", "float16", "bfloat16", "mixed_float16", "mixed_bfloat16"})


def copy_in_precision(model: Any, precision: str) -> Any | None:
    """A copy of ``model`` with every layer and every cast in ``precision``; ``None`` where its configuration cannot
    be read, or makes another model.

    A configuration names types in policies of layers, in casts between layers and in the tensors these join: all of
    them are renamed.
    """
    try:
        copy = type(model).from_config(_rename_types(model.get_config(), precision))
        if not copy.built or [w.shape for w in copy.weights] != [w.shape for w in model.weights]:
            return None
        copy.set_weights(model.get_weights())
    except Exception:  # subclassed models without a configuration, Lambda layers, layers that no module has
        return None
    return copy


def _rename_types(value: Any, precision: str) -> Any:
    if isinstance(value, dict):
        return {key: _rename_types(item, precision) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_rename_types(item, precision) for item in value)
    return precision if isinstance(value, str) and value in _NAMES else value
