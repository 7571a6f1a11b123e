"""How the model's inputs are consumed, collected while the model runs once."""

from __future__ import annotations

from typing import Any

from maskcheck.ir.graph import Site
from maskcheck.ir.input_use import InputUse, UseKind
from maskcheck.loaders.keras.operations import SIZES
from maskcheck.loaders.keras.tensors import is_tensor
from maskcheck.loaders.keras.trace_builder import TraceBuilder
from maskcheck.loaders.keras.translate.operands import shape_of, split_arguments

_KEEPS = frozenset({"Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "Copy", "StopGradient", "StridedSlice"})
_EQUALITY = frozenset({"Equal", "NotEqual"})
_LOOKUPS = frozenset({"GatherV2", "ResourceGather"})


class Uses:
    """Uses of model inputs, seen through operators that keep values."""

    def __init__(self) -> None:
        self._found: dict[InputUse, None] = {}
        self._views: dict[str, str] = {}
        self._ranks: dict[str, int] = {}

    @property
    def found(self) -> tuple[InputUse, ...]:
        return tuple(self._found)

    def take(self, other: Uses) -> None:
        """Become a copy of another collection."""
        self._found = dict(other._found)

    def start(self, name: str, rank: int) -> None:
        self._views[name] = name
        self._ranks[name] = rank

    def table(self, operation: str, arguments: tuple[Any, ...], builder: TraceBuilder) -> int | None:
        """Rows of the constant table that an operator picks from by ids; ``None`` for any other operator."""
        operands = split_arguments(arguments)[0]
        if operation not in _LOOKUPS or len(operands) < 2 or builder.key(operands[0]) is not None:
            return None
        if not is_tensor(operands[1]) or builder.key(operands[1]) not in self._views:
            return None
        shape = shape_of(operands[0])
        return shape[0] if shape else None

    def operator(self, site: Site, arguments: tuple[Any, ...], builder: TraceBuilder) -> None:
        """Enter what one TensorFlow operator does with an input."""
        operands = split_arguments(arguments)[0]
        viewed = [(k, self._views[k]) for k in site.inputs if k in self._views]
        if not viewed or site.operator in SIZES:
            return
        if site.operator == "SelectV2" and is_tensor(operands[-1]) and builder.key(operands[-1]) in self._views:
            self._wrapped_ids(site, builder.key(operands[-1]) or "")
            return
        if site.operator in _KEEPS:
            self._views[site.outputs[0]] = viewed[0][1]
            return
        rows = self.table(site.operator, arguments, builder)
        for _, name in viewed:
            if rows is not None:
                self._add(name, UseKind.INDEX, site, rows)
            elif site.operator in _EQUALITY and (value := _constant(operands, builder)) is not None:
                self._add(name, UseKind.COMPARE, site, value)
            else:
                self._add(name, UseKind.OTHER, site, None)

    def layer(self, layer: Any, site: Site, mask: Site | None, given: tuple[str, ...]) -> None:
        """Enter what one layer of Keras does with an input; ``given`` are the masks passed to it by hand."""
        for key in site.inputs:
            name = self._views.get(key)
            if name is None:
                continue
            if key in given:
                self._add(name, UseKind.MASK, site, self._ranks[name])
            elif hasattr(layer, "input_dim") and hasattr(layer, "mask_zero"):
                self._add(name, UseKind.INDEX, site, int(layer.input_dim))
                if mask is not None:
                    self._add(name, UseKind.COMPARE, mask, 0)
            elif hasattr(layer, "mask_value") and mask is not None:
                value = _number(layer.mask_value)
                self._add(name, UseKind.COMPARE, mask, value)
                self._add(name, UseKind.MASKING, site, value)
            else:
                self._add(name, UseKind.OTHER, site, None)

    def other(self, site: Site, operands: tuple[Any, ...], builder: TraceBuilder) -> None:
        """Enter an operation of Keras that was called as a whole, between layers."""
        value = _constant(list(operands), builder) if site.operator in _EQUALITY else None
        for key in site.inputs if site.operator not in SIZES else ():
            if key in self._views and site.operator in _KEEPS:
                self._views[site.outputs[0]] = self._views[key]
            elif key in self._views and value is not None:
                self._add(self._views[key], UseKind.COMPARE, site, value)
            elif key in self._views:
                self._add(self._views[key], UseKind.OTHER, site, None)

    def _wrapped_ids(self, site: Site, key: str) -> None:
        """``ops.take`` counts negative ids from the end: what it chooses between an id and that is still the id."""
        name = self._views[key]
        self._views[site.outputs[0]] = name
        makers = {k.rsplit("#", 1)[0] for k in site.inputs}
        self._found = {u: None for u in self._found if not (u.input == name and u.site.rsplit("#", 1)[0] in makers)}

    def _add(self, name: str, kind: UseKind, site: Site, value: float | int | None) -> None:
        self._found[
            InputUse(
                input=name, kind=kind, site=site.name, operator=site.operator, value=value, operation=site.operation
            )
        ] = None


def _constant(operands: list[Any], builder: TraceBuilder) -> float | int | None:
    for operand in operands:
        if isinstance(operand, int | float) and not isinstance(operand, bool):
            return operand
        if is_tensor(operand) and builder.key(operand) is None and not operand.shape:
            return _number(operand)
    return None


def _number(value: Any) -> float | int:
    number = float(value)
    return int(number) if number.is_integer() else number
