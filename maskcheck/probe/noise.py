"""How much rounding moves the answers: the response to a random change of one unit in the last place.

Length noise stayed within 1.7 times this response in all 225 clean cases measured (float32, float16, bfloat16), so a
margin of ten needs no knowledge of the model. See docs/design.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from maskcheck.core.contract import Contract
from maskcheck.core.errors import RunError, TraceError
from maskcheck.core.model import Model
from maskcheck.core.trace import Trace
from maskcheck.probe.compare import difference, rounding
from maskcheck.probe.entry import entries, feeds, one_ulp
from maskcheck.probe.runner import Answers, PaddedBatch, Runner

MARGIN = 10.0
"""Differences up to this many times the measured response count as rounding."""

HEADROOM = 16.0
"""Units in the last place that every comparison may differ by: regrouped sums of routed experts, renormalised
softmaxes.
"""

_DRAWS = 3


@dataclass(frozen=True, slots=True)
class Floor:
    """Noise of one output. ``response`` and ``rounding`` are in standard deviations of the reference."""

    response: float
    rounding: float

    @property
    def tolerance(self) -> float:
        """Largest difference that may be rounding when shapes differ."""
        return MARGIN * self.response + HEADROOM * self.rounding

    @property
    def exact(self) -> float:
        """Largest difference that may be rounding when the shapes are the same."""
        return HEADROOM * self.rounding


@dataclass(frozen=True, slots=True)
class Noise:
    """Floors by output name, and why they could not be measured, if so."""

    floors: dict[str, Floor]
    reason: str | None = None


def measure(model: Model, runner: Runner, call: PaddedBatch, reference: Answers, seed: int) -> Noise:
    """Measure the floor of every output around ``reference``, the answers of the unpadded ``call``."""
    rounded = {name: rounding(rows) for name, rows in reference.items()}
    try:
        responses = _responses(model, runner, call, seed)
    except (RunError, TraceError) as error:
        # Without a measured response assume that the model amplifies rounding as much as the noisiest one seen
        # (3.4e-5).
        guessed = {name: Floor(32 * r, r) for name, r in rounded.items()}
        return Noise(guessed, f"the noise floor is assumed, not measured: {error.message}")
    return Noise({name: Floor(responses.get(name, 0.0), r) for name, r in rounded.items()})


def _responses(model: Model, runner: Runner, call: PaddedBatch, seed: int) -> dict[str, float]:
    contract = runner.contract
    small = PaddedBatch(call.rows[: runner.batch_size(min(2, len(call.rows)))], call.padding, call.seed)
    if len(small.rows) < runner.batch_size(len(small.rows)):
        small = PaddedBatch(small.rows * runner.batch_size(1), call.padding, call.seed)
    base = model.trace(feeds(contract, small))
    found = entries(model, contract, base)
    precision = model.info.precision
    worst: dict[str, float] = {}
    for draw in range(_DRAWS):
        moved = model.trace(feeds(contract, small), patches=one_ulp(base, found, seed + draw, precision), record=())
        for name in base.outputs:
            gap = difference([np.asarray(base.outputs[name])], [np.asarray(moved.outputs[name])])
            worst[name] = max(worst.get(name, 0.0), gap)
    return worst


def site_noise(model: Model, contract: Contract, call: PaddedBatch, base: Trace, seed: int) -> dict[str, float]:
    """Largest absolute response of every traced tensor to one ulp at the entries."""
    found = entries(model, contract, base)
    moved = model.trace(feeds(contract, call), patches=one_ulp(base, found, seed, model.info.precision))
    noise: dict[str, float] = {}
    for key, value in base.tensors.items():
        other = moved.tensors.get(key)
        if other is None or other.shape != value.shape or not np.issubdtype(value.dtype, np.floating):
            continue
        gap = np.abs(value.astype(np.float64) - other.astype(np.float64))
        noise[key] = float(np.max(gap[np.isfinite(gap)], initial=0.0))
    return noise
