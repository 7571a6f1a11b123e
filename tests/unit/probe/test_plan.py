"""The lengths that are tried: a few pads, many, one; below and above the usual length; within what a model takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskcheck.core.contract import Dimension, Domain
from maskcheck.probe.plan import Plan, plan
from tests.unit.probe.build import contract


def chosen(length: int = 9, **limits: int) -> Plan:
    told = contract(**limits)  # type: ignore[arg-type]
    return plan(told, told.domains[0], {"seq": length})


def cases(found: Plan) -> list[tuple[int, int]]:
    return [(valid["seq"], total["seq"]) for valid, total in found.cases]


def test_lengths_stand_at_above_and_below_the_usual_one() -> None:
    found = chosen()
    assert cases(found) == [(9, 10), (9, 12), (9, 23), (14, 16), (5, 8)]
    assert (found.valid, found.few, found.many, found.fixed) == ({"seq": 9}, {"seq": 12}, {"seq": 23}, False)


def test_long_sequences_have_pads_in_proportion() -> None:
    assert cases(chosen(60)) == [(60, 61), (60, 80), (60, 125), (91, 104), (31, 51)]


def test_short_sequences_have_a_few_pads_all_the_same() -> None:
    assert cases(chosen(4)) == [(4, 5), (4, 7), (4, 13), (7, 9), (3, 6)]
    assert chosen(4).few == {"seq": 7}


def test_nothing_is_shorter_than_the_shortest_length_worth_trying() -> None:
    assert cases(chosen(9, minimum=8))[-1] == (8, 11)


def test_totals_past_the_longest_length_are_left_out_and_many_means_as_many_as_there_is_room_for() -> None:
    found = chosen(9, maximum=15)
    assert cases(found) == [(9, 10), (9, 12), (5, 8)]
    assert (found.few, found.many) == ({"seq": 12}, {"seq": 15})


def test_a_total_as_long_as_the_longest_length_is_tried() -> None:
    assert (9, 12) in cases(chosen(9, maximum=12))
    assert (9, 12) not in cases(chosen(9, maximum=11))


@pytest.mark.parametrize(("maximum", "valid"), [(12, 9), (11, 7), (9, 6), (1, 1)])
def test_the_usual_length_leaves_room_for_pads(maximum: int, valid: int) -> None:
    assert chosen(9, maximum=maximum).valid == {"seq": valid}


@pytest.mark.parametrize(
    ("fixed", "valid", "fewer"), [(20, 11, 6), (10, 5, 3), (8, 5, 2), (4, 1, 1), (2, 1, 1), (1, 1, 1)]
)
def test_a_fixed_length_is_partly_filled(fixed: int, valid: int, fewer: int) -> None:
    found = chosen(fixed, fixed=fixed)
    assert found.fixed
    assert cases(found) == [(valid, fixed), (fewer, fixed)]
    assert found.valid == {"seq": valid}
    assert found.few == found.many == {"seq": fixed}


def test_other_domains_stay_as_long_as_they_are_and_have_no_pads() -> None:
    told = contract()
    other = Domain("target", (Dimension("target"),))
    told = replace(told, domains=(*told.domains, other))
    found = plan(told, told.domains[0], {"seq": 9, "target": 11})
    assert found.valid["target"] == found.few["target"] == found.many["target"] == 11
    assert all(valid["target"] == total["target"] == 11 for valid, total in found.cases)
    assert [total["seq"] for _, total in found.cases] == [10, 12, 23, 16, 8]


def test_other_domains_stay_beside_a_fixed_length_too() -> None:
    told = contract(fixed=10)
    told = replace(told, domains=(*told.domains, Domain("target", (Dimension("target"),))))
    found = plan(told, told.domains[0], {"seq": 10, "target": 7})
    assert (found.valid, found.few) == ({"target": 7, "seq": 5}, {"target": 7, "seq": 10})


def test_height_and_width_grow_together_and_one_free_side_is_enough_to_vary() -> None:
    image = Domain("image", (Dimension("height", fixed=8), Dimension("width")))
    told = replace(contract(), domains=(image,))
    found = plan(told, image, {"height": 8, "width": 9})
    assert not found.fixed
    assert found.cases[0] == ({"height": 8, "width": 9}, {"height": 9, "width": 10})
