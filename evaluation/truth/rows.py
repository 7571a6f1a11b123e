"""The plain test of a described model: every row alone and unpadded, against itself padded and beside others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.truth.gaps import gap, scale
from evaluation.truth.loader import Array, Loader
from evaluation.truth.twins import Twin

Answers = list[Array]
Ask = Callable[[Mapping[str, Array]], Answers]
KINDS = ("pads", "mates")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """``count`` rows that a model is asked about."""

    loader: Loader
    ask: Ask
    count: int = 12
    axes: tuple[int, ...] = (0,)
    """The axis of each output that holds the rows; the last one holds for all further outputs."""
    real: Callable[[Array, int], Array] = lambda answer, row: answer
    """The answer at the real positions of a row, where a model fixes how long its answers are."""

    def alone(self, times: int = 1) -> dict[int, Answers]:
        """The answers to each row, unpadded and so often."""
        return {row: self.ask(self.loader.batch([row] * times)) for row in range(self.count)}

    def scales(self, alone: Mapping[int, Answers]) -> list[float]:
        outputs = range(len(alone[0]))
        return [scale([self.real(alone[row][i], row) for row in alone]) for i in outputs]

    def differences(
        self, alone: Mapping[int, Answers], twins: Iterable[Twin], kinds: Sequence[str] = KINDS
    ) -> dict[str, Array]:
        """The largest difference by kind and row, in standard deviations."""
        found, scales = {kind: np.zeros(self.count) for kind in kinds}, self.scales(alone)
        for twin in twins:
            after = self.ask(self.loader.batch(twin.rows, twin.pads, twin.noise, twin.front))
            for place, row in enumerate(twin.rows):
                worst = found[twin.kind]
                worst[row] = max(worst[row], self.apart(after, place, alone[row], row, scales))
        return found

    def apart(self, after: Answers, place: int, before: Answers, row: int, scales: Sequence[float]) -> float:
        """The largest difference between what stands in one place and the row alone."""
        return max(
            gap(self._at(then, axis, place, row), self._at(own, axis, place, row), self.loader.left) / by
            for then, own, by, axis in zip(after, before, scales, self._axes(len(before)), strict=True)
        )

    def _axes(self, outputs: int) -> list[int]:
        return [self.axes[min(i, len(self.axes) - 1)] for i in range(outputs)]

    def _at(self, answer: Array, axis: int, place: int, row: int) -> Array:
        """One row of a batch; the only one of a row alone."""
        only = answer.shape[axis] == 1
        return self.real(answer.take(0 if only else place, axis).astype(float), row)
