"""Results -> the four numbers, over everything and by framework, model and condition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Result = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Score:
    """``origins`` counts leaky cases in which exactly the broken lines were named; ``causes`` counts faults."""

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
    decided = [r for r in results if not r.get("undecided")]
    leaks = [r for r in decided if r["leaky"]]
    clean = [r for r in decided if not r["leaky"]]
    return Score(
        len(decided),
        len(leaks),
        sum(r["outcome"] != "leaky" for r in leaks),
        len(clean),
        sum(r["outcome"] != "clean" for r in clean),
        sum(origins_right(r) for r in leaks),
        sum(len(r.get("causes", r["faults"])) for r in leaks),
        sum(r.get("causes_right", 0) for r in leaks),
    )


def origins_right(result: Result) -> bool:
    """Whether every broken line is named, and no finding stands at another line. Places without lines are judged where
    they are looked at (``right``).

    One finding may hold several sites of one cause: its further sites count as named.
    """
    if result["outcome"] != "leaky":
        return False
    if "right" in result:
        return bool(result["right"])
    lines, expected = {int(line) for line in result["lines"]}, set(result["expected"])
    return lines <= expected <= lines | set(result["related"])


def grouped(results: Sequence[Result], by: Callable[[Result], str]) -> dict[str, Score]:
    names = dict.fromkeys(by(r) for r in results)
    return {name: score([r for r in results if by(r) == name]) for name in names}


def wrong(results: Iterable[Result]) -> list[Result]:
    """Cases in which anything is not as it should be."""
    return [
        r
        for r in results
        if not r.get("undecided")
        and (
            (r["leaky"] and (not origins_right(r) or r.get("causes_right", 0) != len(r.get("causes", ()))))
            or (not r["leaky"] and r["outcome"] != "clean")
        )
    ]
