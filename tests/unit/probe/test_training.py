"""Padding in training: loss, metrics and gradients of one batch with and without pads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from maskcheck.core.contract import Contract, Side
from maskcheck.core.errors import RunError
from maskcheck.core.report import PassportRow, Status, Variant
from maskcheck.core.settings import Settings
from maskcheck.core.training import Step, Targets
from maskcheck.probe.run_twins import TwinResults, run
from maskcheck.probe.samples import Source
from maskcheck.probe.training import Training, training
from tests.fakes import FakeModel
from tests.unit.probe.build import STEPS, Answer, contract, features, masked_mean, summed_by_length

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED


class Trained(FakeModel):
    """A model with a loss. ``moves`` says by how much what padding does, by name; the rest stays what it was."""

    moves: Mapping[str, float] = {}
    stepwise = False
    restless: tuple[bool, ...] = ()
    labels: np.ndarray | None = None
    has_gradients = True
    frozen = False
    small = False
    dropped: tuple[str, ...] = ()
    grown: tuple[str, ...] = ()
    large = 1.0
    error = ""
    in_training: Answer | None = None

    def targets(self, feeds: Mapping[str, np.ndarray], loss: Any, seed: int) -> Targets:
        if self.error:
            raise RunError(self.error)
        values = np.arange(feeds["x"].shape[1] // self.stride)[None] + 1 if self.stepwise else np.array([1])
        return Targets({"answer": values}, -100, self.stepwise)

    stride = 1
    calls = 0

    def step(self, feeds: Mapping[str, np.ndarray], targets: Any, loss: Any, *, training: bool) -> Step:
        self.calls += 1
        self.labels = targets["answer"]
        self.mode = training
        padded = feeds["x"].shape[1] > 9
        by = dict(self.moves) if padded else {}
        noise = self.calls if training in self.restless else 0
        answer = self.in_training or (lambda x, mask: masked_mean(x, mask))
        gradients = {
            "first": np.array([1.0, -2.0]) * (1 + by.get("first", 0)),
            "second": np.array([self.large, 0.0]) * (1 + by.get("second", 0)),
            "tiny": np.array([1e-9 + by.get("tiny", 0)]),
        }
        if self.frozen:
            gradients = {"frozen": np.zeros(2)}
        if self.small:
            gradients = {"small": np.array([1e-6 * (1 + by.get("small", 0))])}
        if padded:
            gradients = {
                k: v.repeat(2) if k in self.grown else v for k, v in gradients.items() if k not in self.dropped
            }
        return Step(
            2.0 * (1 + by.get("loss", 0)) + noise,
            {"accuracy": 0.5 * (1 + by.get("accuracy", 0)), "other": 1.0},
            gradients if self.has_gradients else {},
            {"answer": answer(feeds["x"], feeds["mask"])},
        )


def found(
    answer: Answer = masked_mean, told: Contract | None = None, **changes: Any
) -> tuple[Training, TwinResults, Trained]:
    told = told or contract()
    model = features(answer, cls=Trained)
    assert isinstance(model, Trained)
    for name, value in changes.items():
        setattr(model, name, value)
    results = run(model, told, {"seq": 9}, Source(told, 0), Settings(), lambda step, fraction: None)
    return training(model, told, results, None, 0), results, model


def rows(told: Training) -> dict[str, PassportRow]:
    return {row.label: row for row in told.rows}


def test_what_stays_what_it_was_is_clean_and_needs_no_facts() -> None:
    told, _, model = found()
    assert {label: (r.status, r.gating) for label, r in rows(told).items()} == {
        "loss": (CLEAN, True),
        "metric accuracy": (CLEAN, True),
        "metric other": (CLEAN, True),
        "gradient": (CLEAN, True),
    }
    assert told.facts is None and model.mode is True
    assert rows(told)["loss"].reason == "9 real of 12"


@pytest.mark.parametrize(
    ("moves", "leaky"),
    [
        ({"loss": 0.5}, "loss"),
        ({"loss": 1.05e-4}, "loss"),
        ({"accuracy": 0.5}, "metric accuracy"),
        ({"first": 0.5}, "gradient"),
        ({"first": 1.05e-3}, "gradient"),
    ],
)
def test_what_moves_is_told_in_its_row(moves: dict[str, float], leaky: str) -> None:
    told, _, _ = found(moves=moves)
    assert [label for label, row in rows(told).items() if row.status is LEAKY] == [leaky]
    assert told.facts is not None


@pytest.mark.parametrize("moves", [{"loss": 0.95e-4}, {"first": 0.95e-3}, {"tiny": 1e-8}])
def test_rounding_moves_nothing(moves: dict[str, float]) -> None:
    assert found(moves=moves)[0].facts is None


def test_a_gradient_that_is_tiny_beside_the_others_is_judged_by_their_size() -> None:
    assert found(moves={"tiny": 1e-2})[0].facts is not None
    assert found(moves={"tiny": 1e-2}, large=1e6)[0].facts is None


def test_the_facts_say_what_moved_and_by_how_much() -> None:
    told, results, _ = found(moves={"loss": 0.5, "accuracy": 1.0, "second": 0.25})
    facts = told.facts
    assert facts is not None
    assert (facts.loss.unpadded, facts.loss.padded, facts.loss_moves) == (2.0, 3.0, True)
    assert [(m.name, m.unpadded, m.padded) for m in facts.metrics] == [("accuracy", 0.5, 1.0)]
    assert facts.gradients == (("second", pytest.approx(0.25)),)
    assert (facts.valid, facts.total, facts.domain, facts.stepwise) == (9, 12, "seq", False)
    assert not facts.answers_move and not facts.answers_leak
    assert rows(told)["loss"].reason == "loss 2 -> 3; 9 real of 12"
    assert rows(told)["gradient"].reason == "1 of 3 parameters, first second; 9 real of 12"
    assert results.contexts


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_none_any_more_has_moved(value: float) -> None:
    told, _, _ = found(moves={"loss": value})
    assert rows(told)["loss"].status is LEAKY
    assert rows(found(moves={"first": value})[0])["gradient"].status is LEAKY


def test_where_the_answers_leak_training_only_follows_and_does_not_gate() -> None:
    told, _, _ = found(summed_by_length, moves={"loss": 0.5})
    assert told.facts is not None and told.facts.answers_leak
    assert not any(row.gating for row in told.rows)


def test_answers_that_move_in_training_mode_are_told() -> None:
    told, _, _ = found(moves={"loss": 0.5}, in_training=summed_by_length)
    assert told.facts is not None and told.facts.answers_move


def test_answers_by_step_are_compared_at_real_steps_only() -> None:
    told, _, _ = found(
        lambda x, mask: x,
        contract(output=STEPS),
        moves={"loss": 0.5},
        in_training=lambda x, mask: x + (mask[..., None] == 0),
    )
    assert told.facts is not None and not told.facts.answers_move


def test_small_gradients_are_judged_by_their_own_size() -> None:
    told, _, _ = found(small=True, moves={"small": 0.01})
    assert told.facts is not None and told.facts.gradients == (("small", pytest.approx(0.01)),)


def test_gradients_that_are_all_zero_do_not_move() -> None:
    assert found(frozen=True)[0].facts is None


def test_parameters_whose_gradient_has_another_shape_or_none_are_passed_over() -> None:
    told, _, _ = found(moves={"first": 0.5, "second": 0.5}, dropped=("first",))
    assert told.facts is not None and [name for name, _ in told.facts.gradients] == ["second"]
    told, _, _ = found(moves={"first": 0.5, "second": 0.5}, grown=("first",))
    assert told.facts is not None and [name for name, _ in told.facts.gradients] == ["second"]


@pytest.mark.parametrize(("by", "moves"), [(0.9e-3, False), (1.1e-3, True)])
def test_answers_move_by_more_than_rounding(by: float, moves: bool) -> None:
    def drifts(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        sound = masked_mean(x, mask)
        return sound + by * sound[0].std() * (x.shape[1] > 9)

    told, _, _ = found(moves={"loss": 0.5}, in_training=drifts)
    assert told.facts is not None and told.facts.answers_move is moves


def test_answers_that_are_no_numbers_or_of_another_shape_do_not_move() -> None:
    for answer in (
        lambda x, mask: np.full((len(x), 3), x.shape[1]),
        lambda x, mask: np.zeros((len(x), x.shape[1])),
        lambda x, mask: np.full((len(x), 3), 5.0 + 1e-6 * (x.shape[1] > 9)),
    ):
        told, _, _ = found(moves={"loss": 0.5}, in_training=answer)
        assert told.facts is not None and not told.facts.answers_move


def test_without_gradients_there_is_no_row_of_them() -> None:
    assert "gradient" not in rows(found(has_gradients=False)[0])


# Labels.


def test_labels_of_a_whole_row_stay_and_labels_of_steps_are_padded() -> None:
    assert found()[2].labels is not None and found()[2].labels.tolist() == [1]  # type: ignore[union-attr]
    told, _, model = found(stepwise=True)
    assert model.labels is not None and model.labels.tolist() == [[1, 2, 3, 4, 5, 6, 7, 8, 9, -100, -100, -100]]
    assert rows(told)["loss"].reason == "9 real of 12, labels at pads -100"


def test_labels_are_padded_on_the_contracts_side() -> None:
    _, _, model = found(told=contract(side=Side.LEFT), stepwise=True)
    assert model.labels is not None and model.labels.tolist() == [[-100, -100, -100, 1, 2, 3, 4, 5, 6, 7, 8, 9]]


def test_a_strided_model_has_fewer_labels_at_pads() -> None:
    _, _, model = found(stepwise=True, stride=2)
    assert model.labels is not None and model.labels.tolist() == [[1, 2, 3, 4, -100, -100]]


# What cannot be asked.


def test_a_model_that_is_random_in_training_mode_is_asked_in_inference_mode() -> None:
    told, _, model = found(restless=(True,))
    assert model.mode is False
    assert rows(told)["loss"].reason == "9 real of 12, layers in inference mode because training mode is random"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"restless": (True, False)}, "the loss of the same batch differs from call to call"),
        ({"error": "no loss"}, "no loss"),
        ({"told": contract(fixed=12)}, "its length is fixed, so nothing can be compared with an unpadded batch"),
    ],
)
def test_what_cannot_be_asked_is_untested_and_gates(changes: dict[str, Any], reason: str) -> None:
    told, _, _ = found(**changes)
    assert [(r.status, r.reason, r.gating, r.variant) for r in told.rows] == [(UNTESTED, reason, True, Variant.LOSS)]
    assert told.rows[0].domain == "seq" and told.facts is None


def test_a_file_without_a_loss_and_a_model_without_padding_are_untested() -> None:
    _, results, model = found()
    (row,) = training(features(masked_mean), contract(), results, None, 0).rows
    assert row.status is UNTESTED and "holds no loss" in (row.reason or "") and row.domain is None
    (row,) = training(model, contract(), replace(results, contexts=()), None, 0).rows
    assert row.reason == "no padding could be tried at all"
