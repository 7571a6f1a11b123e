"""Models from public reports: every second one, as reported or as mended, of those that the audit gets right."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from evaluation.case import Case
from evaluation.corpora.reported.corpus import CORPUS, case_of, forms, lines
from evaluation.corpora.reported.registry import REPORTS
from evaluation.judge import judge

WRONG: dict[str, set[str]] = {
    "bimpm reported module": {"origin"},
    "nmt_with_attention reported module": {"cause"},
    "reward_last_token reported left": {"cause"},
    "qwen_ntk reported module": {"cause", "origin"},
    "bert_nli reported module": {"cause"},
    "kyubyong_transformer reported module": {"cause"},
    "toto_padding reported left": {"origin"},
    "diffusion_planner reported module": {"origin"},
    "spacy_transformers reported module": {"cause"},
    "fla_linear reported left": {"cause"},
    "masked_vit reported module": {"origin"},
    "molm_qformer reported module": {"cause"},
    "vg_gplms reported module": {"cause"},
    "coca_cls_mask reported module": {"origin", "cause"},
}
"""What the audit does not get right yet, by case: the line or the rule."""
CHOSEN = [
    case
    for number, report in enumerate(REPORTS.values())
    for case in [case_of(report, bool(number % 2), forms(report)[0])]
    if number % 4 < 2
]


@pytest.mark.parametrize("case", CHOSEN, ids=lambda c: c.name)
def test_the_audit_agrees_with_the_plain_test(case: Case) -> None:
    found, excused = judge(CORPUS, case), WRONG.get(case.name, set())
    assert found.truth.leaky is case.leaks, found
    assert not (found.missed or found.false_alarm), found
    if found.truth.leaky:
        assert found.placed or "origin" in excused, found
        assert found.explained or "cause" in excused, found


def test_every_report_has_an_address_and_a_marked_line() -> None:
    assert len(REPORTS) >= 110
    for report in REPORTS.values():
        assert "https://" in (report.build.__doc__ or ""), report.name
        for form in forms(report):
            assert bool(lines(case_of(report, False, form), "leak")) is not report.harmless, report.name
