"""Which rule explains what padding does to training."""

from __future__ import annotations

from collections.abc import Iterator

from maskcheck.core.report import RootCause
from maskcheck.core.training import Change, TrainingFacts
from maskcheck.rules.lookup import rule
from maskcheck.rules.rule import Diagnosis

_EXACT = 1e-3
"""How near the loss must come to n / T of itself to be explained by its divisor."""


def causes(facts: TrainingFacts, lost: str | None = None) -> Iterator[Diagnosis]:
    """Explain a loss, metrics and gradients that move with padding, the first cause first.

    ``lost`` says where the mask was lost, for frameworks that carry one beside the answers. Where the answers leak in
    inference already, training follows, and nothing is left to explain.
    """
    if facts.answers_leak:
        return
    cause = RootCause(None, lost) if lost else None
    if facts.answers_move:
        yield _diagnosis("MC964", facts, f"{_said(facts.loss)}; in training mode the answers themselves move.", None)
        return
    if facts.loss_moves:
        yield _loss(facts, cause)
    for change in facts.metrics:
        yield _diagnosis("MC963", facts, f"{change.name} counts pads: {_said(change)}.", cause)
    if facts.gradients and not facts.loss_moves:
        names = ", ".join(name for name, _ in facts.gradients[:3])
        more = f" and {len(facts.gradients) - 3} more" if len(facts.gradients) > 3 else ""
        yield _diagnosis("MC965", facts, f"The loss stays and the gradients of {names}{more} move.", None)


def _loss(facts: TrainingFacts, cause: RootCause | None) -> Diagnosis:
    share = facts.valid / facts.total
    shrunk = facts.loss.unpadded and abs(facts.loss.padded / facts.loss.unpadded - share) < _EXACT
    if facts.stepwise and shrunk:
        return _diagnosis(
            "MC961",
            facts,
            f"{_said(facts.loss)}, which is {facts.valid}/{facts.total} of it: pads count in the divisor.",
            cause,
        )
    return _diagnosis("MC962", facts, f"{_said(facts.loss)}: pads add terms of their own.", cause)


def _said(change: Change) -> str:
    return f"{change.name} {change.unpadded:.4g} without pads, {change.padded:.4g} with them"


def _diagnosis(code: str, facts: TrainingFacts, message: str, cause: RootCause | None) -> Diagnosis:
    chosen = rule(code)
    return Diagnosis(chosen, message[0].upper() + message[1:], chosen.mend(facts.framework), cause, ())
