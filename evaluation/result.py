"""A case, judged: the plain test beside the audit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluation.marks import Place
from evaluation.reading import Said
from evaluation.truth import Truth


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    name: str
    labels: Mapping[str, str]
    truth: Truth
    said: Said
    expected: tuple[Place, ...] = ()
    """The places of a leak."""
    seconds: float = 0.0

    @property
    def missed(self) -> bool:
        return self.truth.leaky and self.said.outcome != "leaky"

    @property
    def false_alarm(self) -> bool:
        return not self.truth.leaky and self.said.outcome != "clean"

    @property
    def placed(self) -> bool:
        """Whether a leak is found at its places and nowhere else."""
        return self.truth.leaky and not self.missed and self.said.placed

    @property
    def explained(self) -> bool:
        """Whether every cause of a leak is right."""
        return self.truth.leaky and self.said.causes_right == len(self.said.causes)

    @property
    def right(self) -> bool:
        return self.placed and self.explained if self.truth.leaky else not self.false_alarm


def parsed(line: Mapping[str, Any]) -> Result:
    """A result from what was stored of it (``dataclasses.asdict``)."""
    return Result(**{**line, "truth": Truth(**line["truth"]), "said": Said(**line["said"])})
