"""Positions chosen by data: experts, top-k, sorting."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.ir.operation import ORDERINGS, Kind
from maskcheck.rules import predicates
from maskcheck.rules.rule import Match

_ROUTERS = ("router", "moe", "expert", "experts", "sparse", "switch")
"""Names in the classes of modules that dispatch tokens to experts."""


def padding_takes_expert_capacity(evidence: Evidence) -> Match | str:
    site = evidence.site
    reason = predicates.is_a(evidence, "a router", Kind.ROUTING, Kind.SCAN)
    if reason:
        return reason
    chosen = predicates.any_kind(evidence.upstream, Kind.ROUTING, Kind.SOFTMAX)
    compared = predicates.any_does(evidence.downstream, *ORDERINGS)
    ranks = site.kind is Kind.SCAN and chosen and compared
    routes = site.kind is Kind.ROUTING and (
        predicates.owned_by(site, *_ROUTERS) or predicates.any_kind(evidence.upstream, Kind.SCAN)
    )
    if not ranks and not routes:
        return "no tokens are dispatched to experts"
    return Match(f"{site.operator} lets pads take places at the experts, so later real tokens are dropped.")


def positions_chosen_with_padding(evidence: Evidence) -> Match | str:
    reason = predicates.is_a(evidence, "a selection by data", Kind.ROUTING)
    if reason:
        return reason
    return Match(
        f"{evidence.site.operator} chooses positions by a score, and pads compete with real positions.",
        predicates.lost_mask(evidence),
    )
