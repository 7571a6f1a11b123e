"""Origins: dirty sites that no dirty input explains, looking through what could not be compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pytest

from maskcheck.core.trace import Trace
from maskcheck.explain.divergence import State, TensorState
from maskcheck.explain.origins import Origin, counts, in_order, origins, pure_masks, siblings, signature
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Kind as K
from maskcheck.ir.settings import Along
from maskcheck.probe.align import MIRRORED, MODES, Axes
from tests.sites import any_of
from tests.sites import site as a_site
from tests.sites import use as an_input_use
from tests.unit.probe.build import IDS, LENGTHS, MASK, X, contract

CLEAN, DIRTY, OPAQUE = State.CLEAN, State.DIRTY, State.OPAQUE


def node(name: str, *read: str, kind: K = K.MATMUL, operator: str = "", axis: int | None = None) -> Site:
    settings = None if axis is None else Along(axis=axis)
    return a_site(name, operator or name, kind, read, (f"{name}.out",), settings=settings)


CHAIN = (node("a", "x"), node("b", "a.out"), node("c", "b.out"))


def found(
    sites: tuple[Site, ...],
    states: Mapping[str, State],
    *,
    gaps: Mapping[str, float] | None = None,
    patched: Collection[str] = (),
    counting: Collection[str] = (),
) -> list[Origin]:
    """The origins where tensors, by the name of their site, have these states; a dirty one differs by 1."""
    graph = Graph.of(sites)
    told = {
        f"{name}.out": TensorState(state, (gaps or {}).get(name, 1.0 if state is DIRTY else 0.0))
        for name, state in states.items()
    }
    live = graph.live([sites[-1].outputs[0]])
    return origins(graph, told, live, [f"{n}.out" for n in patched], [f"{n}.out" for n in counting])


def names(made: list[Origin]) -> list[str]:
    return [origin.site.name for origin in made]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ({"a": CLEAN, "b": DIRTY, "c": DIRTY}, ["b"]),
        ({"a": DIRTY, "b": DIRTY, "c": DIRTY}, ["a"]),
        ({"a": DIRTY, "b": CLEAN, "c": DIRTY}, ["a", "c"]),
        ({"a": CLEAN, "b": CLEAN, "c": CLEAN}, []),
        ({"a": DIRTY, "b": OPAQUE, "c": DIRTY}, ["a"]),
        ({"a": CLEAN, "b": OPAQUE, "c": DIRTY}, ["c"]),
        ({"a": CLEAN, "b": State.IGNORED, "c": DIRTY}, ["c"]),
    ],
)
def test_a_dirty_site_that_no_dirty_input_explains_is_an_origin(states: dict[str, State], expected: list[str]) -> None:
    assert names(found(CHAIN, states)) == expected


def test_opaque_sites_just_before_an_origin_are_its_interval_in_order() -> None:
    (origin,) = found(CHAIN, {"a": OPAQUE, "b": OPAQUE, "c": DIRTY})
    assert [s.name for s in origin.interval] == ["a", "b"]
    (origin,) = found(CHAIN, {"a": CLEAN, "b": DIRTY, "c": DIRTY})
    assert origin.interval == () and origin.gap == 1.0


def test_what_nobody_reads_for_the_answer_is_no_origin() -> None:
    aside = node("aside", "x")
    assert names(found((aside, *CHAIN), {"aside": DIRTY, "a": CLEAN, "b": CLEAN, "c": CLEAN})) == []


def test_a_patched_tensor_counts_as_clean_for_its_readers() -> None:
    states = {"a": DIRTY, "b": DIRTY, "c": DIRTY}
    assert names(found(CHAIN, states, patched=["a"])) == ["a", "b"]


def test_numbers_of_steps_may_differ_and_what_uses_them_is_the_origin() -> None:
    states = {"a": DIRTY, "b": DIRTY, "c": DIRTY}
    assert names(found(CHAIN, states, counting=["a"])) == ["b"]
    fed = (node("first", "x"), *(node(s.name, *(s.inputs if s.name != "a" else ("first.out",))) for s in CHAIN))
    assert names(found(fed, {"first": DIRTY, **states}, counting=["a"])) == ["first"], "looked through"


@pytest.mark.parametrize(("gap", "expected"), [(0.9e-4, ["a"]), (1.1e-4, ["a", "c"])])
def test_a_faint_difference_may_have_passed_below_the_noise_of_what_lies_between(
    gap: float, expected: list[str]
) -> None:
    states = {"a": DIRTY, "b": CLEAN, "c": DIRTY}
    assert names(found(CHAIN, states, gaps={"a": gap, "b": 1e-7, "c": gap})) == expected


def test_where_nothing_differs_between_a_faint_difference_is_new() -> None:
    states = {"a": DIRTY, "b": CLEAN, "c": DIRTY}
    assert names(found(CHAIN, states, gaps={"a": 1e-5, "b": 0.0, "c": 1e-5})) == ["a", "c"]


def test_the_largest_of_several_results_is_told() -> None:
    both = a_site("split", "Split", K.LAYOUT, ("x",), ("one", "two"))
    end = a_site("end", "End", K.ELEMENTWISE, ("one", "two"), ("end",))
    graph = Graph.of((both, end))
    told = {"one": TensorState(DIRTY, 0.5), "two": TensorState(DIRTY, 2.0), "end": TensorState(DIRTY, 1.0)}
    assert [(o.site.name, o.gap) for o in origins(graph, told, graph.live(["end"]))] == [("split", 2.0)]


def test_where_two_sequences_meet_the_site_that_turned_one_is_the_origin() -> None:
    flip, step, meet = node("flip", "x"), node("step", "flip.out"), node("meet", "x", "step.out")
    graph = Graph.of((flip, step, meet))
    turned = TensorState(CLEAN, 0.0, MIRRORED[0])
    told = {
        "x": TensorState(CLEAN, 0.0, MODES[0]),
        "flip.out": turned,
        "step.out": turned,
        "meet.out": TensorState(DIRTY, 1.0),
    }
    live = graph.live(["meet.out"])
    assert [o.site.name for o in origins(graph, told, live)] == ["flip"]
    alike = {**told, "x": turned}
    assert [o.site.name for o in origins(graph, alike, live)] == ["meet"], "both were turned"


# What only says where padding is.


def test_tensors_made_of_masks_alone_are_masks() -> None:
    cast, merged, mixed = node("cast", "mask"), node("merged", "cast.out", "weight"), node("mixed", "merged.out", "x")
    masks = pure_masks(Graph.of((cast, merged, mixed)), contract(X, MASK, LENGTHS), (), ("weight",))
    assert masks == {"mask", "lengths", "cast.out", "merged.out"}


def test_comparisons_of_ids_are_masks() -> None:
    compare, gather = node("compare", "ids"), node("gather", "ids", "table")
    uses = (
        an_input_use("ids", UseKind.COMPARE, "compare", "ne", 0),
        an_input_use("ids", UseKind.INDEX, "gather", "g", 9),
    )
    assert pure_masks(Graph.of((compare, gather)), contract(IDS), uses, ("table",)) == {"compare.out"}


def test_what_is_made_of_nothing_is_no_mask() -> None:
    assert pure_masks(Graph.of((node("constant"),)), contract(X), (), ()) == frozenset()


@pytest.mark.parametrize(
    ("value", "axes", "counted"),
    [
        (np.array([3]), None, True),
        (np.array([3]), Axes(), True),
        (np.array([3]), Axes({0: (1, 2)}), False),
        (np.array([3.0]), Axes(), False),
        (np.array([True]), Axes(), False),
    ],
)
def test_integers_without_a_sequence_axis_are_numbers_of_steps(
    value: np.ndarray, axes: Axes | None, counted: bool
) -> None:
    told = counts(["n", "missing"], Trace((), {"n": value}, {}), {"n": axes})
    assert told == (frozenset({"n"}) if counted else frozenset())


def test_orders_and_what_is_made_of_them_are_no_numbers() -> None:
    order, further = node("order", "n", kind=K.ROUTING), node("further", "order.out")
    tensors = {key: np.array([1]) for key in ("n", "order.out", "further.out")}
    assert counts(list(tensors), Trace((order, further), tensors, {}), {}) == {"n"}


# Like sites.


def test_like_sites_have_the_same_operation_neighbours_and_axis() -> None:
    one, two = node("one", "x", operator="Op", axis=1), node("two", "one.out", operator="Op", axis=1)
    other, end = node("other", "two.out", operator="Op", axis=2), node("end", "other.out", operator="Op", axis=1)
    graph = Graph.of((one, two, other, end))
    assert signature(graph, two) != signature(graph, one), "nothing stands before the first"
    assert signature(graph, two)[0] is any_of(K.MATMUL) and signature(graph, two) != signature(graph, other)


@pytest.mark.parametrize(
    ("kind", "expected"), [(K.MATMUL, ["two"]), (K.SOFTMAX, ["two"]), (K.ELEMENTWISE, []), (K.LAYOUT, [])]
)
def test_like_sites_in_other_layers_are_found_unless_they_are_too_common(kind: K, expected: list[str]) -> None:
    one, two, dead = (node(name, "x", kind=kind, operator="Op") for name in ("one", "two", "dead"))
    end = node("end", "one.out", "two.out", kind=K.ELEMENTWISE)
    after = node("after", "dead.out", operator="end")
    graph = Graph.of((one, two, dead, end, after))
    assert [s.name for s in siblings(graph, one, graph.live(["end.out"]))] == expected


def test_sites_are_put_in_the_order_in_which_they_run() -> None:
    assert [s.name for s in in_order(Graph.of(CHAIN), [CHAIN[2], CHAIN[0]])] == ["a", "c"]
