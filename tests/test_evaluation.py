"""The harness of the evaluation: what is judged right, and that the plain tests know nothing of maskcheck."""

from __future__ import annotations

import ast
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import evaluation
from evaluation.given import feats, lengths
from evaluation.marks import Fault, Marks
from evaluation.places import Layers, Lines, Nodes
from evaluation.reading import Said, told
from evaluation.result import Result, parsed
from evaluation.score import score, wrong
from evaluation.truth import Truth, within
from evaluation.truth.gaps import GONE, gap
from evaluation.truth.in_numpy import Drawn
from evaluation.truth.loader import Loader
from evaluation.truth.rows import Rows
from evaluation.truth.twins import mates, padded

ROOT = Path(evaluation.__file__).parent
PLAIN_TESTS = ("truth.py", "torch_steps.py", "keras_steps.py")


def imported(path: Path) -> set[str]:
    """The names of all modules that a file imports, and of what it takes from them."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = [(node.module, alias.name) for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names]
    return plain | {str(module) for module, _ in parts} | {f"{module}.{name}" for module, name in parts}


def files(module: str) -> list[Path]:
    path = ROOT.parent / module.replace(".", "/")
    return [f for f in (path.with_suffix(".py"), path / "__init__.py") if f.exists()]


@pytest.mark.parametrize(
    "path",
    [*(ROOT / "truth").glob("*.py"), *(p for p in ROOT.rglob("*.py") if p.name in PLAIN_TESTS)],
    ids=lambda p: str(p.relative_to(ROOT)),
)
def test_no_plain_test_reaches_maskcheck(path: Path) -> None:
    seen: set[Path] = set()
    waiting = [path]
    while waiting:
        current = waiting.pop()
        names = imported(current)
        assert not [n for n in names if n.split(".")[0] == "maskcheck"], current
        found = [f for name in names if name.startswith("evaluation") for f in files(name)]
        waiting += [f for f in found if f not in seen]
        seen |= {current, *found}


def site(name: str = "", line: int | None = None, module: str | None = None) -> Any:
    source = None if line is None else SimpleNamespace(file="model.py", line=line)
    return SimpleNamespace(name=name, module=module, source=source)


def finding(at: Any, rule: str, *related: Any, cause: Any = None) -> Any:
    begun = None if cause is None else SimpleNamespace(site=cause)
    return SimpleNamespace(site=at, rule=rule, related=related, root_cause=begun)


LINES = Lines(files=frozenset({"model.py"}))
FAULT = Fault(name="ATT-01", rules=frozenset({"MC201"}), at=(3,))
MARKS = Marks(sites=LINES, places=frozenset({3}), faults=(FAULT,))


def said(marks: Marks, *findings: Any) -> Said:
    return told(marks, findings, "leaky", None)


def test_every_place_has_to_be_named_and_no_other() -> None:
    assert said(MARKS, finding(site(line=3), "MC201")).placed
    assert not said(MARKS).placed
    assert not said(MARKS, finding(site(line=3), "MC201"), finding(site(line=4), "MC101")).placed
    two = replace(MARKS, places=frozenset({3, 5}))
    assert not said(two, finding(site(line=3), "MC201")).placed
    assert said(two, finding(site(line=3), "MC201", site(line=5))).placed
    assert said(replace(MARKS, behind=frozenset({4})), *(finding(site(line=n), "MC201") for n in (3, 4))).placed


def test_a_finding_elsewhere_is_wrong_unless_it_counts_for_nothing() -> None:
    found = (finding(site(line=3), "MC201"), finding(None, "MC999"))
    assert not said(MARKS, *found).placed
    assert said(replace(MARKS, sites=replace(LINES, elsewhere=None)), *found).placed


def test_a_cause_is_a_rule_of_the_fault_and_the_place_where_it_began() -> None:
    assert said(MARKS, finding(site(line=3), "MC201")).causes_right == 1
    assert said(MARKS, finding(site(line=3), "MC101")).causes_right == 0
    begun = replace(MARKS, faults=(replace(FAULT, begun=frozenset({1})),))
    assert said(begun, finding(site(line=3), "MC201")).causes_right == 0
    assert said(begun, finding(site(line=3), "MC201", cause=site(line=1))).causes_right == 1


def test_of_two_findings_at_one_place_the_first_counts_or_the_last() -> None:
    found = (finding(site("a"), "MC201"), finding(site("a"), "MC101"))
    marks = Marks(sites=Nodes(), places=frozenset({"a"}), faults=(replace(FAULT, at=("a",)),))
    assert said(marks, *found).causes == {"ATT-01": "MC201"}
    assert said(replace(marks, last_counts=True), *found).causes == {"ATT-01": "MC101"}


def test_of_layers_one_is_enough_and_numbers_and_paths_are_no_other_name() -> None:
    fault = replace(FAULT, at=("pool", "add"), begun=frozenset({"lost"}))
    marks = Marks(
        sites=Layers(wanted=("pool", "add"), cause="lost"),
        places=frozenset({"pool", "add"}),
        faults=(fault,),
        one_is_enough=True,
    )
    found = said(marks, finding(site("outer/add_2"), "MC201", cause=site("lost_1")))
    assert found.placed and found.causes_right == 1 and found.named == {"add": "MC201"}
    assert said(marks, finding(site("x", module="pool"), "MC101")).placed
    assert not said(marks, finding(site("x"), "MC201", site("add"))).placed


def result(leaky: bool, outcome: str, **told: Any) -> Result:
    truth = within(1.0 if leaky else 0.0)
    return Result(name="x", labels={}, truth=truth, said=Said(outcome=outcome, causes={"ATT-01": None}, **told))


def test_scores_count_what_was_decided() -> None:
    undecided = replace(result(True, "clean"), truth=Truth(leaky=True, difference=1e-7, undecided=True))
    right = result(True, "leaky", placed=True, causes_right=1)
    results = [right, result(True, "clean"), result(False, "crash"), result(False, "clean"), undecided]
    found = score(results)
    assert (found.cases, found.leaks, found.missed, found.sound, found.false_alarms) == (4, 2, 1, 2, 1)
    assert (found.origins, found.faults, found.causes) == (1, 2, 1)
    assert wrong(results) == results[1:3]
    assert parsed(asdict(right)) == right


def test_a_leak_below_what_float32_shows_is_undecided() -> None:
    assert within(1e-7).undecided and within(1e-7).leaky
    assert not within(1e-5).undecided and not within(1e-9).leaky


def rows(ask: Any) -> Rows:
    loader = Loader(inputs={"x": feats("batch", "time", 2), "n": lengths()}, draw=Drawn())
    return Rows(loader=loader, ask=ask, count=4)


@pytest.mark.parametrize("masked", [True, False])
def test_the_plain_test_sees_a_mean_over_pads(masked: bool) -> None:
    def mean(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        x, n = inputs["x"], inputs["n"][:, None]
        real = np.arange(x.shape[1])[None, :] < n
        return [(x * real[..., None]).sum(1) / n if masked else x.mean(1)]

    asked = rows(mean)
    found = asked.differences(asked.alone(), [*padded(range(4), ["time"], False), *mates([[0, 2]], ["time"], False)])
    assert [bool(found[kind].max() > 1e-5) for kind in ("pads", "mates")] == [not masked] * 2


def test_rows_are_as_long_as_they_are_alone_and_pads_stand_on_their_side() -> None:
    loader = Loader(inputs={"x": feats("batch", "time")}, draw=Drawn())
    alone, beside = loader.batch([1])["x"], loader.batch([0, 1], {"time": 2})["x"]
    assert alone.shape == (1, 7) and beside.shape == (2, 11)
    assert np.array_equal(beside[1, :7], alone[0]) and not beside[1, 7:].any()
    left = replace(loader, left=True).batch([0, 1])["x"]
    assert np.array_equal(left[1, -7:], alone[0]) and not left[1, :2].any()


def test_a_gap_is_what_differs_where_both_have_numbers() -> None:
    one, two = np.array([1.0, np.nan, np.inf]), np.array([1.5, np.nan, np.inf])
    assert gap(two, one, left=False) == 0.5
    assert gap(np.array([np.nan]), np.array([0.0]), left=False) == GONE
    assert gap(np.array([9.0, 1.0]), np.array([1.0]), left=True) == 0.0
