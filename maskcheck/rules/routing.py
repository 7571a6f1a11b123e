"""Positions chosen by data: experts, top-k, sorting."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.trace import OperationKind
from maskcheck.rules import circumstances as c
from maskcheck.rules.rule import Match


def expert_capacity(evidence: Evidence) -> Match | str:
    site = evidence.site
    reason = c.is_a(evidence, "a router", OperationKind.ROUTING, OperationKind.SCAN)
    if reason:
        return reason
    chosen = c.any_kind(evidence.upstream, OperationKind.ROUTING, OperationKind.SOFTMAX)
    compared = c.any_named(evidence.downstream, "less", "greater", "lt", "le")
    ranks = site.kind is OperationKind.SCAN and chosen and compared
    owner = (site.module_class or "").lower()
    routes = site.kind is OperationKind.ROUTING and (
        any(word in owner for word in ("router", "moe", "expert", "sparse", "switch"))
        or c.any_kind(evidence.upstream, OperationKind.SCAN)
    )
    if not ranks and not routes:
        return "no tokens are dispatched to experts"
    return Match(f"{site.operation} lets pads take places at the experts, so later real tokens are dropped.")


def chosen_positions(evidence: Evidence) -> Match | str:
    reason = c.is_a(evidence, "a selection by data", OperationKind.ROUTING)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operation} chooses positions by a score, and pads compete with real positions.",
        c.lost_mask(evidence),
    )
