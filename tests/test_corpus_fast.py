"""A small part of the corpus in every run: sound models, one fault of each kind, two at once, hiding conditions."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from evaluation.corpora.broken.cases import FAULTS, RULES, Case, cases, line_of
from evaluation.corpora.broken.judge import judge
from evaluation.score import score, wrong

FAST = (
    Case("encoder", ()),
    Case("encoder", ("weak_fill", "plain_mean")),
    Case("encoder", ("inverted",)),
    Case("tagger", ("norm_over_time",)),
    Case("tagger", ("scaled_positions",)),
    Case("decoder", (), "width=total"),
    Case("encoder-decoder", ("cross_no_mask",)),
    Case("conformer", ("unmasked_convolution",)),
    Case("text-cnn", (), "tiny"),
    Case("recurrent-tagger", ("not_packed",)),
    Case("recurrent-classifier", ()),
    Case("state-space", ("zero_filled_max",)),
    Case("experts", ("unmasked_gate", "plain_max")),
    Case("series", ("scaled_over_pads",), "meaningless names"),
    Case("series", ("plain_max",), "width=total"),  # pads win for few series only
    Case("recurrent-classifier", (), "bfloat16"),
)


def test_the_fast_part_loses_nothing() -> None:
    results = [judge(case) for case in FAST]
    found = score(results)
    assert found.missed == 0 and found.false_alarms == 0, wrong(results)
    assert found.origins == found.leaks, wrong(results)
    assert found.causes == found.faults, wrong(results)


def test_every_fault_has_its_line_and_its_rules() -> None:
    every = list(cases())
    assert len({case.name for case in every}) == len(every) > 300
    for case in every:
        for fault in case.faults:
            assert line_of(case, fault) > 0 and RULES[fault.removeprefix("cross_")]
    assert {case.model for case in every} == set(FAULTS)
