"""A second opinion for models that can be differentiated: do the valid answers have any slope along what pads hold?

Where a mask works, that derivative is exactly zero, however large the answers are. Comparing answers cannot see a leak
that is smaller than the rounding of an answer with a large offset, or of half precision; the derivative can, for it
carries no offset.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from maskcheck.core.contract import CONTENT, OutputContract, OutputKind, Role
from maskcheck.core.errors import RunError
from maskcheck.core.gradients import Differentiable
from maskcheck.core.model import Array
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.probe.compare import Region, epsilon, take_row
from maskcheck.probe.entry import feeds, pad_positions
from maskcheck.probe.noise import HEADROOM
from maskcheck.probe.observe import Observation
from maskcheck.probe.row_traces import RowTraces
from maskcheck.probe.twins.context import TwinContext


def gradient(context: TwinContext, rows: Sequence[PassportRow]) -> Iterator[Observation]:
    """One backward pass from the valid answers of a padded row; nothing for models without derivatives."""
    model, traces = context.model, context.traces
    if traces is None or not isinstance(model, Differentiable):
        return
    tokens = tuple(spec.name for spec in context.contract.of(context.domain, Role.TOKENS))
    weights = _weights(context, traces)
    try:
        found = model.gradients(feeds(context.contract, traces.padded_batch), tokens, weights)
    except RunError as error:
        yield context.untested(TwinKind.POKE, Variant.GRADIENT, error.message, gating=False)
        return
    status, reason = _judge(context, traces, found)
    yield Observation(context.told(TwinKind.POKE, Variant.GRADIENT, status, reason=reason))


def _judge(context: TwinContext, traces: RowTraces, found: Mapping[str, Array]) -> tuple[Status, str]:
    """Whether the answers have a slope along what pads hold, beside that along content, and the sentence for it."""
    at_pads, at_content = _steepest(context, traces, found)
    if at_pads is None or not np.isfinite(at_content) or at_content == 0.0:
        return Status.UNTESTED, "no derivative by the content was found"
    unit = epsilon(map(np.asarray, traces.padded.outputs.values()))
    if at_pads <= HEADROOM * unit * at_content:
        return Status.CLEAN, "exactly zero at the pads" if at_pads == 0.0 else "rounding at the pads"
    share = at_pads / at_content
    return Status.LEAKY, f"the answers follow what pads hold, {share:.1g} times as steeply as content"


def _steepest(context: TwinContext, traces: RowTraces, found: Mapping[str, Array]) -> tuple[float | None, float]:
    """Largest slope at pads (``None`` where no input has both pads and content) and at content."""
    at_pads, at_content = None, 0.0
    for spec in context.contract.of(context.domain, *CONTENT):
        slope, pads = found.get(spec.name), pad_positions(spec, traces.padded_batch)
        if slope is None or slope.shape != pads.shape or not pads.any() or pads.all():
            continue
        at_pads = max(at_pads or 0.0, float(slope[pads].max()))
        at_content = max(at_content, float(slope[~pads].max()))
    return at_pads, at_content


def _weights(context: TwinContext, traces: RowTraces) -> dict[str, Array]:
    """Random weights on the valid part of the first row of every floating answer, zeros elsewhere."""
    rng = np.random.default_rng(context.settings.seed)
    regions = context.runner.regions(traces.padded_batch.rows[0].lengths, traces.padded_batch.padding)
    return {
        spec.name: _on_valid(np.asarray(traces.padded.outputs[spec.name]), spec, regions[spec.name], rng)
        for spec in context.contract.outputs
        if spec.kind in (OutputKind.SEQUENCE, OutputKind.POOLED)
        and np.issubdtype(np.asarray(traces.padded.outputs[spec.name]).dtype, np.floating)
    }


def _on_valid(output: Array, spec: OutputContract, region: Region, rng: np.random.Generator) -> Array:
    places = region.cut(take_row(np.arange(output.size).reshape(output.shape), spec, 0)).ravel()
    weights = np.zeros(output.size, dtype=output.dtype)
    weights[places] = rng.standard_normal(places.size)
    return weights.reshape(output.shape)
