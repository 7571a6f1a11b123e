"""What one run of a model computed, where, and from what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np


class OperationKind(StrEnum):
    """What an operation does to a sequence, in words shared by all frameworks. Loaders translate their operators."""

    ELEMENTWISE = "elementwise"  # arithmetic, activations, casts, comparisons, selection: position by position
    MATMUL = "matmul"  # matrix products, dense layers, einsum
    SOFTMAX = "softmax"  # normalises along ``axis``
    ATTENTION = "attention"  # a fused attention operator
    REDUCE_MEAN = "reduce-mean"
    REDUCE_SUM = "reduce-sum"
    REDUCE_MAX = "reduce-max"
    REDUCE_OTHER = "reduce-other"  # products, norms, argmax, logsumexp along ``axes``
    NORMALIZATION = "normalization"  # layer, batch, instance, group normalisation as one operator
    CONVOLUTION = "convolution"
    WINDOW = "window"  # strided pooling
    RECURRENT = "recurrent"  # LSTM, GRU, RNN
    SCAN = "scan"  # cumulative sums, loops and scans over time, state-space scans
    FOURIER = "fourier"
    EMBEDDING = "embedding"  # rows of a table picked by integer input
    INDEX = "index"  # gather, slice, split: picks positions
    LAYOUT = "layout"  # reshape, transpose, expand, squeeze: moves values, computes none
    CONCATENATE = "concatenate"
    PAD = "pad"
    QUANTIZE = "quantize"  # quantises activations with a scale measured on the run's own data
    STATIC_QUANTIZE = "static-quantize"  # quantises with a constant scale
    ROUTING = "routing"  # top-k, scatter, sort, non-zero: positions chosen by data
    RANDOM = "random"  # dropout left on, sampling
    SHAPE = "shape"  # sizes of tensors
    SUBGRAPH = "subgraph"  # If, Loop, Scan, a function call: opaque inside
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of the user's own source code that an exporter or tracer recorded."""

    file: str
    line: int
    function: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Site:
    """A named place where tensors are made: an ONNX node, a torch op inside a module, a Keras layer.

    ``inputs`` and ``outputs`` are tensor keys; a key is stable between runs of one model, however the runs differ in
    length. ``attributes`` holds the operator's settings with the field's usual names (``axis``, ``axes``,
    ``kernel_size``...).
    """

    name: str
    operation: str
    kind: OperationKind
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    module: str | None = None
    module_class: str | None = None
    source: SourceLine | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Trace:
    """One instrumented run.

    ``tensors`` maps keys (model inputs included) to what was computed; a key that is absent was not observable.
    ``shape_only`` names tensors computed from sizes alone: they differ between lengths by nature and carry no content.
    ``constants`` names tensors that no input reaches, weights above all; small ones may appear in ``tensors``.
    ``attention`` maps the name of an attention site to its weights ``(batch, heads, queries, keys)`` where the
    operator is fused and the loader recomputed them from its inputs.
    """

    sites: tuple[Site, ...]
    tensors: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    outputs: Mapping[str, np.ndarray[Any, np.dtype[Any]]]
    shape_only: frozenset[str] = frozenset()
    constants: frozenset[str] = frozenset()
    attention: Mapping[str, np.ndarray[Any, np.dtype[Any]]] = field(default_factory=dict)
