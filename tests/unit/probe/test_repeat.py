"""The repeat twin: a model may differ from itself by the order of its sums, and by nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.report import Status, TwinKind
from maskcheck.probe.twins.repeat import repeat
from tests.unit.probe.build import context, features, masked_mean


@pytest.mark.parametrize(
    ("by", "status"), [(0.0, Status.CLEAN), (0.9e-6, Status.CLEAN), (1.1e-6, Status.LEAKY), (0.5, Status.LEAKY)]
)
def test_answers_that_differ_from_call_to_call_are_the_finding(by: float, status: Status) -> None:
    calls: list[int] = []

    def restless(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        calls.append(1)
        sound = masked_mean(x, mask)
        return sound + by * sound.std() * (len(calls) % 2)

    asked = context(features(restless))
    found = repeat(asked.runner, asked.base, asked.reference, asked.plan.domain)
    row = found.row
    assert (row.twin, row.status, row.gating, row.domain) == (TwinKind.REPEAT, status, False, "seq")
    assert (row.reason is None) is (status is Status.CLEAN)
    assert by != 0.5 or row.reason == "the same input gives answers 0.5 sd apart"
