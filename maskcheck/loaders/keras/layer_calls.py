"""What goes into a call of a layer: tensors, masks beside them, and masks given by hand."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskcheck.ir.operation import Kind
from maskcheck.loaders.keras.hooks import Function
from maskcheck.loaders.keras.tensors import mask_of, tensors_in


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A call that is about to happen."""

    function: Function
    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def run(self) -> Any:
        return self.function(*self.args, **self.kwargs)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerCall:
    """One layer call before it happens. ``beside`` holds for each tensor of ``data`` the mask that came beside it, or
    ``None``; ``given`` are masks passed as arguments, by hand or by a functional model.

    ``accepts`` says whether the layer's ``call`` takes a mask at all; ``named`` holds all arguments by name.
    """

    layer: Any
    data: tuple[Any, ...]
    beside: tuple[Any, ...]
    given: tuple[Any, ...]
    accepts: bool
    invocation: Invocation
    named: Mapping[str, Any] = field(default_factory=dict)

    @property
    def masks(self) -> tuple[Any, ...]:
        return tuple(m for m in self.beside if m is not None)

    @property
    def masked(self) -> tuple[Any, ...]:
        """Those tensors of ``data`` that a mask belongs to."""
        alone = len(self.data) == 1 and bool(self.given)
        return self.data if alone else tuple(t for t, m in zip(self.data, self.beside, strict=True) if m is not None)

    @property
    def arrived(self) -> bool:
        return bool(self.masks or self.given)

    @property
    def used(self) -> bool:
        return self.accepts and self.arrived

    @property
    def partly(self) -> bool:
        """Whether some of several sequences came without a mask."""
        lacking = (m is None and len(t.shape) > 1 for t, m in zip(self.data, self.beside, strict=True))
        return bool(self.masks) and any(lacking)

    @property
    def taken_off(self) -> bool:
        """After the call: whether the layer removed the mask from the tensors it read, under everybody else's eyes."""
        return any(m is not None and mask_of(t) is None for t, m in zip(self.data, self.beside, strict=True))

    def masks_read(self, kind: Kind) -> tuple[Any, ...]:
        """Masks beside the inputs that decide what the layer, of ``kind``, computes. That of attention's queries hides
        no key.
        """
        if not self.used:
            return ()
        return self.beside[1:] if kind is Kind.ATTENTION and len(self.data) > 1 else self.beside


def read_layer_call(layer: Any, invocation: Invocation) -> LayerCall:
    """Sort the arguments of a call into data and masks."""
    names = tuple(inspect.signature(layer.call).parameters)
    named = {**dict(zip(names, invocation.args, strict=False)), **invocation.kwargs}
    data = tuple(t for n, v in named.items() if not _is_mask(n) for t in tensors_in(v))
    return LayerCall(
        layer=layer,
        data=data,
        beside=tuple(mask_of(t) for t in data),
        given=tuple(t for n, v in named.items() if _is_mask(n) for t in tensors_in(v)),
        accepts=any(map(_is_mask, _parameters_read(layer, names))),
        invocation=invocation,
        named=named,
    )


def _parameters_read(layer: Any, names: tuple[str, ...]) -> tuple[str, ...]:
    """Arguments that reach the computation: a Lambda takes a mask whether or not its function can be given one."""
    if type(layer).__name__ != "Lambda":
        return names
    return tuple(inspect.signature(layer.function).parameters)


def _is_mask(name: str) -> bool:
    return name == "mask" or name.endswith("_mask")
