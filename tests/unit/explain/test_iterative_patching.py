"""Which origins stay: those whose patch removes something of the leak, or whose dirt alone leaks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from maskcheck.core.errors import RunError
from maskcheck.explain.divergence import State, TensorState
from maskcheck.explain.iterative_patching import PatchedOrigins, patch_iteratively
from maskcheck.explain.origins import Origin, origins
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Kind as K
from tests.sites import site as a_site


@dataclass
class Lab:
    """A session whose measurements are given: what leaks with some sites patched, and what a site's dirt alone does.

    ``dirty`` are the sites that are dirty of themselves; ``behind`` shows further ones once others are patched.
    """

    sites: Sequence[Site]
    dirty: Mapping[str, float]
    left: Mapping[frozenset[str], float]
    alone: Mapping[str, float] = field(default_factory=dict)
    behind: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refused: Collection[frozenset[str]] = ()
    leak: float = 1.0
    epsilon: float = 1e-7

    @property
    def graph(self) -> Graph:
        return Graph.of(self.sites)

    @property
    def live(self) -> frozenset[str]:
        return self.graph.live([self.sites[-1].outputs[0]])

    @property
    def states(self) -> dict[str, TensorState]:
        return self._states(frozenset())

    def _states(self, patched: frozenset[str]) -> dict[str, TensorState]:
        hidden = {name for name, first in self.behind.items() if not set(first) <= patched}
        shown = set(self.dirty) - hidden
        return {
            key: TensorState(State.DIRTY, self.dirty[s.name]) if s.name in shown else TensorState(State.CLEAN)
            for s in self.sites
            for key in s.outputs
        }

    def settled(self, sites: Collection[Site]) -> list[Site]:
        return list(sites)

    def origins(self, found: Mapping[str, TensorState], patched: Collection[str] = ()) -> list[Origin]:
        return origins(self.graph, found, self.live, patched)

    def floating(self, site: Site) -> bool:
        return site.kind is not K.INDEX

    def retrace(
        self, sites: Collection[Site], record: Collection[str] | None = None
    ) -> tuple[dict[str, TensorState], float]:
        names = frozenset(s.name for s in sites)
        if names in self.refused:
            raise RunError("not that patch")
        return self._states(names), self.left[names]

    def inject(self, sites: Collection[Site]) -> float:
        return max(self.alone.get(s.name, 0.0) for s in sites)


def node(name: str, *read: str, kind: K = K.REDUCE_MEAN, operator: str = "") -> Site:
    return a_site(name, operator or name, kind, read, (f"{name}.out",))


FIRST, SECOND = node("first", "x"), node("second", "x", kind=K.REDUCE_SUM)
END = node("end", "first.out", "second.out", kind=K.ELEMENTWISE)
BOTH = frozenset({"first", "second"})


def patched(lab: Lab) -> PatchedOrigins:
    return patch_iteratively(lab)  # type: ignore[arg-type]


def names(found: PatchedOrigins) -> list[list[str]]:
    return [[s.name for s in group.sites] for group in found.groups]


def two(first: float, second: float, **further: object) -> Lab:
    """Two origins, and what is left of the leak with each of them patched alone."""
    left = {BOTH: 0.0, frozenset({"first"}): first, frozenset({"second"}): second}
    return Lab((FIRST, SECOND, END), {"first": 0.5, "second": 0.5}, left, **further)  # type: ignore[arg-type]


def test_one_origin_that_explains_all_has_the_whole_share() -> None:
    found = patched(Lab((FIRST, SECOND, END), {"first": 0.5}, {frozenset({"first"}): 0.0}))
    assert names(found) == [["first"]]
    assert (found.groups[0].share, found.explained) == (1.0, 1.0)


def test_two_origins_have_each_their_own_share() -> None:
    found = patched(two(0.6, 0.4))
    assert [group.share for group in found.groups] == pytest.approx([0.4, 0.6])
    assert found.explained == 1.0


def test_an_origin_is_dropped_only_if_its_patch_removes_nothing_and_its_dirt_does_nothing() -> None:
    assert names(patched(two(0.0, 1.0))) == [["first"]], "neither"
    assert names(patched(two(0.0, 1.0, alone={"second": 0.1}))) == [["first"], ["second"]], "its dirt alone leaks"
    assert names(patched(two(0.0, 0.9, alone={}))) == [["first"], ["second"]], "its patch removes something"


@pytest.mark.parametrize(("left", "kept"), [(0.985, 2), (0.995, 1)])
def test_a_hundredth_of_the_leak_is_nothing(left: float, kept: int) -> None:
    assert len(patched(two(0.0, left)).groups) == kept


@pytest.mark.parametrize(("moved", "epsilon", "kept"), [(2e-4, 1e-7, 2), (0.5e-4, 1e-7, 1), (2e-4, 1e-3, 1)])
def test_dirt_that_moves_the_answer_by_rounding_does_nothing(moved: float, epsilon: float, kept: int) -> None:
    assert len(patched(two(0.0, 1.0, alone={"second": moved}, epsilon=epsilon)).groups) == kept


def test_where_nothing_is_confirmed_the_first_origin_stands() -> None:
    assert names(patched(two(1.0, 1.0))) == [["first"]]


def test_an_origin_that_cannot_be_patched_alone_stands_without_a_share() -> None:
    found = patched(two(0.0, 1.0, refused=[frozenset({"second"})]))
    assert names(found) == [["first"], ["second"]]
    assert [group.share for group in found.groups] == [1.0, None]


def test_what_was_hidden_behind_the_first_origin_is_found_when_that_is_patched() -> None:
    left = {frozenset({"first"}): 0.5, BOTH: 0.0, frozenset({"second"}): 0.5}
    lab = Lab((FIRST, SECOND, END), {"first": 0.5, "second": 0.5}, left, behind={"second": ("first",)})
    assert names(patched(lab)) == [["first"], ["second"]]


def test_a_leak_that_stays_is_explained_in_part() -> None:
    found = patched(Lab((FIRST, SECOND, END), {"first": 0.5}, {frozenset({"first"}): 0.25}))
    assert found.explained == found.groups[0].share == 0.75


def test_an_infinite_leak_is_gone_or_it_is_not() -> None:
    for left, share in ((float("inf"), 0.0), (3.0, 1.0)):
        lab = Lab((FIRST, SECOND, END), {"first": 0.5}, {frozenset({"first"}): left}, leak=float("inf"))
        assert patched(lab).explained == share


def test_nothing_dirty_has_no_origin() -> None:
    found = patched(Lab((FIRST, SECOND, END), {}, {}))
    assert (found.groups, found.explained) == ((), None)


def test_without_a_leak_there_is_no_share() -> None:
    found = patched(Lab((FIRST, SECOND, END), {"first": 0.5}, {frozenset({"first"}): 0.0}, leak=0.0))
    assert names(found) == [["first"]] and found.explained is None


def test_a_refused_patch_of_all_leaves_what_was_found_unconfirmed() -> None:
    lab = Lab((FIRST, SECOND, END), {"first": 0.5}, {}, refused=[frozenset({"first"})])
    found = patched(lab)
    assert names(found) == [["first"]] and found.explained == 0.0


def test_indices_that_cannot_be_replaced_are_left_out_of_a_patch() -> None:
    order = node("order", "x", kind=K.INDEX)
    end = node("end", "first.out", "order.out", kind=K.ELEMENTWISE)
    refused = [frozenset({"first", "order"})]
    lab = Lab((FIRST, order, end), {"first": 0.5, "order": 0.5}, {frozenset({"first"}): 0.0}, refused=refused)
    found = patched(lab)
    assert names(found) == [["first"]] and found.explained == 1.0


# The same operation in several layers.


def twins(**further: object) -> Lab:
    """Two like sites side by side."""
    sites = (node("a", "x", operator="Pool"), node("b", "x", operator="Pool"))
    end = node("end", "a.out", "b.out", kind=K.ELEMENTWISE)
    return Lab((*sites, end), {"a": 0.5, "b": 0.5}, {frozenset({"a", "b"}): 0.0}, **further)  # type: ignore[arg-type]


def test_like_sites_are_one_group_led_by_the_first_whose_dirt_leaks() -> None:
    assert names(patched(twins(alone={"a": 0.5, "b": 0.5}))) == [["a", "b"]]
    assert names(patched(twins(alone={"b": 0.5}))) == [["b"]]
    assert names(patched(twins(alone={}))) == [["b"]], "the last one stays"
