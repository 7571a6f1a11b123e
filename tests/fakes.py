"""A model in numpy: a list of named operations, run and traced as a loader would. Drives the engine's tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from maskcheck.core.errors import RunError
from maskcheck.core.model import ModelInfo, TensorSpec
from maskcheck.core.trace import Trace
from maskcheck.ir.input_use import InputUse
from maskcheck.ir.operation import Kind, Operation
from maskcheck.ir.settings import Pick, Reduce, Settings, Softmax
from tests.sites import site as a_site

K = Kind


@dataclass
class Node:
    """One operation: ``function`` maps the input arrays to one output array."""

    name: str
    kind: Kind
    inputs: tuple[str, ...]
    function: Callable[..., np.ndarray]
    settings: Settings | None = None
    operator: str = ""
    shape_only: bool = False


class FakeModel:
    """Implements ``maskcheck.core.model.Model`` over numpy operations."""

    def __init__(
        self,
        inputs: tuple[TensorSpec, ...],
        nodes: list[Node],
        outputs: tuple[str, ...],
        weights: Mapping[str, np.ndarray] | None = None,
        uses: tuple[InputUse, ...] = (),
        traceable: bool = True,
        **info: Any,
    ) -> None:
        self.inputs = inputs
        self.outputs = tuple(TensorSpec(name, "float32", None) for name in outputs)
        self.uses = uses
        self.info = ModelInfo("fake", "fake", None, "pytorch", **info)
        self._nodes = nodes
        self._weights = dict(weights or {})
        self.runs = 0
        self.traces = 0

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.runs += 1
        values, _ = self._execute(feeds, {})
        return {spec.name: values[spec.name] for spec in self.outputs}

    def trace(
        self,
        feeds: Mapping[str, np.ndarray],
        patches: Mapping[str, np.ndarray] | None = None,
        record: Collection[str] | None = None,
    ) -> Trace:
        self.traces += 1
        read, made = self._execute(feeds, dict(patches or {}))
        constants = frozenset(self._weights)
        tensors = {k: v for k, v in made.items() if (record is None or k in record) and k not in constants}
        sites = tuple(
            a_site(n.name, n.operator or n.kind.value, n.kind, n.inputs, (n.name,), settings=n.settings)
            for n in self._nodes
        )
        return Trace(
            sites,
            tensors,
            {spec.name: read[spec.name] for spec in self.outputs},
            frozenset(n.name for n in self._nodes if n.shape_only),
            constants,
        )

    def relaxed(self, axes: Mapping[str, Collection[int]]) -> None:
        return None

    def recast(self, precision: str) -> None:
        return None

    def close(self) -> None:
        return None

    def _execute(
        self, feeds: Mapping[str, np.ndarray], patches: dict[str, np.ndarray]
    ) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Values as readers see them (patched), and as sites made them."""
        made: dict[str, np.ndarray] = {**feeds, **self._weights}
        read = {**made, **{k: v for k, v in patches.items() if k in made}}
        for node in self._nodes:
            try:
                with np.errstate(all="ignore"):
                    value = node.function(*(read[k] for k in node.inputs))
            except (ValueError, IndexError) as error:
                raise RunError(str(error)) from error
            made[node.name] = value
            read[node.name] = patches.get(node.name, value)
        return read, made


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    e = np.exp(x - x.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)


def attention_model(
    *, masked: bool = True, pooling: str = "masked-mean", layers: int = 1, width: int = 8, seed: int = 0
) -> FakeModel:
    """Tokens and a mask through single-head attention, then pooled: the fault is chosen by the arguments."""
    rng = np.random.default_rng(seed)
    weights: dict[str, np.ndarray] = {"table": rng.standard_normal((50, width)).astype(np.float32)}
    nodes = [
        Node("embed", K.EMBEDDING, ("table", "input_ids"), lambda table, ids: table[ids]),
        Node(
            "bias",
            K.ELEMENTWISE,
            ("attention_mask",),
            lambda m: ((1 - m[:, None, :]) * np.float32(-1e9)).astype(np.float32),
        ),
    ]
    hidden = "embed"
    for i in range(layers):
        for name in "qkv":
            weights[f"w{name}{i}"] = (rng.standard_normal((width, width)) / width**0.5).astype(np.float32)
            nodes.append(Node(f"{name}{i}", K.MATMUL, (hidden, f"w{name}{i}"), lambda x, w: x @ w))
        nodes.append(Node(f"scores{i}", K.MATMUL, (f"q{i}", f"k{i}"), lambda q, k: q @ k.swapaxes(1, 2)))
        if masked:
            nodes.append(Node(f"masked{i}", K.ELEMENTWISE, (f"scores{i}", "bias"), lambda s, b: s + b))
        nodes.append(
            Node(f"softmax{i}", K.SOFTMAX, (f"masked{i}" if masked else f"scores{i}",), softmax, Softmax(axis=-1))
        )
        nodes.append(Node(f"context{i}", K.MATMUL, (f"softmax{i}", f"v{i}"), lambda p, v: p @ v))
        nodes.append(Node(f"residual{i}", K.ELEMENTWISE, (hidden, f"context{i}"), lambda a, b: np.tanh(a + b)))
        hidden = f"residual{i}"
    nodes += _pooling(hidden, pooling)
    weights["head"] = rng.standard_normal((width, 3)).astype(np.float32)
    nodes.append(Node("logits", K.MATMUL, ("pooled", "head"), lambda x, w: x @ w))
    return FakeModel(tokens_and_mask(), nodes, ("logits",), weights, token_uses())


def tokens_and_mask() -> tuple[TensorSpec, ...]:
    return (
        TensorSpec("input_ids", "int64", ("batch", "seq")),
        TensorSpec("attention_mask", "int64", ("batch", "seq")),
    )


def token_uses() -> tuple[InputUse, ...]:
    from maskcheck.ir.input_use import UseKind

    return (
        InputUse(
            input="input_ids",
            kind=UseKind.INDEX,
            site="embed",
            operator="embedding",
            operation=Operation.EMBEDDING,
            value=50,
        ),
        InputUse(
            input="attention_mask",
            kind=UseKind.OTHER,
            site="bias",
            operator="elementwise",
            operation=Operation.ELEMENTWISE,
        ),
    )


def _pooling(hidden: str, pooling: str) -> list[Node]:
    if pooling == "mean":
        return [Node("pooled", K.REDUCE_MEAN, (hidden,), lambda h: h.mean(axis=1), Reduce(axes=(1,)))]
    if pooling == "first":
        return [Node("pooled", K.INDEX, (hidden,), lambda h: h[:, 0], Pick(axis=1))]
    kept = Node("kept", K.ELEMENTWISE, (hidden, "attention_mask"), lambda h, m: h * m[..., None].astype(np.float32))
    total = Node("total", K.REDUCE_SUM, ("kept",), lambda h: h.sum(axis=1), Reduce(axes=(1,)))
    if pooling == "sum/length":
        size = Node("size", K.SHAPE, (hidden,), lambda h: np.float32(h.shape[1]), shape_only=True)
        return [kept, total, size, Node("pooled", K.ELEMENTWISE, ("total", "size"), lambda t, n: t / n)]
    count = Node("count", K.REDUCE_SUM, ("attention_mask",), lambda m: m.sum(axis=1, keepdims=True), Reduce(axes=(1,)))
    return [
        kept,
        total,
        count,
        Node("pooled", K.ELEMENTWISE, ("total", "count"), lambda t, n: (t / n).astype(np.float32)),
    ]
