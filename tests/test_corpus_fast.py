"""A small part of the corpus in every run: sound models, one fault of each kind, two at once, hiding conditions."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")

from evaluation.corpora.broken.building import Broken, line_of
from evaluation.corpora.broken.corpus import CORPUS, case_of
from evaluation.corpora.broken.faults import FAULTS, rules
from evaluation.judge import judge
from evaluation.score import score, wrong

FAST = (
    Broken(model="encoder"),
    Broken(model="encoder", faults=("weak_fill", "plain_mean")),
    Broken(model="encoder", faults=("inverted",)),
    Broken(model="tagger", faults=("norm_over_time",)),
    Broken(model="tagger", faults=("scaled_positions",)),
    Broken(model="decoder", condition="width=total"),
    Broken(model="encoder-decoder", faults=("cross_no_mask",)),
    Broken(model="conformer", faults=("unmasked_convolution",)),
    Broken(model="text-cnn", condition="tiny"),
    Broken(model="recurrent-tagger", faults=("not_packed",)),
    Broken(model="recurrent-classifier"),
    Broken(model="state-space", faults=("zero_filled_max",)),
    Broken(model="experts", faults=("unmasked_gate", "plain_max")),
    Broken(model="series", faults=("scaled_over_pads",), condition="meaningless names"),
    Broken(model="series", faults=("plain_max",), condition="width=total"),  # pads win for few series only
    Broken(model="recurrent-classifier", condition="bfloat16"),
)


def test_the_fast_part_loses_nothing() -> None:
    results = [judge(CORPUS, case_of(broken)) for broken in FAST]
    found = score(results)
    assert found.missed == 0 and found.false_alarms == 0, wrong(results)
    assert found.origins == found.leaks, wrong(results)
    assert found.causes == found.faults, wrong(results)


def test_every_fault_has_its_line_and_its_rules() -> None:
    every = list(CORPUS.cases())
    assert len({case.name for case in every}) == len(every) > 300
    for case in every:
        for fault in case.faults:
            assert line_of(case.subject, fault) > 0 and rules(fault)
    assert {case.subject.model for case in every} == set(FAULTS)
