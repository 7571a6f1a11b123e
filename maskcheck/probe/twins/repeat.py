"""The same input twice: a model that disagrees with itself cannot be asked about padding."""

from __future__ import annotations

from maskcheck.core.contract import Domain
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.probe.compare import difference
from maskcheck.probe.observe import Observation
from maskcheck.probe.runner import Answers, PaddedBatch, Runner

_ROUNDING = 1e-6
"""Standard deviations by which sums made in another order by several threads may differ in float32."""


def repeat(runner: Runner, base: PaddedBatch, reference: Answers, domain: Domain) -> Observation:
    """Run the reference once more; the row leaks where the answers are others.

    Raises:
        RunError: the model refused the batch that it took before.
    """
    again = runner.valid(base)
    worst = max((difference(reference[name], again[name]) for name in reference), default=0.0)
    stable = worst < _ROUNDING
    return Observation(
        PassportRow(
            twin=TwinKind.REPEAT,
            variant=Variant.REPEATED,
            domain=domain.name,
            status=Status.CLEAN if stable else Status.LEAKY,
            gating=False,
            reason=None if stable else f"the same input gives answers {worst:.2g} sd apart",
        )
    )
