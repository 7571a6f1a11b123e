"""Whether an answer changed, for outputs where that means something."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, OutputContract, OutputKind
from maskcheck.probe.decisions import decisions_changed

POOLED, SEQUENCE = OutputKind.POOLED, OutputKind.SEQUENCE


def told(name: str, kind: OutputKind, before: list[object], after: list[object]) -> str | None:
    spec = OutputContract(name, kind, (BATCH,), None, "")
    return decisions_changed(spec, [np.asarray(a) for a in before], [np.asarray(a) for a in after])


EYE = list(np.eye(3) * 1.0)
WIDE = list(np.eye(3, 64))


@pytest.mark.parametrize(
    ("name", "kind", "before", "after", "expected"),
    [
        ("logits", POOLED, [[0.1, 0.2]], [[0.2, 0.1]], "1/1"),
        ("logits", POOLED, [[0.1, 0.2], [1.0, 0.0]], [[0.2, 0.1], [1.0, 0.5]], "1/2"),
        ("logits", SEQUENCE, [[[0.1, 0.2], [1.0, 0.0]]], [[[0.2, 0.1], [1.0, 0.0]]], "1/2"),
        ("logits", SEQUENCE, [[[0.1], [0.2]]], [[[0.2], [0.1]]], None),
        ("logits", OutputKind.ATTENTION, [[[0.1, 0.2]]], [[[0.2, 0.1]]], None),
        ("logits", OutputKind.CACHE, [[0.1, 0.2]], [[0.2, 0.1]], None),
        ("answer", POOLED, [[0.1, 0.2]], [[0.2, 0.1]], "1/1"),
        ("answer", SEQUENCE, [[[0.1, 0.2]]], [[[0.2, 0.1]]], "1/1"),
        ("hidden", SEQUENCE, [[[0.1, 0.2]]], [[[0.2, 0.1]]], None),
        ("answer", SEQUENCE, [np.zeros((2, 64))], [np.ones((2, 64))], None),
        ("answer", SEQUENCE, [np.zeros((2, 63))], [np.ones((2, 63))], "0/2"),
        ("logits", SEQUENCE, [np.zeros((2, 64))], [np.ones((2, 64))], "0/2"),
        ("answer", SEQUENCE, [np.zeros((2, 3, 4))], [np.ones((2, 3, 4))], None),
        ("ids", POOLED, [[1, 2, 3]], [[1, 5, 3]], "1/3"),
        ("ids", SEQUENCE, [[1, 2], [3, 4]], [[2, 2], [3, 5]], "2/4"),
        ("sentence_embedding", POOLED, [[0.1, 0.2]], [[0.2, 0.1]], None),
        ("sentence_embedding", POOLED, EYE, EYE, "0/3"),
        ("answer", POOLED, WIDE[:2], WIDE[:2], None),
        ("answer", POOLED, WIDE, WIDE, "0/3"),
        ("score", POOLED, [[2.0], [-1.0]], [[-2.0], [-1.0]], "1/2"),
        ("score", POOLED, [[0.6], [0.4]], [[0.4], [0.45]], "1/2"),
        ("score", POOLED, [[0.2], [1.1]], [[0.1], [1.0]], "0/2"),
        ("score", POOLED, [[0.2], [1.0]], [[0.1], [0.9]], "0/2"),
        ("score", POOLED, [0.6, -1.0], [-0.6, -1.0], "1/2"),
        ("score", SEQUENCE, [0.6], [-0.6], None),
        ("score", POOLED, [3, 4], [3, 5], "1/2"),
        ("logits", POOLED, [[0.1, 0.2]], [[0.2, 0.1, 0.3]], None),
        ("logits", POOLED, [[np.nan, 0.2]], [[0.3, 0.2]], "1/1"),
        ("logits", POOLED, [], [], None),
    ],
)
def test_changed_decisions_of_all(
    name: str, kind: OutputKind, before: list[object], after: list[object], expected: str | None
) -> None:
    assert told(name, kind, before, after) == expected


def test_vectors_decide_by_which_other_one_is_nearest() -> None:
    before = [[1.0, 0.0, 0.0], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0]]
    after = [[1.0, 0.0, 0.0], [0.0, 0.1, 0.9], [0.0, 0.0, 1.0]]
    assert told("sentence_embedding", POOLED, before, [[5.0, 0, 0], *before[1:]]) == "0/3", "length is no direction"
    assert told("sentence_embedding", POOLED, before, after) == "2/3"
