"""The noise floor: measured on the model, ten times its response, and assumed where it cannot be measured."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract
from maskcheck.probe.compare import difference
from maskcheck.probe.noise import Floor, Noise, measure, site_noise
from maskcheck.probe.runner import Runner, unpadded
from maskcheck.probe.samples import generate
from tests.fakes import FakeModel
from tests.unit.probe.build import Untraceable, contract, features, masked_mean


def measured(model: FakeModel, told: Contract | None = None, rows: int = 4, seed: int = 0) -> Noise:
    told = told or contract()
    runner = Runner(model, told)
    call = unpadded(generate(told, rows, {"seq": 9}, seed=0))
    return measure(model, runner, call, runner.valid(call), seed)


@pytest.mark.parametrize(
    ("response", "rounding", "tolerance", "exact"),
    [(1e-4, 0.0, 1e-3, 0.0), (0.0, 1e-6, 1.6e-5, 1.6e-5), (2e-4, 1e-6, 2.016e-3, 1.6e-5)],
)
def test_ten_responses_and_sixteen_units_may_be_rounding(
    response: float, rounding: float, tolerance: float, exact: float
) -> None:
    floor = Floor(response, rounding)
    assert floor.tolerance == pytest.approx(tolerance)
    assert floor.exact == pytest.approx(exact)


def amplified(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    return np.sin(x * np.float32(1000)).mean(1)


def test_the_floor_follows_how_much_a_model_amplifies_rounding() -> None:
    quiet = measured(features(lambda x, m: np.tanh(x / 100).mean(1))).floors["answer"]
    loud = measured(features(amplified)).floors["answer"]
    assert 1e-9 < quiet.response < 1e-6
    assert loud.response > 100 * quiet.response


def test_rounding_is_that_of_the_answers() -> None:
    far = measured(features(lambda x, m: (x.mean(1) + 1000).astype(np.float32))).floors["answer"]
    near = measured(features(lambda x, m: x.mean(1).astype(np.float32))).floors["answer"]
    assert far.rounding > 100 * near.rounding > 0


def test_the_largest_of_three_draws_counts() -> None:
    answers: list[np.ndarray] = []

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        answers.append(amplified(x, mask))
        return answers[-1]

    response = measured(features(answer)).floors["answer"].response
    plain, *moved = answers[-4:]
    gaps = [difference([plain], [other]) for other in moved]
    assert len(set(gaps)) == 3 and response == max(gaps)


@pytest.mark.parametrize(("rows", "fixed_batch", "traced"), [(4, None, 2), (1, None, 1), (4, 3, 3), (1, 3, 3)])
def test_two_rows_are_enough_and_a_fixed_batch_is_filled(rows: int, fixed_batch: int | None, traced: int) -> None:
    sizes: set[int] = set()

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sizes.add(len(x))
        return masked_mean(x, mask)

    told = contract(fixed_batch=fixed_batch)
    model = features(answer)
    runner = Runner(model, told)
    call = unpadded(generate(told, rows, {"seq": 9}, seed=0))
    reference = runner.valid(call)
    sizes.clear()
    measure(model, runner, call, reference, 0)
    assert sizes == {traced}


def test_without_traces_the_floor_is_assumed_and_says_so() -> None:
    found = measured(features(masked_mean, cls=Untraceable))
    floor = found.floors["answer"]
    assert floor.rounding > 0 and floor.response / floor.rounding == pytest.approx(32)
    assert found.reason == "the noise floor is assumed, not measured: It cannot be instrumented."


def test_a_measured_floor_needs_no_excuse() -> None:
    assert measured(features(masked_mean)).reason is None


def test_every_floating_tensor_has_a_noise_of_its_own() -> None:
    model, told = features(lambda x, m: (x * np.float32(1000)).mean(1)), contract()
    call = unpadded(generate(told, 1, {"seq": 9}, seed=0))
    base = model.trace({"x": call.rows[0].content["x"][None], "mask": np.ones((1, 9), dtype=np.int64)})
    noise = site_noise(model, told, call, base, seed=0)
    assert "mask" not in noise, "it is made of integers"
    further = {"gone": np.zeros(3, np.float32), "answer": np.zeros((2, 2), np.float32)}
    odd = replace(base, tensors={**base.tensors, **further})
    assert not {"gone", "answer"} & set(site_noise(model, told, call, odd, seed=0))
    assert noise["answer"] > 1e-6


def test_infinite_entries_have_no_noise() -> None:
    def half_infinite(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return np.concatenate([np.full_like(x[:, 0], -np.inf), np.zeros_like(x[:, 0])], axis=1)

    model, told = features(half_infinite), contract()
    call = unpadded(generate(told, 1, {"seq": 9}, seed=0))
    base = model.trace({"x": call.rows[0].content["x"][None], "mask": np.ones((1, 9), dtype=np.int64)})
    with np.errstate(invalid="ignore"):  # as an audit does
        assert site_noise(model, told, call, base, seed=0)["answer"] == 0.0
