"""Every model of the zoo audited: the verdict its builder declares, the origin, and a rule for the mechanism.

What the zoo declares was established without maskcheck (``test_zoo_truth.py``).
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

pytest.importorskip("torch")

from maskcheck import rules
from maskcheck.auditing import audit_model
from maskcheck.core.report import ModelReport, Outcome, Severity, Status, TwinKind
from maskcheck.core.settings import Settings
from tests import zoo

GATING = {"length", "mates", "empty"}

UNUSUAL = {
    "nothing_to_pad": Outcome.SKIPPED,
    "constant_output": Outcome.SKIPPED,  # reacts to nothing: untested
    "half_fill_overflow": Outcome.SKIPPED,  # answers NaN everywhere
    "norm_over_time": Outcome.SKIPPED,  # one fixed length of plain features: nothing says that it is ever padded
    "mix_tokens": Outcome.SKIPPED,
    # Declared clean under the pad value for the zoo's own rows; other rows do leak, as a maximum over zeros may.
    "pool_frames_maximum": Outcome.LEAKY,
    # Pads of one row stand before the next row's tokens in the queue of every expert: only one row alone is safe.
    "mix_experts_capacity": Outcome.LEAKY,
    # The number of pads cannot vary, so what a pad is worth gates in its place.
    "mix_flatten": Outcome.LEAKY,
    "mix_low_rank": Outcome.LEAKY,
    "static_length": Outcome.LEAKY,
    # Below the length that was baked in, pads count as text.
    "baked_lengths_short": Outcome.LEAKY,
    # exp(-10) is little, but not rounding.
    "ms_attention_weak_filter": Outcome.LEAKY,
}
"""Verdicts that the declared twins alone do not give."""

OTHER_CAUSE = {
    "pool_by_pad_id": "the leak under left padding is the recurrence's own, before any pooling",
    "branch_unmasked": "inside an If, which is one site",
    "ms_embedding_norm": "the operator's positions leak on the left; its lengths are never reached",
    "bert_sound": "no position_ids input: the rule for models without one",
}


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers, so that each model is exported once."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if base.name.startswith("popen-") else base) / "zoo"


def audited(name: str, folder: Path) -> ModelReport:
    return audit_model(str(zoo.build(name, folder)), Settings())


@pytest.mark.parametrize("name", [case.name for case in zoo.CASES])
def test_audit(name: str, folder: Path) -> None:
    case = zoo.named(name)
    found = audited(name, folder)
    _check_verdict(case, found)
    if name in UNUSUAL and found.outcome is not Outcome.LEAKY:
        return
    _check_content(case, found)
    _check_origin(case, found)
    _check_cause(case, found)


def _check_verdict(case: zoo.Case, found: ModelReport) -> None:
    wanted = UNUSUAL.get(case.name, Outcome.LEAKY if case.leaky & GATING else Outcome.CLEAN)
    assert found.outcome is wanted, (found.reason, [(r.twin, r.variant, r.status, r.reason) for r in found.passport])
    if not case.leaky and case.name not in UNUSUAL:
        assert [f for f in found.findings if f.severity is not Severity.INFO] == []


def _check_content(case: zoo.Case, found: ModelReport) -> None:
    if "content" not in case.leaky | case.clean or case.name == "mix_experts_capacity":  # declared for one row alone
        return
    rows = [r.status for r in found.passport if r.twin is TwinKind.CONTENT]
    assert (Status.LEAKY in rows) == ("content" in case.leaky), [(r.twin, r.status, r.reason) for r in found.passport]


def _check_origin(case: zoo.Case, found: ModelReport) -> None:
    if case.origin is None or not case.leaky & {"length", "mates", "content"}:
        return
    sites = [f"{s.operator} {s.name}" for f in found.findings if f.site for s in (f.site, *f.related)]
    assert any(case.origin.lower() in site.lower() for site in sites), (case.origin, sites, found.notes)


def _check_cause(case: zoo.Case, found: ModelReport) -> None:
    mechanism = case.mechanism or "CL"
    if mechanism.startswith("CL") or not case.leaky - {"valid"} or case.name in OTHER_CAUSE:
        return
    codes = [f.rule for f in found.findings]
    assert any(mechanism in rules.rule(code).mechanisms for code in codes), (mechanism, codes)


def test_two_independent_leaks_are_two_findings(folder: Path) -> None:
    errors = [f for f in audited("pool_two_leaks", folder).findings if f.severity is Severity.ERROR]
    assert {f.site.operator for f in errors if f.site} == {"Softmax", "ReduceMean"}


def test_an_exported_bert_without_its_mask_is_flagged_at_the_softmax_with_its_source_line(folder: Path) -> None:
    for name, axis in (("bert_mask_dropped", "none"), ("bert_query_axis", "queries")):
        found = audited(name, folder)
        error = next(f for f in found.findings if f.severity is Severity.ERROR)
        assert error.site is not None and error.site.operator == "Softmax"
        assert error.site.source is not None and error.site.source.file.endswith(".py") and error.site.source.line > 0
        assert {m.axis for m in found.attention} == {axis}
        assert len(error.related) == 1  # the second layer


def test_names_that_contradict_the_behaviour_are_reported(folder: Path) -> None:
    found = audited("attention_inverted", folder)
    assert found.contract is not None
    assert [c.kind for c in found.contract.conflicts] == ["inverted-polarity"]
    assert any(f.rule == "MC202" for f in found.findings)


def test_a_mask_on_the_wrong_of_two_equal_axes_shows_in_the_attention_weights(folder: Path) -> None:
    """The forum's self-attention whose heads were "hugely concentrated on those padding symbols"."""
    found = audited("attention_query_axis", folder)
    assert found.attention[0].axis == "queries"
    assert max(m.pad_mass_max for m in found.attention) > 0.1
    sound = audited("attention_masked", folder)
    assert {m.axis for m in sound.attention} == {"keys"}
    assert max(m.pad_mass_max for m in sound.attention) < 1e-6


def test_flatten_over_a_fixed_length_is_flagged_and_explained(folder: Path) -> None:
    """The forum's beginner: Embedding, Flatten, Dense over four words, the last of them a pad."""
    found = audited("mix_flatten", folder)
    assert found.outcome is Outcome.LEAKY
    error = next(f for f in found.findings if f.severity is Severity.ERROR)
    assert error.rule == "MC704" and error.root_cause is not None
    row = next(r for r in found.passport if r.twin is TwinKind.LENGTH)
    assert row.variant == "fixed" and "the length is fixed" in (row.reason or "")


@pytest.mark.parametrize("name", random.Random(16).sample([case.name for case in zoo.CASES], 24))
def test_the_outcome_does_not_hang_on_the_explanation(name: str, folder: Path) -> None:
    path = str(zoo.build(name, folder))
    told, untold = (audit_model(path, Settings(explain=explain)) for explain in (True, False))
    assert (told.outcome, told.reason) == (untold.outcome, untold.reason)
    assert [(r.twin, r.variant, r.status) for r in told.passport] == [
        (r.twin, r.variant, r.status) for r in untold.passport
    ]
