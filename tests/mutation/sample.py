"""Mutation testing of the parts that decide: a seeded sample of small faults, each of which some unit test should see.

    pip install cosmic-ray
    python tests/mutation/sample.py --seed 1 --count 400 --jobs 2

The faults are those of cosmic-ray's operators (docs/testing.md says which). cosmic-ray itself runs every mutant, in a
process of its own each, which takes a night; this script draws some. A mutant lives in memory only: a child process
imports the mutated text in place of the module, runs the test file that is named like the module, and all tests of the
part where that one sees nothing. No file of the project is written. Needs fork (Linux, macOS).
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import importlib.abc
import importlib.machinery
import importlib.util
import io
import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
PARTS = ("maskcheck/probe", "maskcheck/verdict")
TESTS = {
    "maskcheck/probe": ("tests/unit/probe", "tests/unit/explain", "tests/unit/test_auditing.py"),
    "maskcheck/verdict": ("tests/unit/verdict", "tests/unit/test_auditing.py"),
}
"""All tests that may kill a mutant of a part."""
SECONDS = 120
"""A mutant that runs for longer than this hangs, and counts as killed."""

COMPARISONS = {
    "Eq": ("NotEq",),
    "NotEq": ("Eq",),
    "Lt": ("LtE", "GtE"),
    "LtE": ("Lt", "Gt"),
    "Gt": ("GtE", "LtE"),
    "GtE": ("Gt", "Lt"),
    "Is": ("IsNot",),
    "IsNot": ("Is",),
}
"""The opposite, and the other side of a boundary: what else a comparison may become is killed by any test at all."""
ARITHMETIC = {
    "Add": "Sub",
    "Sub": "Add",
    "Mul": "Div",
    "Div": "Mul",
    "FloorDiv": "Mul",
    "Mod": "Mul",
    "Pow": "Mul",
    "BitOr": "BitAnd",
    "BitAnd": "BitOr",
}
OPERATORS = (
    *(f"core/ReplaceComparisonOperator_{a}_{b}" for a, others in COMPARISONS.items() for b in others),
    *(f"core/ReplaceBinaryOperator_{a}_{b}" for a, b in ARITHMETIC.items()),
    "core/AddNot",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceUnaryOperator_Delete_Invert",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/ReplaceUnaryOperator_Delete_USub",
    "core/ZeroIterationForLoop",
)


@dataclass(frozen=True)
class Mutant:
    path: Path
    operator: str
    occurrence: int
    source: str
    lines: tuple[tuple[int, str, str], ...]

    @property
    def module(self) -> str:
        return ".".join(self.path.relative_to(ROOT).with_suffix("").parts)

    @property
    def text(self) -> str:
        where = f"{self.path.relative_to(ROOT)}:{self.lines[0][0]}  {self.operator.removeprefix('core/')}"
        changes = (f"\n    - {before.strip()}\n    + {after.strip()}" for _, before, after in self.lines[:2])
        return where + "".join(changes)


def draw(seed: int, count: int, only: str) -> list[Mutant]:
    """The first ``count`` mutants, in an order that depends on nothing but the seed, which change what is executed."""
    places = [place for path in _modules(only) for place in _places(path)]
    random.Random(seed).shuffle(places)
    found: list[Mutant] = []
    for path, operator, occurrence in places:
        if len(found) == count:
            break
        if (mutant := _mutate(path, operator, occurrence)) is not None:
            found.append(mutant)
    return found


def _modules(only: str) -> list[Path]:
    paths = sorted(path for part in PARTS for path in (ROOT / part).rglob("*.py"))
    return [path for path in paths if fnmatch.fnmatch(str(path.relative_to(ROOT)), only)]


def _places(path: Path) -> Iterator[tuple[Path, str, int]]:
    from cosmic_ray.ast import get_ast
    from cosmic_ray.plugins import get_operator

    def nodes(node: object) -> Iterator[object]:
        yield node
        for child in getattr(node, "children", ()):
            yield from nodes(child)

    tree = list(nodes(get_ast(path.read_text())))
    for name in OPERATORS:
        operator = get_operator(name)()
        for occurrence in range(sum(1 for node in tree for _ in operator.mutation_positions(node))):
            yield path, name, occurrence


def _mutate(path: Path, name: str, occurrence: int) -> Mutant | None:
    """``None`` where nothing changes that is executed, or the text does not compile."""
    from cosmic_ray.mutating import mutate_code
    from cosmic_ray.plugins import get_operator

    before = path.read_text()
    after = mutate_code(before, get_operator(name)(), occurrence)
    try:
        if after is None or _executed(after) == _executed(before):
            return None
    except SyntaxError:
        return None
    pairs = zip(before.splitlines(), after.splitlines(), strict=False)
    lines = tuple((i, old, new) for i, (old, new) in enumerate(pairs, 1) if old != new)
    return Mutant(path, name, occurrence, after, lines or ((1, "", ""),))


def _unchanged(part: str) -> Mutant:
    """Some module as it is, with all tests of its part: none may fail."""
    path = ROOT / part / "__init__.py"
    return Mutant(path, "none", 0, path.read_text(), ((1, "", ""),))


def _executed(source: str) -> str:
    """A text without what decides nothing: annotations, the settings of data classes, the markers ``*`` and ``/``."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        elif isinstance(node, ast.ClassDef):
            node.decorator_list = []
        elif isinstance(node, ast.arg):
            node.annotation = None
        elif isinstance(node, ast.AnnAssign):
            node.annotation = ast.Constant(0)
        elif isinstance(node, ast.arguments):
            node.args = [*node.posonlyargs, *node.args, *node.kwonlyargs]
            node.posonlyargs = node.kwonlyargs = []
    return ast.dump(tree)


class _InPlaceOf(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports a mutant in place of its module."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, name: str, path: object, target: object = None) -> importlib.machinery.ModuleSpec | None:
        if name != self.mutant.module:
            return None
        return importlib.util.spec_from_file_location(name, self.mutant.path, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.source, str(self.mutant.path), "exec"), module.__dict__)


def stages(path: Path) -> list[list[str]]:
    """The files named like the module (and like its folder, for a short name), then all tests of its part."""
    part = next(part for part in PARTS if (ROOT / part) in path.parents)
    every = [test for test in TESTS[part] if (ROOT / test).exists()]
    own = sorted(str(p.relative_to(ROOT)) for test in every for p in (ROOT / test).glob(f"test_{path.stem}*.py"))
    return [own, every] if own else [every]


def _child(mutant: Mutant) -> int:
    """Whether a test fails with the mutant: 1, or 0 where none does."""
    import pytest

    sys.meta_path.insert(0, _InPlaceOf(mutant))
    for tests in stages(mutant.path):
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            if pytest.main([*tests, "-x", "-q", "--no-header", "-p", "no:cacheprovider", "--tb=no"]) != 0:
                return 1
    return 0


def run(mutants: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, bool]]:
    """Each mutant with whether it was killed, as they end."""
    waiting, running = list(reversed(mutants)), dict[int, tuple[Mutant, float]]()
    while waiting or running:
        while waiting and len(running) < jobs:
            mutant = waiting.pop()
            pid = os.fork()
            if pid == 0:
                os.setpgrp()
                try:
                    code = _child(mutant)
                except BaseException:
                    code = 1
                os._exit(code)
            running[pid] = (mutant, time.monotonic())
        for pid, (mutant, started) in list(running.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            hangs = not done and time.monotonic() - started > SECONDS
            if hangs:
                os.kill(pid, signal.SIGKILL)
                _, status = os.waitpid(pid, 0)
            if done or hangs:
                del running[pid]
                yield mutant, status != 0
        time.sleep(0.02)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--jobs", type=int, default=2, help="processes side by side")
    parser.add_argument("--only", default="*", help="modules, such as 'maskcheck/probe/twins/*'")
    parser.add_argument("--list", action="store_true", help="show the mutants drawn and run nothing")
    given = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    import numpy  # noqa: F401  # these once, for all children
    import pytest  # noqa: F401

    mutants = draw(given.seed, given.count, given.only)
    if given.list:
        print("\n".join(mutant.text for mutant in mutants))
        return
    if any(dead for _, dead in run([_unchanged(part) for part in PARTS], given.jobs)):
        sys.exit("The tests fail without any mutant, so they can kill none.")
    killed = 0
    for done, (mutant, dead) in enumerate(run(mutants, given.jobs), 1):
        killed += dead
        if not dead:
            print(f"survives: {mutant.text}", flush=True)
        if done % 50 == 0:
            print(f"-- {killed} of {done} killed", flush=True)
    print(f"\n{killed} of {len(mutants)} mutants killed ({killed / max(1, len(mutants)):.1%}), seed {given.seed}")


if __name__ == "__main__":
    main()
