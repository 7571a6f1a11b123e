"""The rules' texts are complete, and together they cover every mechanism that a graph can hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from maskcheck.core.errors import UsageError
from maskcheck.rules import Rule, all_rules, rule
from maskcheck.rules.rule import FRAMEWORKS

FAMILIES = {
    "pooling": range(101, 200),
    "attention": range(201, 300),
    "recurrent": range(301, 400),
    "convolution": range(401, 500),
    "normalization": range(501, 600),
    "positional": range(601, 700),
    "embedding": range(701, 800),
    "quantization": range(801, 900),
    "routing": range(901, 920),
    "mixing": range(920, 940),
    "export": range(940, 960),
    "training": range(961, 999),
    "unclassified": range(999, 1000),
}

MECHANISMS = {
    "ATT": 31,
    "POOL": 13,
    "RNN": 13,
    "CONV": 10,
    "NORM": 7,
    "POS": 8,
    "EMB": 6,
    "QNT": 4,
    "MOE": 3,
    "LOSS": 4,
    "KER": 18,
    "EXP": 4,
    "ORT": 9,
    "MIX": 9,
}
"""How many mechanisms of each kind are catalogued; they are numbered from 01."""

NOT_IN_A_GRAPH = {
    "ATT-21": "the nested-tensor fast path changes pad positions and rounding, no real position",
    "ATT-30": "packing puts several documents into one row; a padded row holds one",
    "MOE-02": "balance losses act in training only",
    "MOE-03": "rounding of grouped products, not a leak",
    "KER-18": "a warning about a mask that is not lost",
    "ORT-09": "needs the other engine to run",
    "MIX-07": "masks of another framework, lost before a file is written",
}

TEXTS = ("summary", "what", "why", "arises", "see")


def _ids(rules: tuple[Rule, ...]) -> list[str]:
    return [r.code for r in rules]


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.code)
def test_texts_are_there(rule: Rule) -> None:
    for field in TEXTS:
        text = getattr(rule, field)
        assert text.endswith("."), field
        assert "\n" not in text and "  " not in text
    assert set(rule.fix) == set(FRAMEWORKS)
    assert all(text.endswith((".", "`")) for text in rule.fix.values())
    assert rule.severity in (None, "warning")


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.code)
def test_summaries_fit_one_line(rule: Rule) -> None:
    assert len(rule.summary) <= 110


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.code)
def test_snippets_are_python(rule: Rule) -> None:
    for snippet in (rule.leaky, rule.mended):
        assert ast.parse(snippet).body
    assert rule.leaky != rule.mended


@pytest.mark.parametrize("rule", all_rules(), ids=lambda r: r.code)
def test_codes_names_and_references_are_well_formed(rule: Rule) -> None:
    assert re.fullmatch(r"MC[1-9]\d\d", rule.code)
    assert re.fullmatch(r"[a-z]+(-[a-z0-9]+)*", rule.name)
    assert int(rule.code[2:]) in FAMILIES[rule.family]
    assert all(re.fullmatch(r"https://[\w./-]+", address) for address in rule.references)


def test_codes_and_names_are_unique_and_ordered() -> None:
    rules = all_rules()
    assert _ids(rules) == sorted({r.code for r in rules})
    assert len({r.name for r in rules}) == len(rules)


def test_every_mechanism_is_covered_or_excluded_with_a_reason() -> None:
    known = {f"{prefix}-{n:02d}" for prefix, count in MECHANISMS.items() for n in range(1, count + 1)}
    covered = {m for r in all_rules() for m in r.mechanisms}
    assert len(known) == 139
    assert covered <= known
    assert known - covered == set(NOT_IN_A_GRAPH)


def test_a_rule_is_found_by_code_or_name_in_any_case() -> None:
    assert rule("mc101") is rule("Unmasked-Mean") is rule(" MC101 ")


def test_an_unknown_code_names_near_ones() -> None:
    with pytest.raises(UsageError) as caught:
        rule("unmasked-meen")
    assert "unmasked-mean" in caught.value.hint
    with pytest.raises(UsageError, match="no rule 'qqqq'"):
        rule("qqqq")


def test_listing_rules_imports_no_numpy() -> None:
    code = "import sys; from maskcheck.rules import all_rules; all_rules(); sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
