"""A model whose instrumented copy answers in its place, as long as there is one."""

from __future__ import annotations

import numpy as np

from maskcheck.probe.instrumented import LARGE, Instrumented
from tests.unit.probe.build import Recast, Untraceable, features, masked_mean

FEEDS = {"x": np.ones((1, 4, 3), np.float32), "mask": np.ones((1, 4), np.int64)}


def test_it_answers_from_the_copy() -> None:
    model = features(masked_mean)
    stand_in = Instrumented(model)
    assert stand_in.run(FEEDS)["answer"].tolist() == [[1, 1, 1]]
    assert (model.runs, model.traces) == (0, 1)
    assert stand_in.trace(FEEDS).outputs["answer"].tolist() == [[1, 1, 1]]
    assert model.traces == 2


def test_without_a_copy_the_deployed_model_answers_and_no_copy_is_asked_for_again() -> None:
    model = features(masked_mean, cls=Untraceable)
    stand_in = Instrumented(model)
    stand_in._traceable = True
    for _ in range(2):
        assert stand_in.run(FEEDS)["answer"].tolist() == [[1, 1, 1]]
    assert model.runs == 2 and not stand_in._traceable


def test_it_is_the_same_model_otherwise() -> None:
    model = features(masked_mean, cls=Recast)
    stand_in = Instrumented(model)
    assert stand_in.info is model.info and stand_in.inputs is model.inputs
    assert stand_in.outputs is model.outputs and stand_in.uses is model.uses
    assert stand_in.relaxed({}) is None and stand_in.recast("float64") is None
    assert isinstance(model, Recast) and model.asked == ("float64",)
    stand_in.close()


def test_it_pays_from_64_megabytes_on() -> None:
    assert LARGE == 67_108_864
