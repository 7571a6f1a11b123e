"""What an origin of a leak means: one rule per mechanism, with its text, its fix and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskcheck.rules.lookup import all_rules, by_code, rule
from maskcheck.rules.rule import Diagnosis, Rule

if TYPE_CHECKING:
    from maskcheck.core.evidence import Evidence
    from maskcheck.core.training import TrainingFacts

__all__ = ["Diagnosis", "Rule", "all_rules", "by_code", "diagnose", "diagnose_training", "rule"]


def diagnose(evidence: Evidence) -> Diagnosis:
    """Return the most specific rule that explains ``evidence``; the last one, MC999, explains anything."""
    # The matchers need numpy through the types of a trace; listing and explaining rules must not.
    from maskcheck.rules.registry import first_match

    return first_match(evidence)


def diagnose_training(facts: TrainingFacts, lost: str | None = None) -> tuple[Diagnosis, ...]:
    """Return why loss, metrics and gradients move with padding; ``lost`` says where a mask was lost, if it was."""
    from maskcheck.rules.training import causes

    return tuple(causes(facts, lost))
