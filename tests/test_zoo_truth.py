"""Holds the zoo to what it declares: plain onnxruntime runs, sharing no code with the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from tests import zoo
from tests.zoo import feeds
from tests.zoo.case import DIMENSIONS, Case, Input, Output
from tests.zoo.feeds import Row

Answers = list[np.ndarray]

SEEDS = (11, 12, 13)
VALID = {"T": 9, "S": 11, "H": 13, "W": 10}
EXTRA = (3, 4, 24)


class Model:
    """A session of one case, and the valid part of its answers."""

    def __init__(self, case: Case, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        self.case = case
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def answers(
        self,
        rows: list[Row],
        width: Mapping[str, int],
        side: str = "right",
        filler: tuple[int, float] | None = None,
    ) -> list[Answers]:
        """For each output, the valid part of every row's answer."""
        feed = feeds.batch(self.case, rows, width, side, filler)
        known = {i.name for i in self.session.get_inputs()}
        outputs = [o.name for o in self.case.outputs]
        results = self.session.run(outputs, {k: v for k, v in feed.items() if k in known})
        return [_valid(o, r, rows, side) for o, r in zip(self.case.outputs, results, strict=True)]

    def each(self, rows: list[Row], width: Mapping[str, int], **padding: object) -> list[Answers]:
        """Like ``answers``, one row at a time, or that row repeated where the graph refuses a batch of one."""
        copies = min(self.case.batches) if self.case.batches else 1
        single = [self.answers([r] * copies, width, **padding) for r in rows]  # type: ignore[arg-type]
        return [[s[k][0] for s in single] for k in range(len(self.case.outputs))]


def _valid(output: Output, result: np.ndarray, rows: list[Row], side: str) -> Answers:
    return [_crop(output, np.take(result, k, axis=output.axes.index("B")), r, side) for k, r in enumerate(rows)]


def _crop(output: Output, answer: np.ndarray, row: Row, side: str) -> np.ndarray:
    axes = output.axes.replace("B", "")
    assert answer.ndim == len(axes), f"{output.name} has axes {axes} but shape {answer.shape}"
    for k, axis in enumerate(axes):
        if axis in DIMENSIONS:
            keep = output.extent(row.lengths[axis])
            start = 0 if side == "right" else answer.shape[k] - keep
            answer = np.take(answer, range(start, start + keep), axis=k)
    return answer


def difference(a: list[Answers], b: list[Answers]) -> float:
    """The largest difference of any output, in standard deviations of ``a``; infinite where ``b`` is not finite."""
    worst = 0.0
    for left, right in zip(a, b, strict=True):
        x = np.concatenate([v.ravel() for v in left]).astype(np.float64)
        y = np.concatenate([v.ravel() for v in right]).astype(np.float64)
        assert np.isfinite(x).all(), "the reference itself is not finite"
        assert x.std() > 1e-6, "the reference is constant"
        if not np.isfinite(y).all():
            return float("inf")
        worst = max(worst, float(np.abs(x - y).max() / x.std()))
    return worst


def _rows(case: Case, grow: int = 0) -> list[Row]:
    valid = {d: max(VALID[d], case.minimum) for d in case.dimensions}
    valid = {d: min(v, case.fixed[d] - 4) if d in case.fixed else v for d, v in valid.items()}
    return [feeds.row(case, {d: n + grow for d, n in valid.items()}, seed) for seed in SEEDS]


def _width(case: Case, extra: int) -> dict[str, int]:
    first = _rows(case)[0].lengths
    return {d: case.fixed.get(d, n + extra) for d, n in first.items()}


def _free(case: Case) -> bool:
    return not any(d in case.fixed for d in case.dimensions)


def length(model: Model) -> float:
    rows, case = _rows(model.case), model.case
    plain = model.each(rows, _width(case, 0))
    return max(difference(plain, model.each(rows, _width(case, extra))) for extra in EXTRA)


def content(model: Model) -> float:
    rows, width = _rows(model.case), _width(model.case, 4)
    plain = model.each(rows, width)
    return max(difference(plain, model.each(rows, width, filler=filler)) for filler in ((5, 1.0), (6, 10.0)))


def side(model: Model) -> float:
    rows, case = _rows(model.case), model.case
    plain = model.each(rows, _width(case, 0 if _free(case) else 4))
    return max(difference(plain, model.each(rows, _width(case, extra), side="left")) for extra in EXTRA)


def _beside(model: Model, rows: list[Row], mate: Row, width: Mapping[str, int]) -> list[Answers]:
    """Each row's answers when it comes first, then last, in a batch with ``mate``."""
    count = max(model.case.batches or (2,))
    first = [model.answers([r] + [mate] * (count - 1), width) for r in rows]
    last = [model.answers([mate] * (count - 1) + [r], width) for r in rows]
    return [[s[k][0] for s in first] + [s[k][-1] for s in last] for k in range(len(model.case.outputs))]


def mates(model: Model) -> float:
    rows, width = _rows(model.case), _width(model.case, 4)
    alone = [a * 2 for a in model.each(rows, width)]
    mate = feeds.row(model.case, width, 99)
    return difference(alone, _beside(model, rows, mate, width))


def empty(model: Model) -> float:
    rows, width = _rows(model.case), _width(model.case, 4)
    alone = [a * 2 for a in model.each(rows, width)]
    nothing = feeds.row(model.case, dict.fromkeys(width, 0), 99)
    return difference(alone, _beside(model, rows, nothing, width))


def valid(model: Model) -> float:
    """Answers' smallest change when the first, or the last, valid token takes another value."""
    rows, width = _rows(model.case), _width(model.case, 4)
    plain = model.each(rows, width)
    return min(difference(plain, model.each([_changed(model.case, r, at) for r in rows], width)) for at in (0, -1))


def _changed(case: Case, row: Row, at: int) -> Row:
    content = dict(row.content)
    for item in case.spec:
        if item.role in ("tokens", "features"):
            content[item.name] = _other(item, row, at)
    return Row(row.lengths, content)


def _other(item: Input, row: Row, at: int) -> np.ndarray:
    new = row.content[item.name].copy()
    where = tuple(at if axis in DIMENSIONS else slice(None) for axis in item.axes)
    if item.role == "tokens":
        new[where] = 1 + new[where] % (item.vocabulary - 1)
    else:
        new[where] = new[where] * -2.0 + 1.0
    return new


MEASURES: Mapping[str, Callable[[Model], float]] = {
    "length": length,
    "content": content,
    "mates": mates,
    "side": side,
    "empty": empty,
    "valid": valid,
}


def _verdict(case: Case, twin: str, value: float) -> str | None:
    """What is wrong with a declared twin that measures ``value``; ``None`` if it holds."""
    reacts = value > case.least
    if twin in case.leaky and reacts == (twin == "valid"):
        return f"{twin} is declared leaky but measures {value:.3g}"
    if twin in case.clean and (value >= case.noise) != (twin == "valid"):
        return f"{twin} is declared clean but measures {value:.3g}"
    return None


def _problems(case: Case, model: Model) -> Iterable[str]:
    for twin in sorted(case.leaky | case.clean):
        problem = _verdict(case, twin, MEASURES[twin](model))
        if problem is not None:
            yield problem


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("zoo")


@pytest.mark.parametrize("case", zoo.CASES, ids=lambda c: c.name)
def test_case_behaves_as_declared(case: Case, directory: Path) -> None:
    model = Model(case, zoo.build(case.name, directory))
    assert list(_problems(case, model)) == []


def test_names_are_unique() -> None:
    names = [c.name for c in zoo.CASES]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("case", zoo.CASES, ids=lambda c: c.name)
def test_declarations_are_consistent(case: Case) -> None:
    assert case.leaky | case.clean <= zoo.TWINS
    assert not case.leaky & case.clean
    assert case.origin is None or case.leaky
