"""Which twins run, which rows gate, and when nothing at all is asked about padding."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import Contract, Dimension, Domain, OutputContract, OutputKind
from maskcheck.core.errors import RunError
from maskcheck.core.report import PassportRow, Status, TwinKind, Variant
from maskcheck.core.settings import Settings
from maskcheck.probe.run_twins import AFTER_UNSTABLE, UNSTABLE, TwinResults, run
from maskcheck.probe.samples import Source
from tests.fakes import FakeModel
from tests.unit.probe.build import (
    IDS,
    MASK,
    POOLED,
    Answer,
    Untraceable,
    X,
    contract,
    features,
    masked_mean,
    plain_mean,
    summed_by_length,
    words,
)

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED


def results(
    model: FakeModel,
    told: Contract | None = None,
    *,
    length: int = 9,
    progress: list[tuple[str, float]] | None = None,
    only: str | None = None,
    **settings: object,
) -> TwinResults:
    told = told or contract()
    steps: list[tuple[str, float]] = [] if progress is None else progress
    lengths = {name: length for name in told.dimensions}
    return run(
        model,
        told,
        lengths,
        Source(told, 0),
        Settings(**settings),  # type: ignore[arg-type]
        lambda step, fraction: steps.append((step, fraction)),
        only,
    )


def rows(found: TwinResults, twin: TwinKind) -> list[PassportRow]:
    return [row for row in found.passport if row.twin is twin]


def test_every_twin_has_its_row_in_the_passport() -> None:
    told = [row.twin for row in results(features(masked_mean)).passport]
    assert list(dict.fromkeys(told)) == [
        TwinKind.REPEAT,
        TwinKind.LENGTH,
        TwinKind.CONTENT,
        TwinKind.MATES,
        TwinKind.EMPTY,
        TwinKind.SIDE,
        TwinKind.VALID,
        TwinKind.MASK,
        TwinKind.POISON,
        TwinKind.PRECISION,
        TwinKind.POKE,
    ]


def test_number_of_pads_and_mates_gate_and_nothing_else_does() -> None:
    gating = {(row.twin, row.variant) for row in results(features(masked_mean)).passport if row.gating}
    assert gating == {
        (TwinKind.LENGTH, Variant.RIGHT),
        (TwinKind.LENGTH, Variant.ALONE),
        (TwinKind.LENGTH, Variant.LONG),
        (TwinKind.MATES, Variant.BESIDE_LONGER),
        (TwinKind.MATES, Variant.REORDERED),
        (TwinKind.EMPTY, Variant.ALL_PAD_MATE),
    }


@pytest.mark.parametrize("twin", ["content", "side", "valid", "mask", "poison", "precision", "poke"])
def test_what_is_required_gates(twin: str) -> None:
    found = results(features(masked_mean), require=(twin,))
    assert {row.twin.value for row in found.passport if row.gating} == {twin}


def test_a_row_that_only_an_empty_mate_disturbs_leaks() -> None:
    def hollow(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x, mask) + float((mask.sum(1) == 0).any())

    leaking = [row.twin for row in results(features(hollow)).passport if row.gating and row.status is LEAKY]
    assert leaking == [TwinKind.EMPTY]


class Restless:
    """Answers differently each time, by so much."""

    def __init__(self, by: float) -> None:
        self.by, self.calls = by, 0

    def __call__(self, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        self.calls += 1
        return masked_mean(x, mask) + self.by * self.calls


def test_a_model_that_disagrees_with_itself_is_asked_nothing_further() -> None:
    found = results(features(Restless(0.1)))
    assert [(r.twin, r.status, r.gating, r.reason) for r in found.passport[1:]] == [
        (TwinKind.LENGTH, UNTESTED, True, AFTER_UNSTABLE),
        (TwinKind.MATES, UNTESTED, True, AFTER_UNSTABLE),
    ]
    assert found.passport[0].status is LEAKY
    assert found.notes == (UNSTABLE,)
    assert found.judge is None and found.contexts == ()


def test_rows_that_could_not_be_asked_gate_where_they_are_required() -> None:
    found = results(features(Restless(0.1)), require=("mates",))
    assert [row.gating for row in found.passport[1:]] == [False, True]


@pytest.mark.parametrize(
    ("constant", "reason"), [(0.0, "no output reacts to a change of real content"), (np.nan, "every answer is NaN")]
)
def test_answers_that_follow_no_content_are_untested_not_clean(constant: float, reason: str) -> None:
    found = results(features(lambda x, mask: np.full((len(x), 2), constant)))
    gating = [row for row in found.passport if row.gating]
    assert [row.status for row in gating] == [UNTESTED, UNTESTED]
    assert all((row.reason or "").startswith(reason) for row in gating)
    assert found.contexts == ()


def test_numbers_without_rounding_that_never_change_are_untested() -> None:
    found = results(features(lambda x, mask: np.tile(np.arange(3), (len(x), 1))))
    assert {row.status for row in found.passport if row.gating} == {UNTESTED}


def test_answers_that_follow_padding_and_no_content_leak() -> None:
    """An inverted mask hides every word while nothing is padded."""

    def inverted(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return masked_mean(x + 1, 1 - mask) + np.arange(3)

    found = results(features(inverted))
    assert any(row.status is LEAKY for row in rows(found, TwinKind.LENGTH))


def test_outputs_that_follow_no_content_are_named_beside_those_that_do() -> None:
    told = replace(contract(), outputs=(POOLED, OutputContract("mask", OutputKind.POOLED, ("batch", None), None, "")))
    model = features(masked_mean)
    model.outputs = (*model.outputs, replace(model.outputs[0], name="mask"))
    found = results(model, told)
    assert "untested: mask did not react to any real input" in found.notes
    assert {o.name for row in rows(found, TwinKind.LENGTH) for o in row.outputs} == {"answer"}


def test_a_twin_that_a_model_refuses_leaves_the_others_tried() -> None:
    def refuses_randomness(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        if (np.where(mask[..., None] > 0, 0.0, x) != 0).any():
            raise RunError("pads must be zeros")
        return masked_mean(x, mask)

    found = results(features(refuses_randomness))
    assert [(r.variant, r.status, r.reason) for r in rows(found, TwinKind.CONTENT)] == [
        (Variant.ANY, UNTESTED, "the model refused it: pads must be zeros")
    ]
    assert rows(found, TwinKind.LENGTH)[0].status is CLEAN


def test_a_model_that_cannot_be_instrumented_is_asked_from_outside() -> None:
    found = results(features(summed_by_length, cls=Untraceable))
    assert rows(found, TwinKind.LENGTH)[0].status is LEAKY
    assert [(r.status, r.reason) for r in rows(found, TwinKind.POKE)] == [(UNTESTED, "It cannot be instrumented.")]
    assert found.notes == ("the noise floor is assumed, not measured: It cannot be instrumented.",)


@pytest.mark.parametrize(
    ("changes", "settings", "size", "expected"),
    [
        ({}, {}, 0, 8),
        ({}, {"samples": 3}, 0, 3),
        ({}, {}, 600 * 2**20, 4),
        ({}, {"samples": 3}, 600 * 2**20, 3),
        ({"fixed_batch": 5}, {}, 0, 5),
    ],
)
def test_eight_rows_are_compared_unless_asked_otherwise_or_the_model_is_large(
    changes: dict[str, int], settings: dict[str, int], size: int, expected: int
) -> None:
    found = results(features(masked_mean, size_bytes=size), contract(**changes), **settings)  # type: ignore[arg-type]
    assert len(found.contexts[0].rows) == expected


def truncated(keep: int) -> Answer:
    """Counts only the first steps, however many are real; what comes behind them influences nothing."""

    def answer(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return summed_by_length(x[:, :keep], mask[:, :keep]) + 0.3 * (x.shape[1] > 10)

    return answer


@pytest.mark.parametrize(("keep", "status"), [(5, LEAKY), (7, LEAKY), (8, CLEAN)])
def test_a_dead_tail_in_a_model_that_leaks_is_a_baked_length(keep: int, status: Status) -> None:
    row = rows(results(features(truncated(keep))), TwinKind.VALID)[0]
    assert row.status is status
    if status is LEAKY:
        says = (
            f"real positions from {keep + 1} of 9 on influence nothing, and other lengths leak: a length was baked in"
        )
        assert row.reason == says


def test_a_dead_tail_alone_is_a_narrow_view() -> None:
    found = results(features(lambda x, mask: masked_mean(x[:, :4], mask[:, :4])))
    assert rows(found, TwinKind.VALID)[0].status is CLEAN
    assert found.dead == pytest.approx((4 / 9, 5 / 9, 6 / 9, 7 / 9, 8 / 9))


def test_what_one_real_token_does_is_the_middle_of_what_four_do() -> None:
    weights = np.array([8.0, 1, 1, 2, 1, 1, 1, 1, 0])[:, None]  # the last is dead and does not count

    def weighted(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
        return (np.where(mask[..., None] > 0, x, 0.0)[:, :9] * weights).sum(1)

    found = results(features(weighted))
    plain = results(features(lambda x, mask: weighted(x, mask) / 8))
    assert found.judge is not None and plain.judge is not None
    assert found.judge.token_effect["answer"] == pytest.approx(plain.judge.token_effect["answer"])
    assert 0.2 < found.judge.token_effect["answer"] < 1.5


def two_domains() -> tuple[FakeModel, Contract]:
    """Features of which the second ones are averaged over pads as well."""
    other = replace(X, name="y", dims=("batch", "other", None), domain="other")
    domains = (Domain("seq", (Dimension("seq"),)), Domain("other", (Dimension("other"),)))
    model = features(masked_mean)
    node = model._nodes[0]
    node.inputs = ("x", "mask", "y")
    node.function = lambda x, mask, y: masked_mean(x, mask) + plain_mean(y)
    model.inputs = (*model.inputs, replace(model.inputs[0], name="y"))
    return model, Contract(domains, (X, MASK, other), (POOLED,))


def test_domains_are_asked_one_after_the_other() -> None:
    steps: list[tuple[str, float]] = []
    found = results(*two_domains(), progress=steps)
    leaks = {row.domain for row in found.passport if row.status is LEAKY and row.gating}
    assert leaks == {"other"} and [p.domain.name for p in found.plans] == ["seq", "other"]
    assert [c.domain for c in found.contexts] == ["seq", "other"]
    fractions = [fraction for _, fraction in steps]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0
    assert steps[0] == ("measuring noise (seq)", 0.0) and ("measuring noise (other)", 0.5) in steps
    assert ("length twins (seq)", pytest.approx(0.05)) in steps


def test_one_domain_alone_can_be_asked_and_results_be_laid_beside_each_other() -> None:
    first, second = (results(*two_domains(), only=name) for name in ("seq", "other"))
    assert {row.domain for row in first.passport} == {"seq"}
    both = first.beside(second)
    assert both.passport == (*first.passport, *second.passport)
    assert [p.domain.name for p in both.plans] == ["seq", "other"] and len(both.contexts) == 2


def test_the_curve_is_that_of_rows_that_gate() -> None:
    assert [pads for pads, _ in results(features(summed_by_length)).curve] == [1, 3, 14]
    assert results(features(summed_by_length), require=("mates",)).curve == ()


def test_the_length_of_ids_is_asked_of_an_embedding_too() -> None:
    found = results(words(plain_mean), contract(IDS, MASK))
    assert rows(found, TwinKind.LENGTH)[0].status is LEAKY
