"""Judge the cases of a corpus that have no result yet, each in another process."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

from evaluation import registry, stored
from evaluation.case import Case
from evaluation.judge import judge
from evaluation.result import Result, parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    results: Path
    """A folder with a file for each corpus."""
    jobs: int = 2
    only: str = ""
    condition: str | None = None
    again: bool = False

    def choose(self, case: Case) -> bool:
        return self.only in case.name and self.condition in (None, case.condition)


def run(name: str, options: Options) -> list[Result]:
    """The results of the chosen cases: those that were there, and those that were missing."""
    chosen = [case for case in registry.cases(name) if options.choose(registry.cases(name)[case])]
    path = options.results / f"{name}.jsonl"
    known = {} if options.again else stored.read(path, "name")
    _judge(name, [case for case in chosen if case not in known], path, options.jobs)
    known = stored.read(path, "name")
    return [parsed(known[case]) for case in chosen if case in known]


def _judge(name: str, todo: list[str], path: Path, jobs: int) -> None:
    once = 1 if registry.corpus(name).apart else None
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), max_tasks_per_child=once) as pool:
        stored.add(path, [pool.submit(judged, name, case) for case in todo])


def judged(name: str, case: str) -> stored.Line:
    """One case as plain data."""
    return asdict(judge(registry.corpus(name), registry.cases(name)[case]))
