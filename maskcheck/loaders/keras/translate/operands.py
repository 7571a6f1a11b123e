"""Eager calls as the tables read them: which operands the inputs reach, and what small constants hold."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from maskcheck.core.model import Array
from maskcheck.ir.constants import SMALL
from maskcheck.ir.dependence import Level
from maskcheck.ir.operation import Kind
from maskcheck.loaders.keras import private_api
from maskcheck.loaders.keras.layer_calls import LayerCall
from maskcheck.loaders.keras.tensors import is_tensor, leaves, read, tensors_in
from maskcheck.loaders.keras.trace_builder import TraceBuilder
from maskcheck.loaders.keras.translate.call import Call, Operand
from maskcheck.loaders.keras.translate.layers import LayerInputs


def split_arguments(arguments: Sequence[Any]) -> tuple[list[Any], Mapping[str, Any]]:
    """Operands of an eager TensorFlow operator, which come first, and the named attributes behind them."""
    first = next((i for i, a in enumerate(arguments) if isinstance(a, str)), len(arguments))
    names, values = arguments[first::2], arguments[first + 1 :: 2]
    return list(arguments[:first]), {n: v for n, v in zip(names, values, strict=False) if isinstance(n, str)}


def operator_call(name: str, arguments: Sequence[Any], builder: TraceBuilder) -> Call:
    """An eager call of a TensorFlow operator."""
    operands, attributes = split_arguments(arguments)
    return Call(operator=name, operands=tuple(_flat(operands, builder)), attributes=attributes)


def operation_call(operation: Any, args: Sequence[Any], kwargs: Mapping[str, Any], builder: TraceBuilder) -> Call:
    """A call of an operation of ``keras.ops``; arguments count as attributes as well."""
    arguments = _arguments(operation.call, args, kwargs)
    own = {n: v for n, v in vars(operation).items() if not n.startswith("_")}
    return Call(
        operator=type(operation).__name__,
        operands=tuple(_flat(arguments.values(), builder)),
        attributes=own | arguments,
        named={name: operand(value, builder) for name, value in arguments.items()},
    )


def layer_inputs(layer_call: LayerCall, kind: Kind, beside: Sequence[Any], builder: TraceBuilder) -> LayerInputs:
    """What a layer reads; ``beside`` are those of the masks beside its inputs that decide what it computes."""
    masks = (*_masks_given(layer_call.named, kind), *beside)
    return LayerInputs(
        data=tuple(operand(t, builder) for t in layer_call.data),
        masks=tuple(operand(m, builder) for m in masks if m is not None),
        flags=layer_call.named,
    )


def _masks_given(named: Mapping[str, Any], kind: Kind) -> Iterator[Any]:
    """Masks given by hand, that of attention first; one that belongs to its queries hides no key."""
    names = [n for n in named if n == "mask" or (n.endswith("_mask") and n != "query_mask")]
    for name in sorted(names, key=lambda n: n != "attention_mask"):
        value = named[name]
        pair = kind is Kind.ATTENTION and isinstance(value, list | tuple)
        yield from tensors_in(value[1:] if pair else value)


def _arguments(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments by name, in the order of the signature."""
    try:
        return dict(inspect.signature(function).bind(*args, **kwargs).arguments)
    except TypeError:
        return {f"argument {i}": value for i, value in enumerate(args)} | dict(kwargs)


def _flat(values: Any, builder: TraceBuilder) -> Iterator[Operand]:
    """One operand for every value; lists of tensors give one for each of them."""
    for value in values:
        if isinstance(value, list | tuple) and any(is_tensor(leaf) for leaf in leaves(value)):
            yield from (operand(leaf, builder) for leaf in leaves(value))
        else:
            yield operand(value, builder)


def operand(value: Any, builder: TraceBuilder) -> Operand:
    """A tensor, a number or a list of numbers as a table reads it."""
    if not is_tensor(value):
        constant = _numbers(value)
        return Operand(constant=constant, shape=None if constant is None else constant.shape)
    key = builder.key(value)
    return Operand(
        key=key,
        constant=_small(value) if key is None else None,
        shape=shape_of(value),
        sized=key is not None and builder.level(key) is Level.SHAPE,
    )


def shape_of(tensor: Any) -> tuple[int, ...] | None:
    """The shape of a tensor, which may come as a handle to a variable; ``None`` where it is not told."""
    try:
        behind = private_api.shape_behind(tensor)
        return tuple(int(size) for size in tensor.shape) if behind is None else behind
    except (AttributeError, IndexError, TypeError, ValueError):
        return None


def _small(tensor: Any) -> Array | None:
    """The values of a small tensor of numbers."""
    if "resource" in str(tensor.dtype) or "variant" in str(tensor.dtype) or "string" in str(tensor.dtype):
        return None
    shape = shape_of(tensor)
    return read(tensor) if shape is not None and int(np.prod(shape)) <= SMALL else None


def _numbers(value: Any) -> Array | None:
    """A number, or a list of numbers."""
    if isinstance(value, list | tuple) and not all(isinstance(leaf, int | float) for leaf in leaves(value)):
        return None
    if not isinstance(value, bool | int | float | list | tuple | np.ndarray | np.generic):
        return None
    try:
        return np.asarray(value)
    except ValueError:  # lists of unlike length
        return None
