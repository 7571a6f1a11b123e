"""Conditions on the sizes of the inputs, such as ``L['ids'].size()[1] <= 64``, judged here and never run as code.

The exporter writes down what it relied on. Torch makes a function of that text and runs it; here the text is taken
apart, and the few things that may stand in it are computed one by one.
"""

from __future__ import annotations

import ast
import json
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskcheck.loaders.pytorch.pt2.expressions import parsed
from maskcheck.loaders.pytorch.pt2.refusal import Refused, inside, shortened

Place = tuple[str | int, ...]

_LARGEST = 2**128
_BINARY: Mapping[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Div: operator.truediv,
}
_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Any], Any]] = {ast.USub: operator.neg, ast.Not: operator.not_}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "max": max,
    "min": min,
    "abs": abs,
    "int": int,
    "float": float,
    "math.floor": math.floor,
    "math.ceil": math.ceil,
    "math.trunc": math.trunc,
    "torch.sym_max": max,
    "torch.sym_min": min,
    "torch.sym_int": int,
    "torch.sym_float": float,
    "torch.sym_not": operator.not_,
}
_MEASURES = {"size", "stride"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """One condition: its text, its syntax tree, and which input each place in it is."""

    text: str
    tree: ast.expr
    inputs: Mapping[Place, int]

    def check(self, leaves: Sequence[Any]) -> None:
        """Raise ``AssertionError``, as torch does, where the inputs do not meet the condition."""
        if not _value(self.tree, self, leaves):
            raise AssertionError(f"Guard failed: {self.text}")


def guards(program: Mapping[str, Any]) -> tuple[Guard, ...]:
    """The conditions of a program whose parts were checked. Raises ``Refused`` for one that is more than that."""
    inputs = _places(program["graph_module"]["module_call_graph"])
    found: list[Guard] = []
    for i, text in enumerate(program.get("guards_code") or []):
        with inside("guards_code", i):
            guard = Guard(text=text, tree=parsed(text, "guard"), inputs=inputs)
            _check(guard.tree, guard)
            found.append(guard)
    return tuple(found)


# ---------------------------------------------------------------------- what may stand in a guard


def _check(node: ast.expr, guard: Guard) -> None:
    match node:
        case ast.Constant(value=bool() | float()):
            return
        case ast.Constant(value=int(number)) if abs(number) < _LARGEST:
            return
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            parts = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(type(op) in _COMPARED for op in ops):
            parts = [left, *others]
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _UNARY:
            parts = [operand]
        case ast.BoolOp(values=values):
            parts = values
        case ast.Call(func=func, args=args, keywords=[]) if ast.unparse(func) in _FUNCTIONS:
            parts = args
        case _ if _measured(node, guard) is not None:
            return
        case _:
            raise Refused(f"{shortened(ast.unparse(node))} does not belong into a guard")
    for part in parts:
        _check(part, guard)


def _measured(node: ast.expr, guard: Guard) -> tuple[int, str, int] | None:
    """Which input, what of it and at which axis: ``L['ids'].size()[1]``."""
    match node:
        case ast.Subscript(
            value=ast.Call(func=ast.Attribute(value=source, attr=measure), args=[], keywords=[]),
            slice=ast.Constant(value=int(axis)),
        ) if measure in _MEASURES:
            place = _place(source)
            index = guard.inputs.get(place) if place else None
            return None if index is None else (index, measure, axis)
    return None


def _place(node: ast.expr) -> Place | None:
    """The steps from ``L`` to an input."""
    match node:
        case ast.Name(id="L"):
            return ()
        case ast.Subscript(value=value, slice=ast.Constant(value=str() | int() as step)):
            before = _place(value)
        case ast.Attribute(value=value, attr=step):
            before = _place(value)
        case _:
            return None
    return None if before is None else (*before, step)


# ---------------------------------------------------------------------- what a guard says


def _value(node: ast.expr, guard: Guard, leaves: Sequence[Any]) -> Any:
    def of(part: ast.expr) -> Any:
        return _value(part, guard, leaves)

    match node:
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=left, op=op, right=right):
            return _BINARY[type(op)](of(left), of(right))
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [of(part) for part in (left, *others)]
            return all(_COMPARED[type(op)](a, b) for op, a, b in zip(ops, values[:-1], values[1:], strict=True))
        case ast.UnaryOp(op=op, operand=operand):
            return _UNARY[type(op)](of(operand))
        case ast.BoolOp(op=op, values=parts):
            return (all if isinstance(op, ast.And) else any)(of(part) for part in parts)
        case ast.Call(func=func, args=args):
            return _FUNCTIONS[ast.unparse(func)](*(of(part) for part in args))
    return _size(_measured(node, guard), leaves)


def _size(measured: tuple[int, str, int] | None, leaves: Sequence[Any]) -> int:
    if measured is None:
        raise AssertionError("a guard that was not checked")
    index, measure, axis = measured
    return int(getattr(leaves[index], measure)()[axis])


# ---------------------------------------------------------------------- which input is meant


def _places(calls: Sequence[Mapping[str, Any]]) -> dict[Place, int]:
    """The number of every input among all, by the ways in which guards call it."""
    signature = calls[0].get("signature") if calls else None
    if not signature:
        return {}
    paths = _paths(json.loads(signature["in_spec"])[1])
    named = signature.get("forward_arg_names") or []
    found: dict[Place, int] = {}
    for index, path in enumerate(paths):
        for place in _spellings(path, index, named):
            found[place] = index
    return found


def _spellings(path: Place, index: int, named: Sequence[str]) -> list[Place]:
    """An input by its number, by the name of its parameter, and as the n-th of several that have one name."""
    spellings: list[Place] = [("flat_args", index)]
    if len(path) < 2:
        return spellings
    first = named[path[1]] if path[0] == 0 and isinstance(path[1], int) and path[1] < len(named) else path[1]
    spellings.append((first, *path[2:]))
    base, _, number = str(first).rpartition("_")
    return [*spellings, (base, int(number), *path[2:])] if base and number.isdecimal() else spellings


def _paths(node: Mapping[str, Any]) -> list[Place]:
    if node["type"] is None:
        return [()]
    children = node["children_spec"]
    steps = json.loads(node["context"]) or range(len(children))
    return [(step, *path) for step, child in zip(steps, children, strict=True) for path in _paths(child)]
