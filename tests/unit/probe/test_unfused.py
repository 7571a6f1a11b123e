"""A leak that only fused kernels hide: the recorded runs of a live module beside each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.probe.row_traces import trace_row
from maskcheck.probe.twins.context import TwinContext
from maskcheck.probe.twins.unfused import REASON, unfused
from tests.fakes import FakeModel
from tests.unit.probe.build import Answer, context, contract, features, masked_mean, summed_by_length

LEAKY = Status.LEAKY


def asked(answer: Answer = summed_by_length, *, fixed: int | None = None, format: str = "pytorch") -> TwinContext:
    model: FakeModel = features(answer)
    model.info = replace(model.info, format=format)
    found = context(model, contract(fixed=fixed))
    traces = trace_row(model, found.contract, found.rows[0], found.plan.few, fixed=found.plan.fixed)
    return replace(found, traces=traces)


def row(twin: TwinKind, status: Status = LEAKY) -> PassportRow:
    return PassportRow(twin=twin, variant=Variant.ANY, domain="seq", status=status, gating=True)


def test_a_leak_that_only_the_recorded_runs_show_is_told_and_does_not_gate() -> None:
    (found,) = unfused(asked(), [])
    assert (found.row.twin, found.row.variant, found.row.status) == (TwinKind.LENGTH, Variant.UNFUSED, LEAKY)
    assert (found.row.gating, found.row.reason) == (False, REASON)
    assert found.row.outputs[0].difference > 0
    assert found.pair is not None and found.pair.row == 0
    assert found.pair.reference.padding.totals == {"seq": 9} and found.pair.other.padding.totals == {"seq": 12}


def test_recorded_runs_that_agree_say_nothing() -> None:
    assert list(unfused(asked(masked_mean), [])) == []


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([row(TwinKind.LENGTH)], False),
        ([row(TwinKind.CONTENT)], False),
        ([row(TwinKind.MATES)], True),
        ([row(TwinKind.LENGTH, Status.CLEAN)], True),
    ],
)
def test_where_the_deployed_model_leaks_already_nothing_is_added(rows: list[PassportRow], told: bool) -> None:
    assert bool(list(unfused(asked(), rows))) is told


def test_only_live_modules_have_fused_kernels_that_recording_switches_off() -> None:
    assert list(unfused(asked(format="onnx"), [])) == []
    other = asked()
    other.model.info = replace(other.model.info, framework="keras")  # type: ignore[misc]
    assert list(unfused(other, [])) == []


def test_without_an_unpadded_recording_there_is_nothing_to_compare() -> None:
    assert list(unfused(asked(fixed=12), [])) == []
    assert list(unfused(replace(asked(), traces=None), [])) == []


def test_rounding_between_lengths_is_an_excuse() -> None:
    def drifts(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + 1e-4 * (x.shape[1] == 12)

    assert list(unfused(asked(drifts), [])) == []
