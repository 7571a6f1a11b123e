"""How inputs and outputs nest, as lists, tuples and dictionaries. Classes of strangers are never looked up.

Torch imports what a tree names: the module of an enumeration or of a default factory. Here a class that is not one of
Python's own becomes a dictionary of its parts where it names them, and a tuple where it does not: the graph takes and
gives the parts alone.
"""

from __future__ import annotations

import json
from typing import Any

from maskcheck.loaders.pytorch.pt2 import names
from maskcheck.loaders.pytorch.pt2.refusal import Damaged, Refused, inside, shortened

_LEAF: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
_SEQUENCES = ("builtins.tuple", "builtins.list")
_MAPPINGS = ("builtins.dict", "collections.OrderedDict")
_PROTOCOL = 1


def tree(value: Any) -> str:
    """A tree written anew.

    Raises:
        Damaged: it is none.
        Refused: a part of it would be more than a container.
    """
    try:
        protocol, root = json.loads(names.text(value))
    except (ValueError, TypeError, RecursionError) as error:
        raise Damaged(f"{shortened(value)} is no tree") from error
    if protocol != _PROTOCOL:
        raise Refused(f"a tree of protocol {shortened(protocol)} is not known")
    return json.dumps([_PROTOCOL, _node(root)])


def _node(node: Any) -> dict[str, Any]:
    if not isinstance(node, dict) or set(node) != set(_LEAF) or not isinstance(node["children_spec"], list):
        raise Damaged(f"{shortened(node)} is no part of a tree")
    if node == _LEAF:
        return dict(_LEAF)
    kind = names.text(node["type"])
    children = [_node(child) for child in node["children_spec"]]
    with inside(shortened(kind)[1:-1]):
        return _container(kind, node["context"], children)


def _container(kind: str, context: Any, children: list[dict[str, Any]]) -> dict[str, Any]:
    if kind in _SEQUENCES:
        return _built(kind, None, children)
    keys = _keys(context, len(children))
    if kind in _MAPPINGS and keys is None:
        raise Refused(f"its keys {shortened(context)} are no plain list")
    if kind in _MAPPINGS:
        return _built(kind, keys, children)
    if _names_more(context):
        raise Refused(f"it would import what it names: {shortened(context)}")
    return _built("builtins.tuple" if keys is None else "builtins.dict", keys, children)


def _built(kind: str, context: list[Any] | None, children: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": kind, "context": json.dumps(context), "children_spec": children}


def _keys(context: Any, count: int) -> list[Any] | None:
    """As many different keys as there are children; ``None`` where the context is anything else."""
    try:
        keys = json.loads(context)
    except (ValueError, TypeError, RecursionError):
        return None
    plain = isinstance(keys, list) and all(key is None or isinstance(key, str | int | float) for key in keys)
    return keys if plain and len(set(keys)) == len(keys) == count else None


def _names_more(context: Any) -> bool:
    """Whether there is more to it than plain values: a default factory, an enumeration."""
    return not (context is None or isinstance(context, str)) or "__enum__" in (context or "")
