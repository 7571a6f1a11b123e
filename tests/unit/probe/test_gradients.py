"""Slopes of the answers along what pads hold, for models that can be differentiated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract
from maskcheck.core.errors import RunError
from maskcheck.core.report import Status, Variant
from maskcheck.probe.row_traces import trace_row
from maskcheck.probe.twins.context import TwinContext
from maskcheck.probe.twins.gradients import gradient
from tests.fakes import FakeModel
from tests.unit.probe.build import IDS, MASK, STEPS, Untraceable, X, context, contract, features, masked_mean, words

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED
EPS = float(np.finfo(np.float32).eps)


class Sloped(FakeModel):
    """``slopes`` are the derivatives it reports: at pads (the last three of twelve steps), and at content."""

    slopes: tuple[float, float] = (0.0, 1.0)
    without: tuple[str, ...] = ()
    error: str = ""

    def gradients(
        self, feeds: Mapping[str, np.ndarray], tokens: tuple[str, ...], weights: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        if self.error:
            raise RunError(self.error)
        self.asked = (tokens, dict(weights))
        found = {}
        for name in ("x", "ids"):
            if name in feeds and name not in self.without:
                slope = np.full(feeds[name].shape, self.slopes[1])
                slope[:, 9:] = self.slopes[0]
                found[name] = slope
        return found


def asked(model: FakeModel, told: Contract | None = None) -> TwinContext:
    found = context(model, told)
    traces = trace_row(model, found.contract, found.rows[0], found.plan.few, fixed=False)
    return replace(found, traces=traces)


def sloped(told: Contract | None = None, **changes: object) -> Sloped:
    made = features(lambda x, m: masked_mean(x, m).astype(np.float32), cls=Sloped)
    if told is not None and IDS in told.inputs:
        made = words(masked_mean, cls=Sloped)
    assert isinstance(made, Sloped)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def row(model: Sloped, told: Contract | None = None) -> tuple[Status, str | None]:
    (found,) = gradient(asked(model, told), ())
    assert found.row.variant is Variant.GRADIENT and not found.row.gating
    return found.row.status, found.row.reason


@pytest.mark.parametrize(
    ("at_pads", "at_content", "status", "reason"),
    [
        (0.0, 2.0, CLEAN, "exactly zero at the pads"),
        (16 * EPS, 1.0, CLEAN, "rounding at the pads"),
        (17 * EPS, 1.0, LEAKY, None),
        (0.5, 2.0, LEAKY, "the answers follow what pads hold, 0.2 times as steeply as content"),
        (0.0, 0.0, UNTESTED, "no derivative by the content was found"),
        (1.0, 0.0, UNTESTED, "no derivative by the content was found"),
        (1.0, float("nan"), UNTESTED, "no derivative by the content was found"),
    ],
)
def test_the_slope_at_pads_is_judged_beside_that_at_content(
    at_pads: float, at_content: float, status: Status, reason: str | None
) -> None:
    told, said = row(sloped(slopes=(at_pads, at_content)))
    assert told is status and reason in (said, None)


def test_without_a_slope_of_any_input_nothing_is_known() -> None:
    assert row(sloped(without=("x",)))[0] is UNTESTED


def test_a_refusal_is_the_reason() -> None:
    assert row(sloped(error="no gradient of a search")) == (UNTESTED, "no gradient of a search")


def test_ids_are_asked_by_their_embedding() -> None:
    told = contract(IDS, MASK)
    model = sloped(told, slopes=(0.5, 1.0))
    assert row(model, told)[0] is LEAKY
    assert model.asked[0] == ("ids",)
    model = sloped()
    row(model)
    assert model.asked[0] == ()


def test_of_the_answers_the_valid_part_of_one_row_is_weighted() -> None:
    told = contract(X, MASK, output=STEPS)
    model = features(lambda x, m: x, cls=Sloped)
    assert isinstance(model, Sloped)
    row(model, told)
    weights = model.asked[1]["answer"]
    assert weights.shape == (1, 12, 3)
    assert (weights[:, :9] != 0).all() and (weights[:, 9:] == 0).all()
    assert len(np.unique(weights[:, :9])) == 27


def test_answers_that_are_integers_have_no_weights() -> None:
    model = features(lambda x, m: (x.mean(1) > 0).astype(np.int64), cls=Sloped)
    assert isinstance(model, Sloped)
    row(model)
    assert model.asked[1] == {}


def test_models_without_derivatives_and_without_traces_say_nothing() -> None:
    assert list(gradient(asked(features(masked_mean)), ())) == []
    assert list(gradient(context(features(masked_mean, cls=Untraceable)), ())) == []
    assert list(gradient(replace(asked(sloped()), traces=None), ())) == []
