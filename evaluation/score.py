"""Results -> the four numbers, over everything and by framework, model and condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evaluation.result import Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``origins`` counts leaky cases in which exactly the broken places were named; ``causes`` counts faults."""

    cases: int
    leaks: int
    missed: int
    sound: int
    false_alarms: int
    origins: int
    faults: int
    causes: int

    @property
    def origin_rate(self) -> float:
        return self.origins / self.leaks if self.leaks else 1.0

    @property
    def cause_rate(self) -> float:
        return self.causes / self.faults if self.faults else 1.0


def score(results: Iterable[Result]) -> Score:
    decided = _decided(results)
    leaks = [r for r in decided if r.truth.leaky]
    return Score(
        cases=len(decided),
        leaks=len(leaks),
        missed=sum(r.missed for r in leaks),
        sound=len(decided) - len(leaks),
        false_alarms=sum(r.false_alarm for r in decided),
        origins=sum(r.placed for r in leaks),
        faults=sum(len(r.said.causes) for r in leaks),
        causes=sum(r.said.causes_right for r in leaks),
    )


def grouped(results: Sequence[Result], by: Callable[[Result], str]) -> dict[str, Score]:
    names = dict.fromkeys(by(r) for r in results)
    return {name: score([r for r in results if by(r) == name]) for name in names}


def wrong(results: Iterable[Result]) -> list[Result]:
    """Cases in which anything is not as it should be."""
    return [r for r in _decided(results) if not r.right]


def _decided(results: Iterable[Result]) -> list[Result]:
    return [r for r in results if not r.truth.undecided]
