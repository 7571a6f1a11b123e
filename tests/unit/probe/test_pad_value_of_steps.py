"""Whether a model is blind to real steps that equal the pad value: one position at a time, on tiny models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from maskcheck.core.contract import BATCH, InputContract
from maskcheck.core.report import PassportRow, Status, Variant
from maskcheck.ir.input_use import UseKind
from maskcheck.ir.operation import Kind as K
from maskcheck.probe.layout import Row
from maskcheck.probe.noise import Floor, Noise
from maskcheck.probe.twins.context import TwinContext
from maskcheck.probe.twins.pad_value import _held, _within, in_use
from tests.fakes import FakeModel, Node
from tests.sites import use as an_input_use
from tests.unit.probe.build import IDS, MASK, STEPS, TABLE, Answer, Untraceable, X, context, contract, words

CLEAN, LEAKY, UNTESTED = Status.CLEAN, Status.LEAKY, Status.UNTESTED
CARRYING = replace(IDS, ids_carry_mask=True, pad_value=0)


def pooled(x: np.ndarray, real: np.ndarray) -> np.ndarray:
    keep = real[..., None].astype(np.float64)
    return (np.tanh(x) * keep).sum(1) / np.maximum(keep.sum(1), 1)


def reading(
    real: Answer, answer: Answer = pooled, *, mask: bool = False, cls: type[FakeModel] = FakeModel
) -> FakeModel:
    """Ids whose padding is told by ``real``, a function of the ids and of the mask where there is one."""
    model = words(pooled, mask=mask, cls=cls)
    read = ("ids", "mask") if mask else ("ids",)
    model._nodes = [
        Node("embed", K.EMBEDDING, ("table", "ids"), lambda t, ids: t[ids]),
        Node("told", K.ELEMENTWISE, read, real),
        Node("answer", K.OTHER, ("embed", "told"), answer),
    ]
    model.uses = (*model.uses, an_input_use("ids", UseKind.COMPARE, "told", "ne", 0))
    return model


def by_value(ids: np.ndarray, *mask: np.ndarray) -> np.ndarray:
    return ids != 0


def asked(model: FakeModel, spec: InputContract = CARRYING, *, mask: bool = False, **further: object) -> TwinContext:
    told = contract(spec, *((MASK,) if mask else ()), **further)  # type: ignore[arg-type]
    return context(model, told)


def row(found: TwinContext, gating: bool = False) -> PassportRow:
    (observation,) = in_use(found, gating)
    assert observation.row.variant is Variant.PAD_ID_IN_USE
    assert (observation.taken is not None) is (observation.row.status is LEAKY)
    return observation.row


def test_a_mask_that_is_overruled_for_the_pad_id_is_the_finding_at_the_comparison() -> None:
    (found,) = in_use(asked(reading(by_value, mask=True), mask=True), True)
    assert found.row.status is LEAKY and found.row.gating
    assert found.row.reason == "a real step that is the pad id 0 is treated as padding although it is marked valid"
    assert found.taken is not None and found.taken.happens
    assert found.taken.site is not None and found.taken.site.name == "told"


def test_a_mask_that_is_followed_whatever_the_id_is_clean() -> None:
    told = row(asked(reading(lambda ids, mask: mask != 0, mask=True), mask=True))
    assert (told.status, told.reason) == (CLEAN, None)


def test_without_a_mask_the_pad_id_stands_for_padding() -> None:
    told = row(asked(reading(by_value)))
    assert (told.status, told.reason) == (CLEAN, "0 is taken for padding wherever it stands")


@pytest.mark.parametrize("position", [0, 4, 8])
def test_blindness_at_one_of_the_positions_tried_is_enough(position: int) -> None:
    def at(ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        real = mask != 0
        real[:, position] &= ids[:, position] != 0
        return real

    assert row(asked(reading(at, mask=True), mask=True)).status is LEAKY


def test_where_nothing_may_be_rounding_an_answer_that_stays_is_still_blind() -> None:
    strict = replace(asked(reading(by_value, mask=True), mask=True))
    noise = Noise({"answer": Floor(0.0, 0.0)})
    assert row(replace(strict, judge=replace(strict.judge, noise=noise))).status is LEAKY


def test_positions_that_never_reach_each_other_say_nothing() -> None:
    tagger = reading(by_value, lambda x, real: x * real[..., None], mask=True)
    assert list(in_use(asked(tagger, mask=True, output=STEPS), False)) == []


def test_a_tagger_whose_steps_meet_is_asked_at_the_other_steps() -> None:
    mixing = reading(by_value, lambda x, real: x + pooled(x, real)[:, None], mask=True)
    assert row(asked(mixing, mask=True, output=STEPS)).status is LEAKY


def test_only_inputs_whose_value_tells_the_padding_are_asked() -> None:
    assert list(in_use(asked(reading(by_value), replace(CARRYING, ids_carry_mask=False)), False)) == []
    assert list(in_use(asked(reading(by_value), replace(CARRYING, pad_value=None)), False)) == []


def test_a_model_without_traces_is_untested_with_its_reason() -> None:
    told = row(asked(reading(by_value, cls=Untraceable)), True)
    assert (told.status, told.reason, told.gating) == (UNTESTED, "It cannot be instrumented.", True)


@pytest.mark.parametrize(
    ("ids", "status", "says"),
    [
        ([[7, 0, 9]], LEAKY, "in 1 of 1 recorded inputs a real step is the pad id 0, and is taken for padding"),
        ([[7, 0, 9], [7, 8, 9], [0, 8, 9]], LEAKY, "in 2 of 3 recorded inputs"),
        ([[7, 8, 9]], CLEAN, "no real step of the recorded inputs is the pad id 0"),
    ],
)
def test_recorded_inputs_say_whether_it_happens(ids: list[list[int]], status: Status, says: str) -> None:
    recorded = [Row({"seq": 3}, {"ids": np.array(found)}) for found in ids]
    model = reading(by_value)
    told = row(replace(asked(model), source=context(model, contract(CARRYING), recorded=recorded).source))
    assert told.status is status and (told.reason or "").startswith(says)


def test_images_are_not_asked() -> None:
    told = asked(reading(by_value))
    domain = replace(told.plan.domain, dimensions=told.plan.domain.dimensions * 2)
    assert list(in_use(replace(told, plan=replace(told.plan, domain=domain)), False)) == []


# Which real steps equal the pad value, and whether they could.

RECOGNISED = replace(X, ids_carry_mask=True)
FRAMES = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [-1.0, -1.0, -1.0]])


def test_a_step_equals_the_pad_value_where_all_of_its_features_do() -> None:
    assert _held(RECOGNISED, Row({"seq": 3}, {"x": FRAMES})).tolist() == [True, False, False]
    assert _held(CARRYING, Row({"seq": 3}, {"ids": np.array([0, 7, 0])})).tolist() == [True, False, True]


@pytest.mark.parametrize(("value", "within"), [(0.0, True), (-1.0, True), (0.5, False), (-2.0, False), (2.0, False)])
def test_a_value_within_what_every_feature_holds_may_occur(value: float, within: bool) -> None:
    rows = [Row({"seq": 3}, {"x": FRAMES})]
    assert _within(replace(RECOGNISED, pad_value=value), rows) is within


def test_features_may_stand_before_the_steps() -> None:
    first = replace(RECOGNISED, dims=(BATCH, None, "seq"), shape=(0, 3, 0))
    rows = [Row({"seq": 3}, {"x": FRAMES.T})]
    assert _held(first, rows[0]).tolist() == [True, False, False]
    assert _within(replace(first, pad_value=0.0), rows) and not _within(replace(first, pad_value=0.5), rows)


def test_the_reach_is_that_of_all_rows() -> None:
    rows = [Row({"seq": 3}, {"x": FRAMES}), Row({"seq": 3}, {"x": FRAMES + 3})]
    assert _within(replace(RECOGNISED, pad_value=1.5), rows)
    assert TABLE.shape == (50, 3) and X.dims[0] == BATCH
