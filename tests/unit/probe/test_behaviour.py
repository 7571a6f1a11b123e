"""What running a model shows: lengths and batches that it takes, and which axes of its answers grow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, Contract, Dimension, Domain, InputContract, OutputKind
from maskcheck.core.errors import RunError
from maskcheck.core.model import TensorSpec
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.contract.behaviour import (
    Working,
    find_working,
    settle_batch,
    settle_lengths,
    settle_outputs,
    widen,
    with_dimensions,
)
from tests.fakes import FakeModel, Node
from tests.unit.probe.build import IDS, X, contract, features

BARE = replace(contract(X), outputs=())


def refusing(condition: Callable[[int, int], bool], answer: Callable[..., np.ndarray] = lambda x: x) -> FakeModel:
    """A model of features that refuses some numbers of rows and of steps."""

    def run(x: np.ndarray) -> np.ndarray:
        if condition(len(x), x.shape[1]):
            raise ValueError(f"not {len(x)} x {x.shape[1]}")
        return answer(x)

    return features(run, mask=False)


def bare(**changes: object) -> Contract:
    return replace(contract(X, **changes), outputs=())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("condition", "batch", "length"),
    [
        (lambda b, n: False, 2, 9),
        (lambda b, n: b != 1, 1, 9),
        (lambda b, n: n < 10, 2, 16),
        (lambda b, n: n < 20, 2, 37),
        (lambda b, n: n != 24, 2, 24),
        (lambda b, n: n != 384 or b != 1, 1, 384),
        (lambda b, n: n < 2000, 2, 2053),
    ],
)
def test_lengths_are_tried_from_usual_ones_to_long_ones(
    condition: Callable[[int, int], bool], batch: int, length: int
) -> None:
    found = find_working(refusing(condition), BARE)
    assert (found.batch, found.lengths) == (batch, {"seq": length})
    assert found.outputs["answer"].shape == (batch, length, 3)


def test_a_fixed_batch_and_a_fixed_length_are_the_only_ones_tried() -> None:
    tried: list[tuple[int, int]] = []

    def note(rows: int, steps: int) -> bool:
        tried.append((rows, steps))
        return True

    with pytest.raises(RunError, match="not 3 x 12"):
        find_working(refusing(note), bare(fixed=12, fixed_batch=3))
    assert set(tried) == {(3, 12)} and len(tried) == 3


def test_lengths_stay_between_the_shortest_and_the_longest() -> None:
    assert find_working(refusing(lambda b, n: False), bare(minimum=30)).lengths == {"seq": 30}
    assert find_working(refusing(lambda b, n: False), bare(minimum=30, maximum=40)).lengths == {"seq": 30}
    assert find_working(refusing(lambda b, n: False), bare(maximum=5)).lengths == {"seq": 5}


def test_the_shortest_length_of_two_dimensions_does_not_make_them_equal() -> None:
    told = with_dimensions(two(X, Y), {name: {"minimum": 30} for name in ("seq", "other")})
    assert find_working(pair(lambda x, y: x), told).lengths == {"seq": 30, "other": 32}


def two(first: InputContract, second: InputContract) -> Contract:
    domains = (Domain("seq", (Dimension("seq"),)), Domain("other", (Dimension("other"),)))
    return Contract(domains, (first, second), ())


Y = replace(X, name="y", dims=(BATCH, "other", None), domain="other")


def pair(run: Callable[..., np.ndarray], first: str = "float32") -> FakeModel:
    names = ("ids", "y") if first == "int64" else ("x", "y")
    specs = (TensorSpec(names[0], first, None), TensorSpec("y", "float32", None))
    return FakeModel(specs, [Node("answer", K.OTHER, names, run)], ("answer",))


def test_two_dimensions_have_different_lengths() -> None:
    assert find_working(pair(lambda x, y: x), two(X, Y)).lengths == {"seq": 9, "other": 11}


def test_texts_stay_short_beside_what_needs_many_samples() -> None:
    def run(ids: np.ndarray, y: np.ndarray) -> np.ndarray:
        if y.shape[1] < 100 or ids.shape[1] > 50:
            raise ValueError("no")
        return y

    assert find_working(pair(run, "int64"), two(IDS, Y)).lengths == {"seq": 9, "other": 102}


def test_texts_are_cut_short_only_past_the_usual_lengths() -> None:
    def run(ids: np.ndarray, y: np.ndarray) -> np.ndarray:
        if y.shape[1] < 39 or ids.shape[1] > 20:
            raise ValueError("no")
        return y

    assert find_working(pair(run, "int64"), two(IDS, Y)).lengths == {"seq": 9, "other": 50}


def test_the_reason_of_the_most_usual_try_is_kept() -> None:
    with pytest.raises(RunError, match="not 2 x 9"):
        find_working(refusing(lambda b, n: True), BARE)


# Batches.


def working(model: FakeModel, told: Contract = BARE) -> Working:
    return find_working(model, told)


@pytest.mark.parametrize(
    ("refuses", "fixed", "batches", "note"),
    [
        (lambda b: False, None, (), ""),
        (lambda b: b not in (1, 2, 3), None, (), ""),
        (lambda b: b != 2, 2, (), "only a batch of 2 runs, though the declared shape allows others"),
        (lambda b: b != 1, 1, (), "only a batch of 1 runs, though the declared shape allows others"),
        (lambda b: b % 2, None, (2, 4, 8), "only batches of 2, 4, 8 were accepted, though the declared shape allows"),
        (
            lambda b: b not in (2, 9),
            None,
            (2, 9),
            "only batches of 2, 9 were accepted, though the declared shape allows",
        ),
    ],
)
def test_batches_that_run_are_found_out(
    refuses: Callable[[int], bool], fixed: int | None, batches: tuple[int, ...], note: str
) -> None:
    model = refusing(lambda b, n: bool(refuses(b)))
    told, _ = settle_batch(model, BARE, working(model))
    assert (told.fixed_batch, told.batches) == (fixed, batches)
    assert [choice.startswith(note) for choice in told.choices] == ([True] if note else [])


def test_a_batch_that_is_fixed_already_is_not_tried() -> None:
    model = refusing(lambda b, n: b != 3)
    told = bare(fixed_batch=3)
    runs = model.runs
    assert settle_batch(model, told, Working(3, {"seq": 9}, {}))[0] is told
    assert model.runs == runs


def test_inputs_without_a_batch_have_none_to_settle() -> None:
    told = replace(contract(replace(X, dims=("seq", None), shape=(0, 3))), outputs=())
    assert settle_batch(refusing(lambda b, n: True), told, Working(1, {"seq": 9}, {}))[0] is told


# Lengths.


@pytest.mark.parametrize(
    ("condition", "fixed"),
    [
        (lambda n: False, None),
        (lambda n: n > 9, None),
        (lambda n: n < 9, None),
        (lambda n: n != 9, 9),
        (lambda n: n not in (9, 13), None),
        (lambda n: n not in (9, 7), None),
    ],
)
def test_a_length_of_which_neither_a_longer_nor_a_shorter_one_runs_is_fixed(
    condition: Callable[[int], bool], fixed: int | None
) -> None:
    model = refusing(lambda b, n: condition(n))
    told, _ = settle_lengths(model, BARE, working(model))
    assert told.dimensions["seq"].fixed == fixed
    notes = ("only a length of 9 runs, though the declared shape allows others",) if fixed else ()
    assert told.choices == notes


def test_the_shorter_length_that_is_tried_has_at_least_one_step() -> None:
    told = bare(maximum=2)
    model = refusing(lambda b, n: n not in (1, 2))
    assert settle_lengths(model, told, working(model, told))[0] is told


def test_a_declared_fixed_length_needs_no_run() -> None:
    told = bare(fixed=9)
    model = refusing(lambda b, n: True)
    assert settle_lengths(model, told, Working(2, {"seq": 9}, {}))[0] is told and model.runs == 0


def test_fields_of_dimensions_are_replaced_by_name() -> None:
    told = with_dimensions(two(X, Y), {"other": {"fixed": 4, "minimum": 2}})
    assert told.dimensions["other"] == Dimension("other", 4, 2) and told.dimensions["seq"] == Dimension("seq")


# Outputs.


def outputs(answer: Callable[..., np.ndarray], told: Contract = BARE, name: str = "answer") -> tuple[object, ...]:
    model = refusing(lambda b, n: False, answer)
    if name != "answer":
        model._nodes = [Node(name, K.OTHER, ("x",), answer)]
        model.outputs = (TensorSpec(name, "float32", None),)
    found = settle_outputs(model, told, working(model, told)).outputs[0]
    return found.kind, found.dims, found.domain


@pytest.mark.parametrize(
    ("answer", "kind", "dims", "domain"),
    [
        (lambda x: x, OutputKind.SEQUENCE, (BATCH, "seq", None), "seq"),
        (lambda x: x.mean(1), OutputKind.POOLED, (BATCH, None), None),
        (lambda x: x.swapaxes(0, 1), OutputKind.SEQUENCE, ("seq", BATCH, None), "seq"),
        (lambda x: x[:, ::2], OutputKind.SEQUENCE, (BATCH, "seq", None), "seq"),
        (lambda x: x @ x.swapaxes(1, 2), OutputKind.ATTENTION, (BATCH, "seq", "seq"), "seq"),
        (lambda x: x.mean(), OutputKind.POOLED, (), None),
        (lambda x: x.mean((0, 1)), OutputKind.POOLED, (None,), None),
    ],
)
def test_axes_of_answers_are_whatever_grows(
    answer: Callable[..., np.ndarray], kind: OutputKind, dims: tuple[str | None, ...], domain: str | None
) -> None:
    assert outputs(answer) == (kind, dims, domain)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda x: x, OutputKind.SEQUENCE),
        (lambda x: x.mean(2), OutputKind.SEQUENCE),
        (lambda x: x.mean((1, 2)), OutputKind.POOLED),
    ],
)
def test_height_and_width_of_an_image_are_no_attention(answer: Callable[..., np.ndarray], kind: OutputKind) -> None:
    image = replace(X, dims=(BATCH, "height", "width", None), shape=(0, 0, 0, 3), domain="image")
    told = Contract((Domain("image", (Dimension("height"), Dimension("width"))),), (image,), ())
    model = features(answer, mask=False)
    found = settle_outputs(model, told, working(model, told)).outputs[0]
    assert found.kind is kind and found.domain == ("image" if kind is OutputKind.SEQUENCE else None)


@pytest.mark.parametrize(
    ("answer", "kind", "dims"),
    [
        (lambda x: x, OutputKind.SEQUENCE, (BATCH, "seq", None)),
        (lambda x: x.mean(1), OutputKind.POOLED, (BATCH, None)),
        (lambda x: x.mean(2), OutputKind.POOLED, (BATCH, None)),
        (lambda x: x.mean(2) > 0, OutputKind.SEQUENCE, (BATCH, "seq")),
    ],
)
def test_at_fixed_sizes_sizes_tell(
    answer: Callable[..., np.ndarray], kind: OutputKind, dims: tuple[str | None, ...]
) -> None:
    assert outputs(answer, bare(fixed=12, fixed_batch=2))[:2] == (kind, dims)


def test_caches_are_known_by_their_names() -> None:
    assert outputs(lambda x: x, name="present.0.key")[0] is OutputKind.CACHE
    assert outputs(lambda x: x, name="past_key")[0] is OutputKind.CACHE
    assert outputs(lambda x: x, name="state")[0] is OutputKind.SEQUENCE


def test_where_other_batches_are_refused_the_rows_are_found_by_the_one_that_runs() -> None:
    told = bare(fixed_batch=3)
    assert outputs(lambda x: x, told)[1] == (BATCH, "seq", None)


@pytest.mark.parametrize("limit", [9, 13])
def test_growth_is_seen_by_a_little_more_or_less_where_much_more_is_refused(limit: int) -> None:
    model = refusing(lambda b, n: n > limit)
    found = settle_outputs(model, BARE, working(model)).outputs[0]
    assert found.dims == (BATCH, "seq", None)


def test_rows_are_seen_by_one_less_where_more_are_refused() -> None:
    model = refusing(lambda b, n: b > 2, lambda x: x.mean(1))
    found = settle_outputs(model, BARE, working(model)).outputs[0]
    assert found.dims == (BATCH, None)


def test_rows_are_seen_by_their_number_where_no_batch_near_it_runs() -> None:
    model = refusing(lambda b, n: b not in (1, 4), lambda x: x.mean(1))
    found = settle_outputs(model, BARE, working(model)).outputs[0]
    assert found.dims == (BATCH, None)


# Frames enough.


@pytest.mark.parametrize(("stride", "length"), [(1, 9), (2, 9), (3, 16), (10, 131), (100, 521), (1000, 8209)])
def test_a_front_end_gets_as_many_samples_as_make_five_frames(stride: int, length: int) -> None:
    model = refusing(lambda b, n: False, lambda x: x[:, ::stride])
    start = working(model)
    told = settle_outputs(model, BARE, start)
    if stride > 18:
        told = replace(told, outputs=(replace(told.outputs[0], dims=(BATCH, "seq", None)),))
    assert widen(model, told, start).lengths == {"seq": length}


def test_caches_fixed_lengths_and_pooled_answers_need_no_more() -> None:
    model = refusing(lambda b, n: False, lambda x: x[:, :1])
    start = working(model)
    for changes in ({"kind": OutputKind.CACHE}, {"dims": (BATCH, None, None)}):
        told = settle_outputs(model, BARE, start)
        spec = replace(told.outputs[0], **{"dims": (BATCH, "seq", None), **changes})  # type: ignore[arg-type]
        assert widen(model, replace(told, outputs=(spec,)), start) is start


def test_lengths_that_a_model_refuses_are_passed_over() -> None:
    model = refusing(lambda b, n: n in (16, 37), lambda x: x[:, ::3])
    start = working(model)
    told = settle_outputs(model, BARE, start)
    assert widen(model, told, start).lengths == {"seq": 131}
