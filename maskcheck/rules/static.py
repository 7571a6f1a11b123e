"""Joins what a graph shows without being run to the origin it explains."""

from __future__ import annotations

from maskcheck.core.evidence import Evidence
from maskcheck.core.report import RootCause
from maskcheck.ir.graph import Site
from maskcheck.ir.static_fact import FactKind, StaticFact


def joined_static(evidence: Evidence, *kinds: FactKind) -> tuple[StaticFact, ...]:
    """Return the static facts that may explain the origin, of ``kinds`` when any are named.

    Facts about the origin itself come first, then those about sites before it, then those about the whole model. What
    lies behind an origin explains nothing.
    """
    ranks = _ranks(evidence)
    joined = [f for f in evidence.static if f.site in ranks and (not kinds or f.kind in kinds)]
    return tuple(sorted(joined, key=lambda f: ranks[f.site]))


def static_cause(evidence: Evidence, *kinds: FactKind) -> RootCause | None:
    """Return the first joined fact of ``kinds`` as a root cause."""
    facts = joined_static(evidence, *kinds)
    if not facts:
        return None
    return RootCause(site_named(evidence, facts[0].site), facts[0].detail)


def site_named(evidence: Evidence, name: str | None) -> Site | None:
    """Return the origin or the neighbour called ``name``."""
    sites = (evidence.site, *evidence.upstream, *evidence.downstream)
    return next((s for s in sites if s.name == name), None)


def _ranks(evidence: Evidence) -> dict[str | None, int]:
    ranks: dict[str | None, int] = {evidence.site.name: 0}
    if evidence.site.module:
        ranks.setdefault(evidence.site.module, 1)
    for site in evidence.upstream:
        ranks.setdefault(site.name, 2)
    ranks.setdefault(None, 3)
    return ranks
