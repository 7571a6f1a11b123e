"""Noise in hidden states at the pads: which states are tried, and whether an answer at real positions follows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.errors import RunError
from maskcheck.core.report import PassportRow, Status, Variant
from maskcheck.core.trace import Trace
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.align import Axes
from maskcheck.probe.row_traces import trace_row
from maskcheck.probe.twins.context import TwinContext
from maskcheck.probe.twins.pad_noise import _hidden, _noisy, pad_noise
from tests.fakes import FakeModel, Node
from tests.sites import site as a_site
from tests.unit.probe.build import STEPS, context, contract, features, masked_mean

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED


def block(name: str, read: str, kind: K = K.MATMUL) -> list[Node]:
    """A hidden state that two sites read: the block behind it, and the sum around that."""
    return [
        Node(f"{name}.in", kind, (read,), np.cos),
        Node(name, K.ELEMENTWISE, (read, f"{name}.in"), lambda a, b: a + b),
    ]


def deep(blocks: int, pool: Callable[..., np.ndarray] = masked_mean, kind: K = K.MATMUL) -> FakeModel:
    nodes = [Node("h0", kind, ("x",), lambda x: x + np.float32(1))]
    for i in range(1, blocks + 1):
        nodes += block(f"h{i}", f"h{i - 1}")
    nodes.append(Node("answer", K.OTHER, (f"h{blocks}", "mask"), pool))
    model = features(masked_mean)
    model._nodes = nodes
    return model


def asked(model: FakeModel, **further: object) -> TwinContext:
    found = context(model, contract(**further))  # type: ignore[arg-type]
    traces = trace_row(model, found.contract, found.rows[0], found.plan.few, fixed=found.plan.fixed)
    return replace(found, traces=traces)


def row(found: TwinContext) -> PassportRow:
    (told,) = (o.row for o in pad_noise(found, ()))
    assert told.variant is Variant.HIDDEN_STATES
    return told


def test_a_masked_answer_follows_no_noise_at_pads() -> None:
    told = row(asked(deep(2)))
    assert (told.status, told.reason, told.gating) == (CLEAN, "2 hidden states tried", False)


def test_an_answer_that_follows_the_noise_says_from_where() -> None:
    told = row(asked(deep(2, lambda h, m: h.mean(1))))
    assert (told.status, told.reason) == (LEAKY, "noise at pads reaches the answer from h0 and 1 more")
    assert row(asked(deep(1, lambda h, m: h.mean(1)))).reason == "noise at pads reaches the answer from h0"


def test_only_real_positions_of_an_answer_count() -> None:
    assert row(asked(deep(2, lambda h, m: h), output=STEPS)).status is CLEAN


@pytest.mark.parametrize(("blocks", "tried"), [(6, 6), (7, 6), (20, 6)])
def test_at_most_six_states_are_tried_from_the_first_to_the_last(blocks: int, tried: int) -> None:
    patched: list[str] = []

    class Recording(FakeModel):
        def trace(self, feeds, patches=None, record=None) -> Trace:  # type: ignore[no-untyped-def, override]
            patched.extend(patches or ())
            return super().trace(feeds, patches, record)

    model = deep(blocks)
    model.__class__ = Recording
    assert row(asked(model)).reason == f"{tried} hidden states tried"
    assert len(patched) == tried and patched[0] == "h0" and patched[-1] == f"h{blocks - 1}"


@pytest.mark.parametrize("what", ["a size", "pads that are kept at zero", "integers", "one reader", "no time"])
def test_what_is_no_hidden_state_is_not_tried(what: str) -> None:
    model = deep(1)
    first, last = model._nodes[0], model._nodes[2]
    if what == "a size":
        first.kind = K.SHAPE
    elif what == "pads that are kept at zero":
        first.inputs, first.function = ("x", "mask"), lambda x, m: x * m[..., None]
    elif what == "integers":
        first.function = lambda x: np.round(x).astype(np.int64)
    elif what == "one reader":
        last.inputs = ("h1.in", "x")
    else:
        first.function = lambda x: x[:, :1]
    told = row(asked(model))
    assert told.status is UNTESTED and (told.reason or "").startswith("no hidden state")


def test_a_state_behind_one_that_does_not_count_is_tried() -> None:
    model = deep(2)
    model._nodes[0].function = lambda x: np.round(x).astype(np.int64)
    assert row(asked(model)).reason == "1 hidden states tried"


def test_every_result_of_a_site_is_looked_at() -> None:
    split = a_site("split", "Split", K.LAYOUT, ("x",), ("count", "whole", "state"))
    readers = [a_site(name, "Op", K.MATMUL, ("count", "whole", "state"), (name,)) for name in ("one", "two")]
    end = a_site("end", "Op", K.MATMUL, ("one", "two"), ("end",))
    state = np.ones((1, 5, 4), np.float32)
    tensors = {"count": np.ones((1, 5, 4), np.int64), "whole": np.ones((1, 4, 4), np.float32), "state": state}
    steps = Axes({1: (3, 5)})
    axes = {"count": steps, "whole": Axes(), "state": steps}
    trace = Trace((split, *readers, end), tensors, {})
    assert _hidden(trace, axes, ("end",)) == ["state"]


@pytest.mark.parametrize(("shape", "output"), [((1, 5), "end"), ((1, 5, 4), "elsewhere")], ids=["no features", "dead"])
def test_a_state_has_features_and_reaches_an_answer(shape: tuple[int, ...], output: str) -> None:
    made = a_site("made", "Op", K.MATMUL, ("x",), ("state",))
    readers = [a_site(name, "Op", K.MATMUL, ("state",), (name,)) for name in ("one", "two")]
    end = a_site("end", "Op", K.MATMUL, ("one", "two"), ("end",))
    trace = Trace((made, *readers, end), {"state": np.ones(shape, np.float32)}, {})
    assert _hidden(trace, {"state": Axes({1: (3, 5)})}, (output,)) == []


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_noise_has_the_scale_of_the_state(scale: float) -> None:
    state = np.random.default_rng(0).standard_normal((1, 400, 8)) * scale
    moved = _noisy(state, Axes({1: (100, 400)}), seed=0) - state
    assert (moved[:, :100] == 0).all() and moved[:, 100:].std() == pytest.approx(scale, rel=0.1)
    assert _noisy(state * 0, Axes({1: (100, 400)}), seed=0).std() > 0.5


def test_noise_is_judged_by_rounding_alone() -> None:
    def nearly(h: np.ndarray, m: np.ndarray) -> np.ndarray:
        return (masked_mean(h, m) + 1e-4 * h[:, -1]).astype(np.float32)

    assert row(asked(deep(1, nearly))).status is LEAKY


def test_answers_without_rounding_that_stay_are_clean() -> None:
    assert row(asked(deep(1, lambda h, m: (masked_mean(h, m) > 0).astype(np.int64)))).status is CLEAN


def test_a_state_that_cannot_be_changed_is_passed_over() -> None:
    class Fixed(FakeModel):
        def trace(self, feeds, patches=None, record=None) -> Trace:  # type: ignore[no-untyped-def, override]
            if "h0" in (patches or {}):
                raise RunError("not this one")
            return super().trace(feeds, patches, record)

    model = deep(2, lambda h, m: h.mean(1))
    model.__class__ = Fixed
    assert row(asked(model)).reason == "noise at pads reaches the answer from h1"


def test_without_traces_the_reason_is_theirs() -> None:
    told = row(replace(context(features(masked_mean)), untraced="no copy"))
    assert (told.status, told.reason) == (UNTESTED, "no copy")


def test_it_gates_where_it_is_required() -> None:
    found = asked(deep(1))
    required = replace(found, settings=replace(found.settings, require=("poke",)))
    assert row(required).gating and not row(found).gating
