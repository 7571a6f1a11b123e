"""Positions chosen by data: experts, top-k, sorting."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.trace import OperationKind
from maskcheck.rules import predicates
from maskcheck.rules.rule import Match


def expert_capacity(evidence: Evidence) -> Match | str:
    site = evidence.site
    reason = predicates.is_a(evidence, "a router", OperationKind.ROUTING, OperationKind.SCAN)
    if reason:
        return reason
    chosen = predicates.any_kind(evidence.upstream, OperationKind.ROUTING, OperationKind.SOFTMAX)
    compared = predicates.any_named(evidence.downstream, "less", "greater", "lt", "le")
    ranks = site.kind is OperationKind.SCAN and chosen and compared
    owner = (site.module_class or "").lower()
    routes = site.kind is OperationKind.ROUTING and (
        any(word in owner for word in ("router", "moe", "expert", "sparse", "switch"))
        or predicates.any_kind(evidence.upstream, OperationKind.SCAN)
    )
    if not ranks and not routes:
        return "no tokens are dispatched to experts"
    return Match(f"{site.operation} lets pads take places at the experts, so later real tokens are dropped.")


def chosen_positions(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a selection by data", OperationKind.ROUTING)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operation} chooses positions by a score, and pads compete with real positions.",
        predicates.lost_mask(evidence),
    )
