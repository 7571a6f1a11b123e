"""The outcome of one model: leaky, clean, or skipped because what matters could not be tried."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from maskcheck.core.contract import Contract
from maskcheck.core.report import Outcome, PassportRow, Status, TwinKind


def decide_outcome(
    contract: Contract, passport: Sequence[PassportRow], require: Collection[str]
) -> tuple[Outcome, str | None]:
    """Leaky when a gating row leaks, clean when what has to be tried was tried and is clean, else skipped.

    The second value is the reason why a model was skipped, for readers. ``require`` are the names of the required
    twins; an untested number of pads is never clean, whatever other twins say.
    """
    gating = [row for row in passport if row.gating]
    if any(row.status is Status.LEAKY for row in gating):
        return Outcome.LEAKY, None
    if contract.domains and all(domain.assumed for domain in contract.domains):
        return Outcome.SKIPPED, describe_assumed(contract)
    clean = {row.twin for row in gating if row.status is Status.CLEAN}
    if TwinKind.LENGTH.value in require and TwinKind.LENGTH not in clean:
        return Outcome.SKIPPED, f"the number of pads could not be tried: {_reasons(gating)}."
    if not clean:
        return Outcome.SKIPPED, "nothing that gates could be tried."
    return Outcome.CLEAN, None


def _reasons(rows: Sequence[PassportRow]) -> str:
    """Why twins are untested, each reason once."""
    return "; ".join(dict.fromkeys(row.reason or "?" for row in rows if row.status is Status.UNTESTED))


def describe_assumed(contract: Contract) -> str:
    """Why inputs that nothing says are padded decide nothing; empty where there are none."""
    assumed = [d for d in contract.domains if d.assumed]
    names = ", ".join(i.name for d in assumed for i in contract.of(d.name))
    if not names:
        return ""
    fixed = all(x.fixed for d in assumed for x in d.dimensions)
    why = "its length is fixed, and no mask or lengths go with it" if fixed else "no mask or lengths go with it"
    state = "If you pad it, say so: --input NAME=features,dims=batch:seq:-."
    return f"nothing says that {names} is ever padded: {why}. {state}"
