"""The plain test: every row alone and unpadded, against the same row padded and beside others, in onnxruntime.

In float32, for the operators of onnxruntime are not in float64.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from evaluation.corpora.exports.registry import BATCH, Export
from evaluation.truth import Truth
from evaluation.truth.in_numpy import Drawn
from evaluation.truth.loader import Array, Loader
from evaluation.truth.rows import Answers, Ask, Rows
from evaluation.truth.twins import Twin, mates, padded

LEAK = 1e-5
"""Standard deviations in float32."""
UNDECIDED = 2e-6
"""Between the two, rounding may be all there is."""
ABOVE = 5.0
"""A quantised file leaks where padding does this many times what moving its weights and inputs by 1e-6 does."""
MOVED = 1e-6
ROWS = 12
KINDS = ("pads", "content", "mates")


def loader(export: Export, side: str) -> Loader:
    return Loader(inputs=export.inputs, draw=Drawn(), shortest=export.shortest, left=side == "left", held=export.times)


def written(export: Export, mended: bool, folder: Path) -> Path:
    path = folder / f"{export.name}_{'mended' if mended else 'leaky'}.onnx"
    if not path.exists():
        export.build(mended, path)
    return path


def asked(model: Any) -> Ask:
    """A file as a function of arrays, on one thread; what it does not take is not given to it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    given = model if isinstance(model, bytes) else str(model)
    session = onnxruntime.InferenceSession(given, options, providers=["CPUExecutionProvider"])
    takes = {x.name for x in session.get_inputs()}
    return lambda inputs: list(session.run(None, {name: x for name, x in inputs.items() if name in takes}))


def plain(export: Export, path: Path, side: str) -> Truth:
    """By ``pads`` that hold the pad value, by the ``content`` of pads that a mask or lengths hide, by ``mates``, and in
    quantised files by the ``control``. Each is the worst of all rows; in quantised files, where now and then a step
    flips, it is the mean of what is worst for each row.
    """
    rows = _rows(export, asked(path), side)
    alone = rows.alone(export.batch)
    found = rows.differences(alone, [*_padded(export, rows), *_mates(export, rows)], KINDS)
    if export.int8:
        found["control"] = _control(export, path, rows, alone)
    return verdict(export, {name: float(np.mean(x) if export.int8 else x.max()) for name, x in found.items()})


def _rows(export: Export, ask: Ask, side: str) -> Rows:
    made = loader(export, side)
    return Rows(
        loader=made, ask=ask, count=ROWS, axes=export.rows, real=lambda answer, row: _real(export, made, answer, row)
    )


def _real(export: Export, made: Loader, answer: Array, row: int) -> Array:
    """An answer without the pads of a file whose time is fixed."""
    for domain, fixed in export.times.items():
        own = made.size(row, domain)
        for axis, count in enumerate(answer.shape):
            if count == fixed:
                answer = answer.take(range(fixed - own, fixed) if made.left else range(own), axis)
    return answer


def _padded(export: Export, rows: Rows) -> Iterator[Twin]:
    """A row stands there as often as a file with a fixed batch wants it. One with a fixed time is asked what the
    content of its pads does."""
    if export.times:
        for row, noise in product(range(ROWS), () if export.shown else (0.0, 1.0, 3.0)):
            yield Twin(kind="content", rows=[row] * export.batch, noise=noise)
        return
    for twin in padded(range(ROWS), rows.loader.domains, export.shown):
        kind = "content" if twin.noise else "pads"
        yield Twin(kind=kind, rows=[*twin.rows] * export.batch, pads=twin.pads, noise=twin.noise)


def _mates(export: Export, rows: Rows) -> Iterator[Twin]:
    groups: list[list[int]] = [[*range(ROWS)], [3, 0], [0, 5], [1, 7]]
    if BATCH in export.held:
        starts = range(0, ROWS, 2) if export.batch > 1 else ()
        groups = [[(start + i) % ROWS for i in range(export.batch)] for start in starts]
    return mates(groups, rows.loader.domains, export.shown)


def _control(export: Export, path: Path, rows: Rows, alone: Mapping[int, Answers]) -> Array:
    """What moving inputs, and the weights that are still floats, by 1e-6 of themselves does."""
    ask, scales = asked(_moved(path)), rows.scales(alone)
    return np.array([_flipped(export, rows, ask, alone[row], row, scales) for row in alone])


def _moved(path: Path) -> bytes:
    model = onnx.load(str(path))
    drawn = np.random.default_rng(2)
    for weight in model.graph.initializer:
        value = onnx.numpy_helper.to_array(weight)
        if value.dtype == np.float32 and value.size > 1 and "scale" not in weight.name:
            value = (value * (1 + MOVED * drawn.standard_normal(value.shape))).astype(np.float32)
            weight.CopyFrom(onnx.numpy_helper.from_array(value, weight.name))
    return bytes(model.SerializeToString())


def _flipped(export: Export, rows: Rows, ask: Ask, before: Answers, row: int, scales: Sequence[float]) -> float:
    given, drawn = rows.loader.batch([row] * export.batch), np.random.default_rng(1)
    for name, x in given.items():
        if export.inputs[name].kind == "feats":
            given[name] = (x * (1 + MOVED * drawn.standard_normal(x.shape))).astype(x.dtype)
    after = ask(given)
    return max(rows.apart(after, place, before, row, scales) for place in range(export.batch))


def verdict(export: Export, seen: Mapping[str, float]) -> Truth:
    worst = max(value for name, value in seen.items() if name != "control")
    limit = max(LEAK, ABOVE * seen["control"]) if export.int8 else LEAK
    undecided = not export.int8 and UNDECIDED < worst <= LEAK
    return Truth(leaky=worst > limit, difference=worst, undecided=undecided, seen=dict(seen))
