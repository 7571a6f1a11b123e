"""Sites of repeated layers are known by operations and axes; pads of constants by their settings."""

from __future__ import annotations

import numpy as np
import pytest

from maskcheck.core.trace import Trace
from maskcheck.explain.evidence import masked_nearby
from maskcheck.explain.filler import adds_steps
from maskcheck.explain.origins import siblings
from maskcheck.ir.graph import Graph, Site
from maskcheck.ir.operation import Operation
from maskcheck.ir.settings import Attention, Pad, Settings, Softmax
from maskcheck.probe.align import Axes
from tests.sites import site


def attention(name: str, mask: str) -> Site:
    return site(name, "Attention", Operation.ATTENTION, (), (name,), settings=Attention(mask=mask))


def softmax(name: str, axis: int, operator: str = "Softmax") -> Site:
    return site(name, operator, Operation.SOFTMAX, (), (name,), settings=Softmax(axis=axis))


def alike(*sites: Site) -> list[str]:
    """Names of the sites that are like the first."""
    return [s.name for s in siblings(Graph.of(sites), sites[0], {s.name for s in sites})]


def test_attentions_of_two_layers_are_alike_whatever_their_masks_are_called() -> None:
    assert alike(attention("first", "mask0"), attention("second", "mask1")) == ["second"]


def test_axes_tell_apart_and_names_do_not() -> None:
    assert alike(softmax("first", -1), softmax("second", -1, "aten.softmax"), softmax("third", 1)) == ["second"]


SHORT, LONG = np.ones((1, 5, 2)), np.ones((1, 7, 2))


@pytest.mark.parametrize(
    ("operation", "settings", "steps"),
    [
        (Operation.PAD, Pad(), 7),
        (Operation.PAD, None, 7),
        (Operation.PAD, Pad(copies=True), 0),
        (Operation.UNPACK_SEQUENCE, None, 0),
        (Operation.RESIZE, None, 0),
    ],
)
def test_constants_that_are_laid_beside_steps(operation: Operation, settings: Settings | None, steps: int) -> None:
    laid = site("laid", "laid", operation, ("steps",), ("longer",), settings=settings)
    trace = Trace((laid,), {"steps": SHORT, "longer": LONG}, {}, frozenset(), frozenset())
    axes = {"steps": Axes({1: (3, 5)}), "longer": Axes({1: (5, 7)})}
    assert adds_steps(laid, trace, axes, {}, frozenset()) == steps


@pytest.mark.parametrize(
    ("operation", "inputs", "found"),
    [
        (Operation.MATMUL_ADD, ("mask", "queries", "keys"), True),
        (Operation.MATMUL_ADD, ("bias", "mask", "keys"), False),
        (Operation.LINEAR, ("queries", "keys", "mask"), True),
        (Operation.LINEAR, ("mask", "keys"), False),
        (Operation.MATMUL, ("queries", "keys", "mask"), False),
    ],
)
def test_a_mask_enters_a_product_as_what_is_added(operation: Operation, inputs: tuple[str, ...], found: bool) -> None:
    product = site("scores", "scores", operation, inputs, ("scores",))
    assert masked_nearby(Graph.of((product,)), "scores", {"mask"}) is found
