"""One training step, as far as an audit has to know it: the loss, the metrics and the gradients of one batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from maskcheck.core.model import Array, Feeds


@dataclass(frozen=True, slots=True)
class Step:
    """What one batch does to a model in training. ``gradients`` has an entry for each parameter, in the model's order.

    ``outputs`` are the answers in training mode, by the names of the model's outputs.
    """

    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    gradients: Mapping[str, Array] = field(default_factory=dict)
    outputs: Mapping[str, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Targets:
    """Labels for one batch, by output. ``pad`` is what labels hold at pads; ``stepwise`` says whether labels have a
    sequence axis (axis 1).
    """

    values: Mapping[str, Array]
    pad: float | int
    stepwise: bool


@runtime_checkable
class Trainable(Protocol):
    """A model that can be asked for a training step. ``loss`` is the user's function; ``None`` is the model's own."""

    def targets(self, feeds: Feeds, loss: Any, seed: int) -> Targets:
        """Draw labels that fit an unpadded batch.

        Raises:
            RunError: there is no loss, or no labels were found that it takes; the message says what to do.
        """
        ...

    def step(self, feeds: Feeds, targets: Mapping[str, Array], loss: Any, *, training: bool) -> Step:
        """One step without its update; the model is left as it was. Dropout is off.

        ``training`` says whether layers that differ between training and inference (batch normalisation) train.

        Raises:
            RunError: the model or the loss refused the batch.
        """
        ...


@dataclass(frozen=True, slots=True)
class Change:
    """One number, or the largest entry of a gradient, without and with pads."""

    name: str
    unpadded: float
    padded: float


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """What padding does to training, for rules to explain.

    ``stepwise`` says whether there are labels at pads. ``gradients`` are the parameters whose gradient moved, by
    relative change, in the model's order. ``answers_move`` says whether the answers at real positions move in training
    mode, and ``answers_leak`` whether they do in inference.
    """

    framework: str
    domain: str
    valid: int
    total: int
    loss: Change
    loss_moves: bool
    stepwise: bool
    metrics: tuple[Change, ...]
    gradients: tuple[tuple[str, float], ...]
    answers_move: bool
    answers_leak: bool
