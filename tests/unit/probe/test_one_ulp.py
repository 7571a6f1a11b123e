"""A unit in the last place is one of the type the model computes in."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.contract import InputContract, Role
from maskcheck.core.trace import Trace
from maskcheck.probe.entry import EntryPoint, one_ulp

VALUES = np.array([1.0, 1.5, -2.0, 3e-5, 700.0, 0.0], dtype=np.float32).repeat(50)


@pytest.mark.parametrize(("precision", "largest"), [("float32", 2.0**-23), ("bfloat16", 2.0**-7)])
def test_moves_by_one_unit(precision: str, largest: float) -> None:
    spec = InputContract("x", Role.FEATURES, "float32", ("batch",), (0,), None, "")
    moved = one_ulp(Trace((), {"x": VALUES}, {}), (EntryPoint("x", spec, ""),), 0, precision)["x"]
    step = np.abs(moved - VALUES)
    assert moved.dtype == np.float32 and (step == 0).any()
    real = VALUES != 0
    relative = step[real] / np.abs(VALUES[real])
    assert 0 < relative.max() <= largest and relative[relative > 0].min() >= largest / 2.01
