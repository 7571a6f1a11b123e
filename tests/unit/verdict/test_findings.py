"""Findings: how origins become causes, what each is worth, and what is told where no origin was found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskcheck.core.contract import Conflict, Role
from maskcheck.core.report import Severity, Status, TakenForPadding, TwinKind
from maskcheck.core.training import Change, TrainingFacts
from maskcheck.ir.operation import Operation
from maskcheck.ir.static_fact import FactKind, StaticFact
from maskcheck.verdict.findings import find, share_of
from tests.unit.verdict.build import INFO, contract, measured, origin, place, row

LENGTH, CONTENT, MATES = TwinKind.LENGTH, TwinKind.CONTENT, TwinKind.MATES
LEAKY = Status.LEAKY
LEAK = [row(LENGTH, LEAKY, moved=0.5)]


def test_a_clean_model_has_no_findings() -> None:
    assert find(measured([row(LENGTH), row(MATES)])) == ()


def test_a_gating_leak_without_a_place_is_one_error_of_the_worst_row() -> None:
    rows = [row(LENGTH, LEAKY, moved=0.5), row(MATES, LEAKY, moved=2.0)]
    (found,) = find(measured(rows))
    assert (found.rule, found.severity, found.site) == ("MC999", Severity.ERROR, None)
    assert (found.difference, found.twins, found.outputs) == (2.0, (LENGTH, MATES), ("answer",))
    assert "mates twin leaks (beside longer)" in found.message


def test_an_output_that_did_not_move_is_not_named() -> None:
    still = row(LENGTH, LEAKY, moved=1e-5, output="still")
    (found,) = find(measured([still]))
    assert found.outputs == ()


def test_a_leak_that_does_not_gate_needs_no_place() -> None:
    assert find(measured([row(CONTENT, LEAKY, gating=False, moved=0.5)])) == ()


def test_an_origin_is_a_finding_with_the_size_of_the_largest_output_of_its_twins() -> None:
    rows = [row(LENGTH, LEAKY, moved=0.5), row(CONTENT, LEAKY, gating=False, moved=0.7), row(MATES, moved=9.0)]
    (found,) = find(measured(rows, origins=(origin(twins={LENGTH: 0.5, CONTENT: 0.7}),)))
    assert (found.severity, found.difference, found.influence) == (Severity.ERROR, 0.7, 0.35)
    assert set(found.twins) == {CONTENT, LENGTH}


def test_rows_of_another_domain_do_not_rate_a_finding() -> None:
    rows = [row(LENGTH, LEAKY, moved=0.5, domain="image"), row(LENGTH, LEAKY, gating=False, moved=0.1)]
    placed = [f for f in find(measured(rows, origins=(origin(),))) if f.site is not None]
    assert [(f.severity, f.difference) for f in placed] == [(Severity.WARNING, 0.1)]


def test_origins_of_one_cause_are_one_finding_with_relatives() -> None:
    first, second, third = place("a"), place("b"), place("c")
    items = (origin(first, related=(third,), share=0.5), origin(second, share=0.4))
    (found,) = find(measured(LEAK, origins=items))
    assert found.site == first
    assert [s.name for s in found.related] == ["c", "b"]


def test_one_cause_in_two_domains_is_two_findings() -> None:
    rows = [*LEAK, row(LENGTH, LEAKY, moved=0.5, domain="image")]
    items = (origin(place("a")), origin(place("b"), domain="image"))
    assert {f.domain for f in find(measured(rows, origins=items))} == {"text", "image"}


def test_what_only_moves_values_is_not_told_beside_a_known_place_of_the_same_domain() -> None:
    moved = origin(place("reshape", Operation.RESHAPE, "Reshape"))
    known = origin(place("mean"))
    assert [f.site.name for f in find(measured(LEAK, origins=(known, moved))) if f.site] == ["mean"]


def test_the_other_side_alone_is_told_only_where_a_rule_explains_it() -> None:
    rows = [row(TwinKind.SIDE, LEAKY, gating=False, moved=0.5)]
    known = origin(place("sum", Operation.CUMULATIVE_SUM, "CumSum"), {TwinKind.SIDE: 0.5})
    unknown = origin(place("reshape", Operation.RESHAPE, "Reshape"), {TwinKind.SIDE: 0.5})
    found = find(measured(rows, origins=(known, unknown)))
    assert [(f.site.name, f.severity) for f in found if f.site] == [("sum", Severity.INFO)]


def test_what_only_moves_values_is_told_where_nothing_else_is() -> None:
    moved = origin(place("reshape", Operation.RESHAPE, "Reshape"))
    assert [f.site.name for f in find(measured(LEAK, origins=(moved,))) if f.site] == ["reshape"]


@pytest.mark.parametrize(
    ("shares", "joint", "others", "expected"),
    [
        ((0.6,), 0.9, (), 0.9),
        ((0.6,), 0.9, (0.2,), 0.6),
        ((0.6, 0.5), 0.9, (0.1,), 0.9),
        ((0.3, 0.2), 0.9, (0.1,), 0.5),
        ((None,), 0.9, (0.1,), None),
        ((0.6,), None, (), 1.0),
    ],
)
def test_the_share_of_a_cause(
    shares: tuple[float | None, ...], joint: float | None, others: tuple[float, ...], expected: float | None
) -> None:
    items = [origin(place(f"m{i}"), share=share, joint=joint) for i, share in enumerate(shares)]
    rest = [origin(place(f"o{i}"), share=share, joint=joint) for i, share in enumerate(others)]
    assert share_of(items, [*items, *rest]) == expected


def test_what_all_places_explain_together_is_told_by_the_first() -> None:
    items = [origin(place("a"), share=0.4, joint=0.5), origin(place("b"), share=0.4, joint=None)]
    assert share_of(items, items) == 0.5


def test_shares_of_other_twins_do_not_add_up() -> None:
    first, second = origin(place("a"), share=0.4), origin(place("b"), {CONTENT: 0.5}, share=0.5)
    other = origin(place("c"), share=0.1)
    assert share_of([first, second], [first, second, other]) == 0.4


def test_a_mask_that_contradicts_its_name_is_told_once() -> None:
    conflict = Conflict("mask", "behaves the other way round", "polarity")
    (found,) = find(measured([row(LENGTH)], contract=contract(conflicts=(conflict,))))
    assert (found.rule, found.severity) == ("MC202", Severity.WARNING)
    assert found.root_cause is not None and "'mask'" in found.root_cause.reason


@pytest.mark.parametrize(
    ("gating", "happens", "severity"),
    [(False, False, Severity.INFO), (False, True, Severity.WARNING), (True, False, Severity.ERROR)],
)
def test_real_steps_taken_for_padding(gating: bool, happens: bool, severity: Severity) -> None:
    told = row(TwinKind.VALID, LEAKY, gating=gating, reason="a real step is taken for padding")
    taken = TakenForPadding(row=told, role=Role.TOKENS, site=place("equal"), happens=happens)
    (found,) = find(measured([row(LENGTH)], taken=(taken,)))
    assert (found.rule, found.severity) == ("MC702", severity)
    assert found.message == "A real step is taken for padding."


TRAINED = TrainingFacts(
    framework="keras",
    domain="text",
    valid=9,
    total=12,
    loss=Change("loss", 1.2, 1.5),
    loss_moves=True,
    stepwise=True,
    metrics=(),
    gradients=(),
    answers_move=False,
    answers_leak=False,
)


@pytest.mark.parametrize("lost", [(), ("Dense drops it",), ("Dense drops it", "Multiply drops it")])
def test_what_padding_does_to_training_is_an_error_and_names_where_the_mask_was_lost_last(
    lost: tuple[str, ...],
) -> None:
    facts = (
        StaticFact(kind=FactKind.UNUSED_INPUT, site=None, detail="mask"),
        *(StaticFact(kind=FactKind.MASK_DROPPED, site=None, detail=detail) for detail in lost),
    )
    info = replace(INFO, framework="keras", static=facts)
    (found,) = find(measured([row(LENGTH)], training=TRAINED, info=info))
    assert (found.rule, found.severity, found.domain, found.twins) == (
        "MC962",
        Severity.ERROR,
        "text",
        (TwinKind.TRAINING,),
    )
    assert (found.root_cause.reason if found.root_cause else None) == (lost[-1] if lost else None)
    assert "1.5" in found.message and found.fix


def test_an_origin_is_placed_where_its_cause_stands_and_related_to_where_it_shows() -> None:
    items = (origin(place("a")), origin(place("b", Operation.CUMULATIVE_SUM, "CumSum"), {CONTENT: 0.5}, share=None))
    rows = [*LEAK, row(CONTENT, LEAKY, gating=False, moved=0.25)]
    found = {f.site.name: f for f in find(measured(rows, origins=items)) if f.site}
    assert found["a"].related == () and found["b"].share is None
    assert found["b"].twins == (CONTENT,) and found["b"].difference == 0.25


def test_errors_come_first_and_the_larger_share_before_the_smaller() -> None:
    rows = [*LEAK, row(CONTENT, LEAKY, gating=False, moved=0.5)]
    small = origin(place("a"), share=0.2, joint=0.9)
    large = origin(place("b", Operation.CUMULATIVE_SUM, "CumSum"), share=0.7, joint=0.9)
    other = origin(place("c", Operation.FOURIER_TRANSFORM, "DFT"), {CONTENT: 0.5}, share=1.0)
    found = find(measured(rows, origins=(other, small, large)))
    assert [f.site.name for f in found if f.site] == ["b", "a", "c"]
