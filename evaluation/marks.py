"""What an audit has to say of a case: where, by which rule, and where it began."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from maskcheck.ir.graph import Site

Place = str | int
"""A line of the model's file, a node or a layer."""


class Sites(Protocol):
    """The places that sites of a report go by; ``None`` where a site counts for nothing."""

    def named(self, site: Site | None) -> Place | None:
        """Of a finding."""

    def related(self, site: Site) -> Place | None:
        """Of a further site of a finding."""

    def begun(self, site: Site) -> Place | None:
        """Of a root cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a model. The cause is right if one of ``rules`` stands at one of the places ``at``
    and, where ``begun`` holds any, one of these is a root cause."""

    name: str
    rules: frozenset[str]
    at: tuple[Place, ...] = ()
    begun: frozenset[Place] = frozenset()
    first_named: bool = False
    """Of the places only the first that is named is asked for its rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Where padding gets in, all of it; what may be named besides (``behind``); and what is wrong there."""

    sites: Sites
    places: frozenset[Place] = frozenset()
    behind: frozenset[Place] = frozenset()
    faults: tuple[Fault, ...] = ()
    one_is_enough: bool = False
    """Keras: a finding has to stand at one of the places. Elsewhere every place is asked for, and the further sites of
    a finding count as named."""
    last_counts: bool = False
    """Of two findings at one place the rule of the last counts, not of the first: so the exports were judged."""
