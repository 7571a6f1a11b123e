"""Every second case of the files that exporters, optimisers and quantisers leave: leaky, mended, padded in front."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from evaluation.case import Case
from evaluation.corpora.exports.corpus import CORPUS
from evaluation.corpora.exports.registry import EXPORTS
from evaluation.judge import judge

WRONG: dict[str, set[str]] = {
    "tagger_with_a_short_mask leaky left": {"cause"},
    "events_unrolled_to_the_traced_length leaky left": {"cause"},
}
"""What the audit does not get right yet, by case: the place or the rule."""
CHOSEN = [case for number, case in enumerate(CORPUS.cases()) if case.leaks or number % 4 == 1]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda c: c.name)
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found, excused = judge(CORPUS, case), WRONG.get(case.name, set())
    assert found.truth.leaky is case.leaks, found
    assert not (found.missed or found.false_alarm), found
    if found.truth.leaky:
        assert found.placed is ("place" not in excused), found
        assert found.explained is ("cause" not in excused), found


def test_every_mechanism_that_only_exports_have_is_there_in_two_architectures() -> None:
    known: dict[str, set[str]] = {}
    for export in EXPORTS.values():
        known.setdefault(export.mechanism, set()).add(export.host)
    wanted = {f"EXP-0{i}" for i in range(1, 5)} | {f"ORT-0{i}" for i in range(1, 9)} | {"QNT-01", "QNT-03"}
    assert wanted <= set(known) and all(len(hosts) > 1 for hosts in known.values()), known
