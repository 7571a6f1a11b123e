"""The layout of outputs longer than their input: the reading under which a padded row lies over an unpadded one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Contract, Layout, OutputKind
from maskcheck.probe.contract.behaviour import Working, attempt
from maskcheck.probe.contract.layouts import settle
from tests.unit.probe.build import STEPS, X, contract, features

END = np.full((1, 2, 3), 7.0)
TOLD = contract(X, output=STEPS)


def settled(answer: Callable[[np.ndarray], np.ndarray], told: Contract = TOLD, limit: int = 99) -> Layout:
    def run(x: np.ndarray) -> np.ndarray:
        if x.shape[1] > limit:
            raise ValueError("too long")
        return answer(x)

    model = features(run, mask=False)
    working = Working(2, {"seq": 5}, attempt(model, told, 2, {"seq": 5}))
    return settle(model, told, working).outputs[0].layout


def beside(x: np.ndarray, *parts: np.ndarray) -> np.ndarray:
    return np.concatenate([np.broadcast_to(p, (len(x), *p.shape[1:])) for p in parts], axis=1)


@pytest.mark.parametrize(
    ("answer", "layout"),
    [
        (lambda x: x, Layout.TOGETHER),
        (lambda x: beside(x, END, x), Layout.TOGETHER),
        (lambda x: beside(x, x, END), Layout.BEHIND),
        (lambda x: beside(x, x, x + 1), Layout.BLOCKS),
        (lambda x: beside(x, x, -x, x + 1), Layout.BLOCKS),
        (lambda x: np.repeat(x, 2, axis=1), Layout.TOGETHER),
        (lambda x: x[:, ::2], Layout.TOGETHER),
    ],
)
def test_the_reading_with_the_smallest_difference_is_right(
    answer: Callable[[np.ndarray], np.ndarray], layout: Layout
) -> None:
    assert settled(answer) is layout


def test_where_nothing_longer_runs_positions_stand_together() -> None:
    assert settled(lambda x: beside(x, x, END), limit=7) is Layout.TOGETHER
    assert settled(lambda x: beside(x, x, END), limit=8) is Layout.BEHIND


@pytest.mark.parametrize(
    "told",
    [
        replace(TOLD, outputs=(replace(STEPS, kind=OutputKind.ATTENTION),)),
        replace(TOLD, outputs=(replace(STEPS, dims=(BATCH, "seq", "seq")),)),
        replace(TOLD, outputs=(replace(STEPS, dims=(BATCH, None, None)),)),
        contract(X, output=STEPS, fixed=5),
    ],
    ids=["attention", "two lengths", "no length", "a fixed length"],
)
def test_only_sequences_of_one_free_length_are_settled(told: Contract) -> None:
    assert settled(lambda x: beside(x, x, END), told) is Layout.TOGETHER


def test_outputs_are_settled_each_by_itself() -> None:
    told = replace(TOLD, outputs=(STEPS, replace(STEPS, name="mask", dims=(BATCH, "seq"))))
    model = features(lambda x, mask: beside(x, x, END))
    model.outputs = (*model.outputs, replace(model.outputs[0], name="mask"))
    told = replace(told, inputs=contract().inputs)
    working = Working(2, {"seq": 5}, attempt(model, told, 2, {"seq": 5}))
    found = settle(model, told, working)
    assert [o.layout for o in found.outputs] == [Layout.BEHIND, Layout.TOGETHER]
