"""A second opinion for models that can be differentiated: do the valid answers have any slope along what pads hold?

Where a mask works, that derivative is exactly zero, however large the answers are. Comparing answers cannot see a leak
that is smaller than the rounding of an answer with a large offset, or of half precision; the derivative can, for it
carries no offset.
"""

from __future__ import annotations

import numpy as np

from maskcheck.core.contract import Contract, OutputContract, OutputKind, Role
from maskcheck.core.errors import RunError
from maskcheck.core.gradients import Differentiable
from maskcheck.core.model import Array, Model
from maskcheck.core.report import PassportRow, Status, TwinKind
from maskcheck.explain.session import RowTraces
from maskcheck.probe.compare import Region, epsilon, take_row
from maskcheck.probe.entry import feeds, pad_positions
from maskcheck.probe.noise import HEADROOM
from maskcheck.probe.runner import Runner

VARIANT = "gradient"


def slopes(model: Model, contract: Contract, base: RowTraces, domain: str, seed: int) -> PassportRow | None:
    """One backward pass from the valid answers of a padded row; ``None`` for models without derivatives."""
    if not isinstance(model, Differentiable):
        return None
    tokens = tuple(spec.name for spec in contract.of(domain, Role.TOKENS))
    try:
        found = model.gradients(feeds(contract, base.single), tokens, _weights(model, contract, base, seed))
    except RunError as error:
        return _row(domain, Status.UNTESTED, error.message)
    at_pads, at_content, seen = 0.0, 0.0, False
    for spec in contract.of(domain, Role.TOKENS, Role.FEATURES):
        slope, pads = found.get(spec.name), pad_positions(spec, base.single)
        if slope is None or slope.shape != pads.shape or not pads.any() or pads.all():
            continue
        seen = True
        at_pads = max(at_pads, float(slope[pads].max()))
        at_content = max(at_content, float(slope[~pads].max()))
    if not seen or not np.isfinite(at_content) or at_content == 0.0:
        return _row(domain, Status.UNTESTED, "no derivative by the content was found")
    unit = epsilon(map(np.asarray, base.long.outputs.values()))
    if at_pads <= HEADROOM * unit * at_content:
        return _row(domain, Status.CLEAN, "exactly zero at the pads" if at_pads == 0.0 else "rounding at the pads")
    share = at_pads / at_content
    return _row(domain, Status.LEAKY, f"the answers follow what pads hold, {share:.1g} times as steeply as content")


def _row(domain: str, status: Status, reason: str) -> PassportRow:
    return PassportRow(TwinKind.POKE, VARIANT, domain, status, False, reason)


def _weights(model: Model, contract: Contract, base: RowTraces, seed: int) -> dict[str, Array]:
    """Random weights on the valid part of the first row of every floating answer, zeros elsewhere."""
    rng = np.random.default_rng(seed)
    regions = Runner(model, contract).regions(base.single.rows[0].lengths, base.single.padding)
    return {
        spec.name: _on_valid(np.asarray(base.long.outputs[spec.name]), spec, regions[spec.name], rng)
        for spec in contract.outputs
        if spec.kind in (OutputKind.SEQUENCE, OutputKind.POOLED)
        and np.issubdtype(np.asarray(base.long.outputs[spec.name]).dtype, np.floating)
    }


def _on_valid(output: Array, spec: OutputContract, region: Region, rng: np.random.Generator) -> Array:
    places = region.cut(take_row(np.arange(output.size).reshape(output.shape), spec, 0)).ravel()
    weights = np.zeros(output.size, dtype=output.dtype)
    weights[places] = rng.standard_normal(places.size)
    return weights.reshape(output.shape)
