"""The lengths an audit tries: below, at and above the usual one, odd and even, a few pads and many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from maskcheck.core.contract import Contract, Domain


@dataclass(frozen=True, slots=True)
class Plan:
    """Valid lengths and padded totals of one domain's dimensions; other domains keep ``valid`` unpadded.

    ``cases`` pairs valid lengths with padded totals. ``fixed`` says that the totals cannot vary.
    """

    domain: Domain
    valid: dict[str, int]
    few: dict[str, int]
    many: dict[str, int]
    cases: tuple[tuple[dict[str, int], dict[str, int]], ...]
    fixed: bool


def plan(contract: Contract, domain: Domain, working: Mapping[str, int]) -> Plan:
    """Choose lengths for ``domain``; ``working`` are lengths under which the model runs."""
    own = [d.name for d in domain.dimensions]
    fixed = all(d.fixed for d in domain.dimensions)
    rest = {n: v for n, v in working.items() if n not in own}
    if fixed:
        total = {d.name: int(d.fixed or 1) for d in domain.dimensions}
        valid = {n: max(1, _odd(round(0.6 * t))) for n, t in total.items()}
        fewer = {n: max(1, round(0.3 * t)) for n, t in total.items()}
        both = rest | total
        return Plan(domain, rest | valid, both, both, ((rest | valid, both), (rest | fewer, both)), True)
    base = {n: _fit(contract, n, working[n]) for n in own}
    few = {n: v + max(3, v // 3) for n, v in base.items()}
    many = {n: 2 * v + 5 for n, v in base.items()}
    one = {n: v + 1 for n, v in base.items()}
    above = {n: v + v // 2 + 1 for n, v in base.items()}  # 9 -> 14: even where the base is odd
    below = {n: max(contract.dimensions[n].minimum, v // 2 + 1) for n, v in base.items()}  # 9 -> 5
    cases = (
        (base, one),
        (base, few),
        (base, many),
        (above, {n: v + max(2, v // 7) for n, v in above.items()}),
        (below, {n: below[n] + max(3, v // 3) for n, v in base.items()}),
    )
    kept = tuple((rest | v, rest | t) for v, t in cases if _reachable(contract, t) and all(t[n] > v[n] for n in own))
    clip = {n: contract.dimensions[n].maximum or many[n] for n in own}
    return Plan(
        domain,
        rest | base,
        rest | {n: min(v, clip[n]) for n, v in few.items()},
        rest | {n: min(v, clip[n]) for n, v in many.items()},
        kept,
        False,
    )


def _fit(contract: Contract, name: str, wanted: int) -> int:
    """The wanted valid length, or two thirds of the longest one where no room for padding would be left."""
    longest = contract.dimensions[name].maximum
    return wanted if longest is None or wanted + 3 <= longest else max(1, (2 * longest) // 3)


def _reachable(contract: Contract, totals: Mapping[str, int]) -> bool:
    return all(t <= (contract.dimensions[n].maximum or t) for n, t in totals.items())


def _odd(value: int) -> int:
    return value if value % 2 else value - 1
