"""Symbolic sizes, such as ``Mul(Integer(2), Symbol('s43', positive=True, integer=True))``, held to a small grammar.

Sympy reads such text with ``eval``. Nothing reaches it that was not taken apart here and written anew.
"""

from __future__ import annotations

import ast
import re
from typing import Any

from maskcheck.loaders.pytorch.pt2 import names
from maskcheck.loaders.pytorch.pt2.refusal import Refused, shortened

_LONGEST = 10_000
_LARGEST = 2**63
_HIGHEST = 64
"""The highest literal exponent: powers of numbers are computed while they are read."""
_FUNCTIONS = frozenset(
    """
    Abs Add And CeilDiv CeilToInt CleanDiv Eq Equality FloatTrueDiv FloorDiv FloorToInt Ge GreaterThan Gt Identity
    IntTrueDiv IsNonOverlappingAndDenseIndicator Le LessThan Lt Max Min Mod ModularIndexing Mul Ne Not Or PythonMod
    Rational RoundToInt StrictGreaterThan StrictLessThan ToFloat TruncToFloat TruncToInt Unequality Where ceiling floor
    """.split()
)
_POWERS = frozenset({"Pow", "PowByNatural", "FloatPow", "LShift", "RShift"})
_CONSTANTS = frozenset({"true", "false", "oo"})
_ASSUMPTIONS = frozenset({"integer", "positive", "nonnegative", "negative", "nonpositive", "nonzero", "real", "finite"})
_OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod)
_COMPARISONS = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_DECIMAL = re.compile(r"-?\d{1,40}(\.\d{1,40})?(e[-+]?\d{1,3})?")


def expression(value: Any) -> str:
    """The text of a size or a condition on sizes, written anew from what the grammar knows.

    Raises:
        Refused: it holds anything else.
    """
    tree = parsed(value, "size")
    _check(tree)
    return ast.unparse(tree)


def size_of_range(value: Any) -> str:
    """The size that a range is given for, such as ``s43`` or ``2*s39 + 1``, as it is: torch only compares it.

    Raises:
        Refused: it is no expression of a size.
    """
    expression(value)
    return names.text(value)


def parsed(value: Any, what: str) -> ast.expr:
    """The syntax tree of one expression. Raises ``Refused``, with ``what`` it should have been."""
    source = names.text(value)
    if len(source) > _LONGEST:
        raise Refused(f"a {what} of {len(source)} characters")
    try:
        return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Refused(f"{shortened(source)} is no expression of a {what}") from error


def _check(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=value):
            _check_number(node, value)
        case ast.Name(id=name) if name in _CONSTANTS:
            pass
        case ast.Name(id=name):
            names.symbol(name)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            _check(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            _check_power(node, left, right)
        case ast.BinOp(left=left, op=op, right=right) if isinstance(op, _OPERATORS):
            _check_all(left, right)
        case ast.Compare(left=left, ops=ops, comparators=others) if all(isinstance(op, _COMPARISONS) for op in ops):
            _check_all(left, *others)
        case ast.Call(func=ast.Name(id=name)):
            _check_call(node, name)
        case _:
            raise _unknown(node)


def _check_all(*nodes: ast.expr) -> None:
    for node in nodes:
        _check(node)


def _check_call(node: ast.Call, name: str) -> None:
    if name == "Symbol":
        _check_symbol(node)
    elif name == "Float":
        _check_float(node)
    elif name == "Integer" and not node.keywords and len(node.args) == 1:
        _check_integer(node.args[0])
    elif name in _POWERS and not node.keywords and len(node.args) == 2:
        _check_power(node, *node.args)
    elif name in _FUNCTIONS and not node.keywords:
        _check_all(*node.args)
    else:
        raise _unknown(node)


def _check_number(node: ast.expr, value: object) -> None:
    whole = isinstance(value, int) and abs(value) < _LARGEST
    if not whole and not isinstance(value, float):
        raise _unknown(node)


def _check_integer(node: ast.expr) -> None:
    match node:
        case ast.Constant(value=int(value)) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int(value))):
            _check_number(node, value)
        case _:
            raise _unknown(node)


def _check_symbol(node: ast.Call) -> None:
    """A name and what is assumed of it: ``Symbol('s43', positive=True, integer=True)``."""
    match node.args:
        case [ast.Constant(value=str(name))]:
            names.symbol(name)
        case _:
            raise _unknown(node)
    for given in node.keywords:
        if given.arg not in _ASSUMPTIONS or not _is_switch(given.value):
            raise _unknown(node)


def _is_switch(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, bool)


def _check_float(node: ast.Call) -> None:
    """Digits in quotes and a precision in bits: ``Float('0.5', precision=53)``."""
    match node:
        case ast.Call(args=[ast.Constant(value=str(digits))], keywords=[ast.keyword(arg="precision", value=bits)]):
            fits = _DECIMAL.fullmatch(digits) and isinstance(bits, ast.Constant) and bits.value == 53
        case _:
            fits = None
    if not fits:
        raise _unknown(node)


def _check_power(node: ast.expr, base: ast.expr, exponent: ast.expr) -> None:
    """Exponents are small numbers or plain symbols, and no power stands in the base of another."""
    if any(_is_power(part) for part in ast.walk(base)) or not _is_small(exponent):
        raise _unknown(node)
    _check_all(base, exponent)


def _is_power(node: ast.AST) -> bool:
    named = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _POWERS
    return named or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow))


def _is_small(node: ast.expr) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="Symbol")) | ast.Name():
            return True
        case ast.Call(func=ast.Name(id="Integer"), args=[inner]):
            return _is_small(inner)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _is_small(inner)
        case ast.Call(func=ast.Name(id="Float"), args=[ast.Constant(value=str(digits)), *_]):
            return bool(_DECIMAL.fullmatch(digits)) and abs(float(digits)) <= _HIGHEST
        case ast.Constant(value=int(value) | float(value)):
            return abs(value) <= _HIGHEST
    return False


def _unknown(node: ast.expr) -> Refused:
    return Refused(f"{shortened(ast.unparse(node))} does not belong into the expression of a size")
