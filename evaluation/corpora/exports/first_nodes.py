"""``python -m evaluation.corpora.exports.first_nodes [NAME ...]``: is every mark where a difference is first seen?

Goes over all exports, or those whose module or name is given, and prints what padding does to each.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from evaluation.corpora.exports import truth
from evaluation.corpora.exports.registry import EXPORTS, Export
from evaluation.truth.gaps import gap
from evaluation.truth.loader import Array, Loader
from evaluation.truth.twins import noises


def first_nodes(export: Export, path: Path, side: str) -> set[str]:
    """The nodes of the main graph whose outputs at real positions are the first to differ, over several twins.

    Only numbers that depend on the content of inputs count: a length that was read from a shape may differ.
    """
    model = onnx.load(str(path))
    wanted, floats = _everything(model)
    found: set[str] = set()
    takes = {x.name for x in wanted.get_inputs()}
    loader, known = truth.loader(export, side), {**export.held, **export.inside}
    for row, plainly, padded in _twins(export, loader):
        before, after = (wanted.run(floats, {k: v for k, v in x.items() if k in takes}) for x in (plainly, padded))
        fixed = [(known[d], loader.size(row, d)) for d in loader.domains if d in known]
        differ = {n for n, x, y in zip(floats, after, before, strict=True) if _differ(x, y, loader.left, fixed)}
        found |= {
            node.name
            for node in model.graph.node
            if differ & set(node.output) and not differ & (set(node.input) | _within(node))
        }
    return found


def _twins(export: Export, loader: Loader) -> Iterator[tuple[int, dict[str, Array], dict[str, Array]]]:
    """A row, what is given for it alone, and what is given for it padded, or with a longer one beside."""
    free = [d for d in loader.domains if d not in export.held]
    for row, noise in product((0, 3, 6), noises(export.shown)):
        rows = [row] * export.batch
        plainly = loader.batch(rows)
        for count, longer in product((2, 8), [[d] for d in free] + [free]):
            if longer or noise:
                yield row, plainly, loader.batch(rows, dict.fromkeys(longer, count), noise)
        if row and not export.held:
            yield row, plainly, loader.batch([0, row] if loader.left else [row, 0], None, noise)


def _differ(x: Array, y: Array, left: bool, fixed: Sequence[tuple[int, int]]) -> bool:
    x, y = np.asarray(x, float), np.asarray(y, float)
    for whole, own in fixed:
        for axis, count in enumerate(y.shape):
            if count == whole == x.shape[axis]:
                kept = range(whole - own, whole) if left else range(own)
                x, y = x.take(kept, axis), y.take(kept, axis)
    scale = float(np.nanstd(y)) if y.size > 1 else float(np.abs(y).max(initial=0.0))
    if not np.isfinite(scale) or x.ndim != y.ndim:
        return False
    return gap(x, y, left) > 1e-4 * max(scale, 1e-6)


def _everything(model: Any) -> tuple[onnxruntime.InferenceSession, list[str]]:
    """A session in which every number that depends on content is an output, and the names of these."""
    known = _types(model)
    content = {x.name for x in model.graph.input}
    for node in model.graph.node:
        used = set(node.input) | _within(node)
        if node.op_type not in ("Shape", "Size") and used & content:
            content |= set(node.output)
    told = {x.name for x in model.graph.output}
    read = told | {n for node in model.graph.node for n in node.input} | _inner(model)
    asked = [
        name
        for node in model.graph.node
        for name in node.output
        if name in read and name in content and known.get(name)
    ]
    for name in asked:
        if name not in told:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, known[name], None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return made, asked


def _within(node: Any) -> set[str]:
    """What the body of a node reads."""
    return {name for told in node.attribute for inner in told.g.node for name in inner.input}


def _inner(model: Any) -> set[str]:
    return {name for node in model.graph.node for name in _within(node)}


def _types(model: Any) -> dict[str, int]:
    """The types of floats, of bytes and of their sums, as onnxruntime finds them; 0 for others."""
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    told = {x.name for x in whole.graph.output}
    for node in whole.graph.node:
        for name in node.output:
            if name and name not in told:
                whole.graph.output.append(onnx.ValueInfoProto(name=name))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    made = onnxruntime.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    sums = {name for node in model.graph.node if node.op_type.endswith("Integer") for name in node.output}
    kinds = {
        "tensor(float)": onnx.TensorProto.FLOAT,
        "tensor(uint8)": onnx.TensorProto.UINT8,
        "tensor(int8)": onnx.TensorProto.INT8,
        "tensor(bool)": onnx.TensorProto.BOOL,
    }
    found = {x.name: kinds.get(x.type, 0) for x in made.get_outputs()}
    return found | dict.fromkeys(sums & set(found), onnx.TensorProto.INT32)


def _marks(export: Export, path: Path, side: str) -> str:
    """What is wrong with the marks: every place is a first node, and every first node a place, or one behind it."""
    model = onnx.load(str(path))
    marked, first = export.places(model), first_nodes(export, path, side)
    behind = export.also(model) if export.also else set()
    names = {node.name for node in model.graph.node}
    right = marked and marked <= first <= marked | behind and behind <= names
    right = right and (export.also is None or behind) and (export.cause is None or export.cause(model))
    return "" if right else f"  PLACES marked {sorted(marked)} behind {sorted(behind)} first {sorted(first)}"


def check(export: Export, folder: Path) -> list[str]:
    """One line for every case of an export, and what is wrong with it."""
    lines = []
    for mended in (False, True):
        began = time.monotonic()
        path = truth.written(export, mended, folder)
        took = time.monotonic() - began
        lines += [f"{_checked(export, path, side, mended)} {took:.1f}s" for side in export.sides]
    return lines


def _checked(export: Export, path: Path, side: str, mended: bool) -> str:
    found = truth.plain(export, path, side)
    right = found.leaky == export.leaky_on(side, mended) and not found.undecided
    wrong = "" if right else "  WRONG"
    if found.leaky and not mended:
        wrong += _marks(export, path, side)
    numbers = " ".join(f"{name} {value:.1e}" for name, value in found.seen.items())
    state = "mended" if mended else "leaky "
    return f"{export.name:34} {export.mechanism:7} {state} {side:5} {numbers}{wrong}"


def main(wanted: Sequence[str]) -> None:
    """Every export, or those whose module or name is wanted."""
    from evaluation.corpora.exports import corpus

    assert corpus  # importing it fills the list
    with tempfile.TemporaryDirectory() as folder:
        for export in EXPORTS.values():
            if not wanted or export.field in wanted or export.name in wanted:
                print(_told(export, Path(folder)), flush=True)


def _told(export: Export, folder: Path) -> str:
    try:
        return "\n".join(check(export, folder))
    except Exception as error:
        return f"{export.name:34} {export.mechanism:7} FAILED {type(error).__name__}: {str(error)[-300:]}"


if __name__ == "__main__":
    main(sys.argv[1:])
