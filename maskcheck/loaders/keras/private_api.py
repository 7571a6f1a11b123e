"""What is used of Keras and TensorFlow although neither promises it. Each has a canary in the tests.

A release that takes one away breaks here and nowhere else.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

MASK = "_keras_mask"
"""The attribute by which Keras attaches a mask to a tensor."""

OPERATORS = "TFE_Py_FastPathExecute"
OTHER_OPERATORS = "TFE_Py_Execute"
"""Functions of ``operator_runtime`` that every generated operator calls; the second where operands first have to become
tensors.
"""

_OPERATIONS = "keras.src.ops."


def number_of(tensor: Any) -> int | None:
    """The number by which TensorFlow tells living tensors apart; ``None`` for other tensors."""
    number = getattr(tensor, "_id", None)
    return number if isinstance(number, int) else None


def shape_behind(handle: Any) -> tuple[int, ...] | None:
    """The shape of the variable behind ``handle``; ``None`` for plain tensors.

    Raises:
        AttributeError, IndexError, TypeError, ValueError: the handle tells no fixed shape.
    """
    data = getattr(handle, "_handle_data", None)
    shape = data.shape_and_type[0].shape.dim if data is not None else None
    return None if shape is None else tuple(int(d.size) for d in shape)


def nesting_of_inputs(model: Any) -> Any:
    """The symbolic inputs of a functional model as it wants them nested; ``None`` for other models."""
    return getattr(model, "_inputs_struct", None)


def layers_within(model: Any) -> list[Any]:
    """All layers of a model, those inside of layers included, and the model itself."""
    return list(model._flatten_layers())


def has_compiled_loss(model: Any) -> bool:
    return getattr(model, "_compile_loss", None) is not None


def is_own_operation(kind: type) -> bool:
    """Whether a class is an operation of ``keras.ops``."""
    return kind.__module__.startswith(_OPERATIONS)


def operator_runtime() -> Any:
    """The module that executes operators of TensorFlow."""
    return import_module("tensorflow.python.pywrap_tfe")


def graph_function() -> Any:
    """The class of what ``tf.function`` makes."""
    return import_module("tensorflow.python.eager.polymorphic_function.polymorphic_function").Function


def freeze_variables(function: Any) -> Any:
    """A copy of a concrete function in which variables are constants, and control flow stays as it is."""
    module = import_module("tensorflow.python.framework.convert_to_constants")
    return module.convert_variables_to_constants_v2(function, lower_control_flow=False)
