"""Runs a frozen graph, with any of its tensors fetched and any replaced for those who read it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib import import_module
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import Array
from maskcheck.ir.dependence import Dependence, Level
from maskcheck.loaders.keras.frozen_graph.graph import FrozenGraph

_READ = "maskcheck_read"
_MOST = 2**30
"""Bytes of weights that the executors of one session may hold: there is one for each set of tensors asked for."""


class FrozenGraphSession:
    """A session of TensorFlow in which nothing is fused or folded, so that every tensor exists."""

    def __init__(self, graph: FrozenGraph, dependence: Dependence) -> None:
        self._graph = graph
        self._proto, self._points = _add_read_points(graph, dependence)
        self._size = graph.proto.ByteSize()
        self._seen: set[tuple[frozenset[str], frozenset[str]]] = set()
        self._session: Any = None

    def run(self, feeds: Mapping[str, Array], patches: Mapping[str, Array], fetch: Collection[str]) -> dict[str, Array]:
        """Values of the tensors called ``fetch``, as they were computed; readers of a patched one get the patch.

        Raises:
            RunError: the model refused these inputs.
        """
        keys = [key for key in fetch if key in self._graph.tensors]
        fed = {self._graph.tensors[key]: self._as_typed(key, value) for key, value in feeds.items()}
        fed |= {self._points[key]: self._as_typed(key, value) for key, value in patches.items()}
        session = self._session_for(frozenset(fed), frozenset(keys))
        try:
            values = session.run([self._graph.tensors[key] for key in keys], fed)
        except Exception as error:
            raise RunError(_reason(error)) from error
        return {key: _widen(value) for key, value in zip(keys, values, strict=True)}

    def can_patch(self, key: str) -> bool:
        return key in self._points

    def close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None

    def _as_typed(self, key: str, value: Array) -> Array:
        return np.asarray(value, dtype=self._graph.dtypes[key])

    def _session_for(self, fed: frozenset[str], keys: frozenset[str]) -> Any:
        self._seen.add((fed, keys))
        if len(self._seen) * self._size > _MOST and len(self._seen) > 1:
            self.close()
            self._seen = {(fed, keys)}
        if self._session is None:
            tensorflow = import_module("tensorflow")
            graph = tensorflow.Graph()
            with graph.as_default():
                tensorflow.graph_util.import_graph_def(self._proto, name="")
            config = tensorflow.compat.v1.ConfigProto()
            config.graph_options.rewrite_options.disable_meta_optimizer = True
            config.graph_options.optimizer_options.opt_level = -1
            self._session = tensorflow.compat.v1.Session(graph=graph, config=config)
        return self._session


def _add_read_points(graph: FrozenGraph, dependence: Dependence) -> tuple[Any, dict[str, str]]:
    """The graph with a point behind each tensor through which it is read, and the points by key.

    A tensor that is fed cannot be fetched as it was computed; the point behind it is fed instead. Who runs before whom
    is left out: without state it means nothing, and it makes constants of a called function wait for the inputs.
    """
    dtypes = import_module("tensorflow").dtypes
    proto = type(graph.proto)()
    proto.CopyFrom(graph.proto)
    points: dict[str, str] = {}
    moved: dict[str, str] = {}
    for i, (key, tensor) in enumerate(graph.tensors.items()):
        if dependence.level(key) is not Level.CONSTANT:
            points[key] = f"{_READ}/{i}:0"
            moved[tensor] = f"{_READ}/{i}"
    for node in proto.node:
        read = [name for name in node.input if not name.startswith("^")]
        node.ClearField("input")
        node.input.extend(moved.get(name if ":" in name else f"{name}:0", name) for name in read)
    for key, point in points.items():
        node = proto.node.add(name=point.removesuffix(":0"), op="Identity", input=[graph.tensors[key]])
        node.attr["T"].type = dtypes.as_dtype(graph.dtypes[key]).as_datatype_enum
    return proto, points


def _reason(error: Exception) -> str:
    """The line of TensorFlow's message that says what is wrong."""
    lines = [line.strip() for line in (getattr(error, "message", None) or str(error)).splitlines()]
    said = [line for line in lines if line and not line.startswith(("Graph execution error", "Detected at", "Node:"))]
    return said[0][:300] if said else type(error).__name__


def _widen(value: Any) -> Array:
    """bfloat16 comes as float32, which numpy knows."""
    found = np.asarray(value)
    return found.astype(np.float32) if found.dtype.name == "bfloat16" else found
