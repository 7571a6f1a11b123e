"""Which rule explains a training that moves with padding."""

from __future__ import annotations

import dataclasses

import pytest

from maskcheck.core.training import Change, TrainingFacts
from maskcheck.rules import all_rules, diagnose_training

STILL = TrainingFacts(
    framework="keras",
    domain="text",
    valid=9,
    total=12,
    loss=Change("loss", 1.2, 1.2),
    loss_moves=False,
    stepwise=True,
    metrics=(),
    gradients=(),
    answers_move=False,
    answers_leak=False,
)
SHRUNK = dataclasses.replace(STILL, loss=Change("loss", 1.2, 0.9), loss_moves=True, gradients=(("w", 0.3),))
GROWN = dataclasses.replace(SHRUNK, loss=Change("loss", 1.2, 1.5))
ACCURACY = (Change("accuracy", 0.5, 0.7),)


@pytest.mark.parametrize(
    ("facts", "codes"),
    [
        (STILL, []),
        (SHRUNK, ["MC961"]),
        (GROWN, ["MC962"]),
        (dataclasses.replace(SHRUNK, stepwise=False), ["MC962"]),
        (dataclasses.replace(GROWN, metrics=ACCURACY), ["MC962", "MC963"]),
        (dataclasses.replace(STILL, metrics=ACCURACY), ["MC963"]),
        (dataclasses.replace(STILL, gradients=(("w", 0.3),)), ["MC965"]),
        (dataclasses.replace(GROWN, answers_move=True, metrics=ACCURACY), ["MC964"]),
        (dataclasses.replace(GROWN, answers_leak=True), []),
        (dataclasses.replace(GROWN, loss=Change("loss", 0.0, 1.0)), ["MC962"]),
    ],
)
def test_causes(facts: TrainingFacts, codes: list[str]) -> None:
    assert [d.rule.code for d in diagnose_training(facts)] == codes


def test_every_rule_of_the_family_is_used() -> None:
    assert {r.code for r in all_rules() if r.family == "training"} == {f"MC96{i}" for i in range(1, 6)}


def test_the_layer_that_lost_the_mask_is_the_cause() -> None:
    (found,) = diagnose_training(GROWN, "Multiply drops the mask")
    assert found.root_cause is not None and found.root_cause.reason == "Multiply drops the mask"
    assert "1.2 without pads, 1.5 with them" in found.message and "sample_weight" in found.fix
