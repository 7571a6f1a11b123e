"""The plain test: every row alone and unpadded, against the same row padded and beside others, in onnxruntime.

It shares no code with anything. Run as a module it goes over the whole corpus and checks every mark.
"""

from __future__ import annotations

import sys
import tempfile
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray

from evaluation.corpora.exports.registry import BATCH, Export, Given

LEAK = 1e-5
"""Standard deviations in float32."""
UNDECIDED = 2e-6
"""Between the two, rounding may be all there is."""
ABOVE = 5.0
"""A quantised file leaks where padding does this many times what moving its weights and inputs by 1e-6 does."""
ROWS = 12
PADS = (1, 2, 5, 8)
_SIZES = (9, 7, 8, 5, 6, 9, 4, 7)
_OTHER = (6, 7, 4, 5, 7, 3, 6)
_GONE = 9.0
"""Stands for a difference from what is no number."""
Array = NDArray[Any]


def domains(export: Export) -> list[str]:
    axes = [axis for given in export.inputs.values() for axis in given.shape if isinstance(axis, str)]
    return [name for name in dict.fromkeys(axes) if name != BATCH]


def size(export: Export, row: int, domain: str) -> int:
    """How many real positions a row has."""
    sizes = _OTHER if domains(export).index(domain) else _SIZES
    return max(sizes[row % len(sizes)], export.shortest)


def batch(
    export: Export, rows: Sequence[int], side: str, pads: Mapping[str, int] | None = None, noise: float = 0.0
) -> dict[str, Array]:
    """Rows as a loader collates them, each domain ``pads`` longer than its longest row, or as long as the file says."""
    totals = {d: max(size(export, r, d) for r in rows) + (pads or {}).get(d, 0) for d in domains(export)}
    totals |= {axis: fixed for axis, fixed in export.held.items() if axis != BATCH}
    return {
        name: _collated(export, given, i, rows, totals, side, noise)
        for i, (name, given) in enumerate(export.inputs.items())
    }


def _collated(
    export: Export, given: Given, number: int, rows: Sequence[int], totals: Mapping[str, int], side: str, noise: float
) -> Array:
    if given.kind == "total":
        return np.asarray(totals[given.domain], given.dtype)
    if given.kind == "lengths":
        return np.asarray([size(export, r, given.domain) + given.offset for r in rows], given.dtype)
    at = given.shape.index(BATCH)
    shape = [totals[a] if isinstance(a, str) else a for a in given.shape if a != BATCH]
    stacked = []
    for row in rows:
        real = [size(export, row, a) if isinstance(a, str) else a for a in given.shape if a != BATCH]
        whole = _pads(given, shape, 7000 + 31 * row + number + sum(shape), noise)
        place = tuple(
            slice(t - own, t) if side == "left" else slice(0, own) for own, t in zip(real, shape, strict=True)
        )
        whole[place] = _content(given, real, 31 * row + number)
        stacked.append(whole)
    return np.stack(stacked, at)


def _pads(given: Given, shape: Sequence[int], seed: int, noise: float) -> Array:
    """What stands at the pads: the pad value, or with ``noise`` anything, where the input is content."""
    drawn = np.random.default_rng(seed)
    if given.kind == "feats":
        return (drawn.standard_normal(shape) * noise).astype(given.dtype)
    if given.kind == "ids" and noise:
        return drawn.integers(0, given.vocab, shape).astype(given.dtype)
    return np.full(shape, given.pad, given.dtype)


def _content(given: Given, shape: Sequence[int], seed: int) -> Array:
    drawn = np.random.default_rng(seed)
    if given.kind == "ids":
        found = drawn.integers(1, given.vocab, shape)
        return np.where(found == given.pad, given.pad - 1 if given.pad > 1 else 2, found).astype(given.dtype)
    if given.kind == "feats":
        return drawn.standard_normal(shape).astype(given.dtype)
    return np.full(shape, given.real if given.kind == "mask" else 0, given.dtype)


def session(model: Any) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    given = model if isinstance(model, bytes) else str(model)
    return onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])


class _File:
    """A written file, and how to ask it."""

    def __init__(self, export: Export, model: Any, side: str) -> None:
        self.export, self.side = export, side
        self.session = session(model)
        self.takes = {x.name for x in self.session.get_inputs()}

    def run(
        self, rows: Sequence[int], pads: Mapping[str, int] | None = None, noise: float = 0.0, moved: float = 0.0
    ) -> list[Array]:
        given = batch(self.export, rows, self.side, pads, noise)
        drawn = np.random.default_rng(1)
        for name, x in given.items():
            if moved and self.export.inputs[name].kind == "feats":
                given[name] = (x * (1 + moved * drawn.standard_normal(x.shape))).astype(x.dtype)
        return list(self.session.run(None, {name: x for name, x in given.items() if name in self.takes}))

    def alone(self, row: int, **told: Any) -> list[Array]:
        """A row alone, as often as a file with a fixed batch wants it."""
        return self.run([row] * self.export.held.get(BATCH, 1), **told)


def written(export: Export, mended: bool, folder: str | Path) -> Path:
    path = Path(folder) / f"{export.name}_{'mended' if mended else 'leaky'}.onnx"
    if not path.exists():
        export.build(mended, path)
    return path


def plain(export: Export, path: Path, side: str) -> dict[str, float]:
    """Differences in standard deviations.

    By ``pads`` that hold the pad value, by the ``content`` of pads that a mask or lengths hide, by ``mates``, and in
    quantised files by the ``control``. Each is the worst of all rows; in quantised files, where now and then a step
    flips, it is the mean of what is worst for each row.
    """
    file = _File(export, path, side)
    alone = {row: file.alone(row) for row in range(ROWS)}
    scales = [
        max(float(np.nanstd(np.concatenate([_real(export, alone[r][i], r, side).ravel() for r in alone]))), 1e-12)
        for i in range(len(alone[0]))
    ]
    found = _padded(file, alone, scales) | {"mates": _mates(file, alone, scales)}
    if export.int8:
        found["control"] = _control(file, path, alone, scales)
    return {name: float(np.mean(rows) if export.int8 else rows.max()) for name, rows in found.items()}


def _padded(file: _File, alone: Mapping[int, list[Array]], scales: Sequence[float]) -> dict[str, Array]:
    export = file.export
    found = {"pads": np.zeros(ROWS), "content": np.zeros(ROWS)}
    if any(axis != BATCH for axis in export.held):
        for row, noise in product(alone, (0.0, 1.0, 3.0)):
            if not export.shown:
                apart = _apart(file, file.alone(row, noise=noise), alone[row], row, scales)
                found["content"][row] = max(found["content"][row], apart)
        return found
    axes = domains(export)
    chosen = [[d] for d in axes] + ([axes] if len(axes) > 1 else [])
    for row, count, longer in product(alone, PADS, chosen):
        for kind, noise in (("pads", 0.0),) if export.shown else (("pads", 0.0), ("content", 3.0)):
            after = file.alone(row, pads=dict.fromkeys(longer, count), noise=noise)
            found[kind][row] = max(found[kind][row], _apart(file, after, alone[row], row, scales))
    return found


def _mates(file: _File, alone: Mapping[int, list[Array]], scales: Sequence[float]) -> Array:
    export, worst = file.export, np.zeros(ROWS)
    fixed = export.held.get(BATCH)
    groups = [[*range(ROWS)], [3, 0], [0, 5], [1, 7]]
    if fixed is not None:
        groups = [[(start + i) % ROWS for i in range(fixed)] for start in range(0, ROWS, 2)] if fixed > 1 else []
    for rows, extra, noise in product(groups, (0, 3), (0.0,) if export.shown else (0.0, 3.0)):
        beside = file.run(rows, dict.fromkeys(domains(export), extra), noise)
        for place, row in enumerate(rows):
            worst[row] = max(worst[row], _apart(file, beside, alone[row], row, scales, place))
    return worst


def _control(file: _File, path: Path, alone: Mapping[int, list[Array]], scales: Sequence[float]) -> Array:
    """What moving inputs, and the weights that are still floats, by 1e-6 of themselves does."""
    model = onnx.load(str(path))
    drawn = np.random.default_rng(2)
    for weight in model.graph.initializer:
        value = onnx.numpy_helper.to_array(weight)
        if value.dtype == np.float32 and value.size > 1 and "scale" not in weight.name:
            value = (value * (1 + 1e-6 * drawn.standard_normal(value.shape))).astype(np.float32)
            weight.CopyFrom(onnx.numpy_helper.from_array(value, weight.name))
    moved = _File(file.export, model.SerializeToString(), file.side)
    return np.array([_apart(file, moved.alone(row, moved=1e-6), alone[row], row, scales) for row in alone])


def _real(export: Export, answer: Array, row: int, side: str) -> Array:
    """An answer without the pads of a file whose time is fixed."""
    for domain, fixed in export.held.items():
        if domain == BATCH:
            continue
        own = size(export, row, domain)
        for axis, count in enumerate(answer.shape):
            if count == fixed:
                answer = answer.take(range(fixed - own, fixed) if side == "left" else range(own), axis)
    return answer


def _apart(
    file: _File,
    after: Sequence[Array],
    before: Sequence[Array],
    row: int,
    scales: Sequence[float],
    place: int | None = None,
) -> float:
    """The largest difference of the answers for one row: in one place of ``after``, or in all."""
    worst, export = 0.0, file.export
    for i, (then, own, scale) in enumerate(zip(after, before, scales, strict=True)):
        axis = export.rows[min(i, len(export.rows) - 1)]
        for at in range(own.shape[axis]) if place is None else (place,):
            x = then.take(at, axis).astype(float)
            y = own.take(at if own.shape[axis] > 1 else 0, axis).astype(float)
            x, y = _real(export, x, row, file.side), _real(export, y, row, file.side)
            worst = max(worst, _gap(x, y, file.side) / scale)
    return worst


def _gap(x: Array, y: Array, side: str) -> float:
    """The largest difference at the positions of ``y``, the smaller one."""
    for axis, (more, own) in enumerate(zip(x.shape, y.shape, strict=True)):
        if more != own:
            x = x.take(range(more - own, more) if side == "left" else range(min(own, more)), axis)
    if x.shape != y.shape:
        return _GONE
    with np.errstate(invalid="ignore"):
        gap = np.where((x == y) | (np.isnan(x) & np.isnan(y)), 0.0, np.abs(x - y))
    return float(np.nan_to_num(gap, nan=_GONE, posinf=_GONE).max(initial=0.0))


def verdict(export: Export, found: Mapping[str, float]) -> str:
    """Whether a file leaks, in one word."""
    worst = max(value for name, value in found.items() if name != "control")
    if export.int8:
        limit = max(LEAK, ABOVE * found["control"])
        return "leak" if worst > limit else "clean"
    return "leak" if worst > LEAK else "undecided" if worst > UNDECIDED else "clean"


def first_nodes(export: Export, path: Path, side: str) -> set[str]:
    """The nodes of the main graph whose outputs at real positions are the first to differ, over several twins.

    Only numbers that depend on the content of inputs count: a length that was read from a shape may differ.
    """
    model = onnx.load(str(path))
    wanted, floats = _everything(model)
    found: set[str] = set()
    takes = {x.name for x in wanted.get_inputs()}
    known = {**export.held, **export.inside}
    for row, plainly, padded in _twins(export, side):
        before, after = (wanted.run(floats, {k: v for k, v in x.items() if k in takes}) for x in (plainly, padded))
        fixed = [(known[d], size(export, row, d)) for d in domains(export) if d in known]
        differ = {name for name, x, y in zip(floats, after, before, strict=True) if _differ(x, y, side, fixed)}
        found |= {
            node.name
            for node in model.graph.node
            if differ & set(node.output) and not differ & (set(node.input) | _within(node))
        }
    return found


def _twins(export: Export, side: str) -> Iterator[tuple[int, dict[str, Array], dict[str, Array]]]:
    """A row, what is given for it alone, and what is given for it padded, or with a longer one beside."""
    free = [d for d in domains(export) if d not in export.held]
    noises = (0.0,) if export.shown else (0.0, 3.0)
    for row, noise in product((0, 3, 6), noises):
        rows = [row] * export.held.get(BATCH, 1)
        plainly = batch(export, rows, side)
        for count, longer in product((2, 8), [[d] for d in free] + [free]):
            if longer or noise:
                yield row, plainly, batch(export, rows, side, dict.fromkeys(longer, count), noise)
        if row and not export.held:
            yield row, plainly, batch(export, [0, row] if side == "left" else [row, 0], side, None, noise)


def _differ(x: Array, y: Array, side: str, fixed: Sequence[tuple[int, int]]) -> bool:
    x, y = np.asarray(x, float), np.asarray(y, float)
    for whole, own in fixed:
        for axis, count in enumerate(y.shape):
            if count == whole == x.shape[axis]:
                kept = range(whole - own, whole) if side == "left" else range(own)
                x, y = x.take(kept, axis), y.take(kept, axis)
    scale = float(np.nanstd(y)) if y.size > 1 else float(np.abs(y).max(initial=0.0))
    if not np.isfinite(scale) or x.ndim != y.ndim:
        return False
    return _gap(x, y, side) > 1e-4 * max(scale, 1e-6)


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


def check(export: Export, folder: str | Path) -> list[str]:
    """One line for every case of an export, and what is wrong with it."""
    lines = []
    for mended in (False, True):
        began = time.monotonic()
        path = written(export, mended, folder)
        took = time.monotonic() - began
        for side in export.sides:
            found = plain(export, path, side)
            told = verdict(export, found)
            wrong = "" if (told == "leak") == export.leaky_on(side, mended) and told != "undecided" else "  WRONG"
            if told == "leak" and not mended:
                wrong += _marks(export, path, side)
            numbers = " ".join(f"{name} {value:.1e}" for name, value in found.items())
            state = "mended" if mended else "leaky "
            lines.append(f"{export.name:34} {export.mechanism:7} {state} {side:5} {numbers} {took:.1f}s{wrong}")
    return lines


def main(wanted: Sequence[str]) -> None:
    """Every export, or those whose module or name is wanted."""
    from evaluation.corpora.exports import cases
    from evaluation.corpora.exports.registry import EXPORTS

    assert cases
    with tempfile.TemporaryDirectory() as folder:
        for export in EXPORTS.values():
            if wanted and export.module not in wanted and export.name not in wanted:
                continue
            try:
                print("\n".join(check(export, folder)), flush=True)
            except Exception as error:
                print(
                    f"{export.name:34} {export.mechanism:7} FAILED {type(error).__name__}: {str(error)[-300:]}",
                    flush=True,
                )


def seed(name: str) -> int:
    return zlib.crc32(name.encode()) % 100_000


if __name__ == "__main__":
    main(sys.argv[1:])
