"""What ``models/model.json`` and the tables of weights may hold: the schema of torch's serialised programs.

Left out on purpose: objects with code of their own (``as_custom_obj``, ``custom_obj``), functions as arguments
(``as_operator``), tokens of side effects, and whatever a later torch adds. The guards on sizes stay text here; see
``guards``. Metadata is dropped but for the lines and modules that reports show.
"""

from __future__ import annotations

from typing import Any

from maskcheck.loaders.pytorch.pt2.expressions import expression, size_of_range
from maskcheck.loaders.pytorch.pt2.names import identifier, identifier_or_nothing, path_of_tensor, text
from maskcheck.loaders.pytorch.pt2.operators import operator
from maskcheck.loaders.pytorch.pt2.shapes import (
    Shape,
    list_of,
    one_of,
    optional,
    real,
    record,
    switch,
    table_of,
    union,
    whole,
)
from maskcheck.loaders.pytorch.pt2.trees import tree

DTYPES = {
    **dict(enumerate("uint8 int8 int16 int32 int64 float16 float32 float64 complex32 complex64 complex128".split(), 1)),
    **{12: "bool", 13: "bfloat16", 28: "uint16", 29: "float8_e4m3fn", 30: "float8_e5m2", 31: "float8_e4m3fnuz"},
    **{32: "float8_e5m2fnuz", 33: "float8_e8m0fnu", 34: "uint32", 35: "uint64"},
}
"""Names of torch's types by their numbers."""

_DTYPES = one_of(DTYPES)
_LAYOUTS = one_of(range(8))
_FORMATS = one_of(range(5))
_KINDS = one_of(range(3))
_DEVICES = one_of(("cpu", "cuda", "mps", "xpu", "meta"))
_VERIFIERS = one_of(("", "ATEN", "TRAINING"))
_SHOWN = ("stack_trace", "nn_module_stack")


def _dropped(value: Any) -> dict[str, Any]:
    """Nothing, whatever stood there."""
    return {}


def _empty(value: Any) -> dict[str, Any]:
    """An object without fields."""
    return record({})(value)


def _metadata(value: Any) -> dict[str, str]:
    table = value if isinstance(value, dict) else {}
    return {name: text(table[name]) for name in _SHOWN if name in table}


def _argument(value: Any) -> Any:
    return _ARGUMENT(value)


def _graph(value: Any) -> Any:
    return _GRAPH(value)


def _value_or_name(kind: str, shape: Shape) -> Shape:
    return union({"as_name": identifier, kind: shape})


def _value_or_expression(kind: str, shape: Shape) -> Shape:
    return union({"as_expr": _EXPRESSION, kind: shape})


_HINT = union({"as_int": whole, "as_bool": switch, "as_float": real})
_EXPRESSION = record({"expr_str": expression}, {"hint": optional(_HINT)})
_SIZE = _value_or_expression("as_int", whole)
_DEVICE = record({"type": _DEVICES}, {"index": optional(whole)})
_TENSOR_META = record(
    {
        "dtype": _DTYPES,
        "sizes": list_of(_SIZE),
        "requires_grad": switch,
        "device": _DEVICE,
        "strides": list_of(_SIZE),
        "storage_offset": _SIZE,
        "layout": _LAYOUTS,
    }
)
_TENSOR = record({"name": identifier})
_TENSOR_OR_NONE = union({"as_tensor": _TENSOR, "as_none": switch})
_INT = _value_or_name("as_int", whole)
_FLOAT = _value_or_name("as_float", real)
_BOOL = _value_or_name("as_bool", switch)

_ARGUMENT = union(
    {
        "as_none": switch,
        "as_tensor": _TENSOR,
        "as_tensors": list_of(_TENSOR),
        "as_int": whole,
        "as_ints": list_of(whole),
        "as_float": real,
        "as_floats": list_of(real),
        "as_string": text,
        "as_strings": list_of(text),
        "as_sym_int": _INT,
        "as_sym_ints": list_of(_INT),
        "as_scalar_type": _DTYPES,
        "as_memory_format": _FORMATS,
        "as_layout": _LAYOUTS,
        "as_device": _DEVICE,
        "as_bool": switch,
        "as_bools": list_of(switch),
        "as_sym_bool": _BOOL,
        "as_sym_bools": list_of(_BOOL),
        "as_graph": record({"name": identifier, "graph": _graph}),
        "as_optional_tensors": list_of(_TENSOR_OR_NONE),
        "as_sym_float": _FLOAT,
        "as_sym_floats": list_of(_FLOAT),
        "as_optional_tensor": _TENSOR_OR_NONE,
        "as_complex": record({"real": real, "imag": real}),
        "as_nested_tensors": list_of(list_of(_TENSOR)),
        "as_int_lists": list_of(list_of(whole)),
        "as_float_lists": list_of(list_of(real)),
        "as_string_to_argument": table_of(identifier, _argument),
    }
)
_NODE = record(
    {
        "target": operator,
        "inputs": list_of(record({"name": identifier_or_nothing, "arg": _ARGUMENT}, {"kind": optional(_KINDS)})),
        "outputs": list_of(_ARGUMENT),
        "metadata": _metadata,
    },
    {"is_hop_single_tensor_return": optional(switch), "name": optional(identifier_or_nothing)},
)
_GRAPH = record(
    {
        "inputs": list_of(_ARGUMENT),
        "outputs": list_of(_ARGUMENT),
        "nodes": list_of(_NODE),
        "tensor_values": table_of(identifier, _TENSOR_META),
        "sym_int_values": table_of(identifier, _SIZE),
        "sym_bool_values": table_of(identifier, _value_or_expression("as_bool", switch)),
    },
    {
        "is_single_tensor_return": switch,
        "custom_obj_values": _empty,
        "sym_float_values": table_of(identifier, _value_or_expression("as_float", real)),
    },
)
_CONSTANT = union({"as_none": switch, "as_int": whole, "as_float": real, "as_string": text, "as_bool": switch})
_INPUT = union(
    {
        "user_input": record({"arg": _ARGUMENT}),
        "parameter": record({"arg": _TENSOR, "parameter_name": path_of_tensor}),
        "buffer": record({"arg": _TENSOR, "buffer_name": path_of_tensor, "persistent": switch}),
        "tensor_constant": record({"arg": _TENSOR, "tensor_constant_name": path_of_tensor}),
        "constant_input": record({"name": identifier_or_nothing, "value": _CONSTANT}),
    }
)
_OUTPUT = union(
    {
        "user_output": record({"arg": _ARGUMENT}),
        "loss_output": record({"arg": _TENSOR}),
        "buffer_mutation": record({"arg": _TENSOR, "buffer_name": path_of_tensor}),
        "gradient_to_parameter": record({"arg": _TENSOR, "parameter_name": path_of_tensor}),
        "gradient_to_user_input": record({"arg": _TENSOR, "user_input_name": identifier}),
        "user_input_mutation": record({"arg": _TENSOR, "user_input_name": identifier}),
        "parameter_mutation": record({"arg": _TENSOR, "parameter_name": path_of_tensor}),
    }
)
_SIGNATURE = record(
    {"inputs": list_of(_ARGUMENT), "outputs": list_of(_ARGUMENT), "in_spec": tree, "out_spec": tree},
    {"forward_arg_names": optional(list_of(identifier))},
)
_ENTRY = record({"fqn": text}, {"signature": optional(_SIGNATURE)})


def _first_call(value: Any) -> list[Any]:
    """How the program itself is called; how its modules were called is dropped."""
    return list_of(_ENTRY)(value[:1] if isinstance(value, list) else value)


_GRAPH_MODULE = record(
    {
        "graph": _graph,
        "signature": record({"input_specs": list_of(_INPUT), "output_specs": list_of(_OUTPUT)}),
        "module_call_graph": _first_call,
    },
    {"metadata": _metadata, "treespec_namedtuple_fields": _dropped},
)
_RANGE = record({"min_val": optional(whole), "max_val": optional(whole)})

program: Shape = record(
    {
        "graph_module": _GRAPH_MODULE,
        "opset_version": table_of(text, whole),
        "range_constraints": table_of(size_of_range, _RANGE),
        "schema_version": record({"major": whole, "minor": whole}),
    },
    {"verifiers": list_of(_VERIFIERS), "torch_version": text, "guards_code": list_of(text)},
)
"""A program as its parts may be. Raises ``Refused`` and ``Damaged``."""

payloads: Shape = record(
    {
        "config": table_of(
            path_of_tensor,
            record(
                {"path_name": text, "is_param": switch, "use_pickle": switch, "tensor_meta": optional(_TENSOR_META)},
            ),
        )
    }
)
"""A table of the tensors beside the program. Raises ``Refused`` and ``Damaged``."""
