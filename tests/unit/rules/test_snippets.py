"""Each rule's leaky snippet leaks when it is run, and its mended one does not."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from maskcheck.rules import Rule, all_rules
from tests.loaders import keras_child
from tests.unit.rules import snippet_keras
from tests.unit.rules.snippet_cases import CASES
from tests.unit.rules.snippet_scenes import Case, difference

LEAK = 1e-3
BLIND = "token"
"""The twin whose answers ought to differ: a rule of blindness shows by an answer that stays."""


@pytest.fixture(autouse=True)
def double_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Compute in float64, on one thread, in a folder for the files that snippets write."""
    monkeypatch.chdir(tmp_path)
    before, threads = torch.get_default_dtype(), torch.get_num_threads()
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")
        yield
    torch.set_default_dtype(before)
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def keras_differences() -> dict[str, dict[str, float]]:
    return snippet_keras.ask()


@pytest.mark.parametrize("rule", [r for r in all_rules() if r.code not in snippet_keras.RULES], ids=lambda r: r.code)
def test_the_leaky_snippet_leaks_and_the_mended_one_does_not(rule: Rule) -> None:
    case = CASES.get(rule.code, Case())
    leaky, mended = (difference(snippet, case, case.twin) for snippet in (rule.leaky, rule.mended))
    if case.twin == BLIND:
        leaky, mended = mended, leaky
    assert leaky > LEAK
    assert mended < case.tolerance
    assert (difference(rule.mended, case, "text") > LEAK) is case.reads_text, "the mended answer is of the text"


@pytest.mark.parametrize("code", [code for code, case in CASES.items() if case.silent])
def test_nothing_leaks_where_the_rule_says_that_nothing_does(code: str) -> None:
    (rule,) = (r for r in all_rules() if r.code == code)
    for twin in CASES[code].silent:
        for snippet in (rule.leaky, rule.mended):
            assert difference(snippet, CASES[code], twin) < CASES[code].tolerance, twin


@pytest.mark.skipif(not keras_child.available, reason="needs Keras and TensorFlow")
@pytest.mark.parametrize("code", snippet_keras.RULES)
def test_keras_snippets_leak_and_are_mended(code: str, keras_differences: dict[str, dict[str, float]]) -> None:
    assert keras_differences[code]["leaky"] > LEAK
    assert keras_differences[code]["mended"] < 1e-9


def test_cases_are_of_rules_that_exist() -> None:
    assert {*CASES, *snippet_keras.RULES} <= {r.code for r in all_rules()}
