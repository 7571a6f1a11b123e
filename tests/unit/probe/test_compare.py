"""Distances between answers: scaled by what the answers are like, honest about NaN."""

from __future__ import annotations

import numpy as np

from maskcheck.core.contract import OutputContract, OutputKind, Side
from maskcheck.probe.compare import Region, cosine_change, difference, max_abs, rounding, varies
from maskcheck.probe.decisions import decisions_changed


def test_difference_is_in_standard_deviations_of_the_reference() -> None:
    reference = [np.array([0.0, 2.0]), np.array([0.0, 2.0])]
    assert difference(reference, [np.array([0.0, 2.5]), np.array([0.0, 2.0])]) == 0.5


def test_new_nan_is_infinitely_far_and_the_same_nan_is_no_difference() -> None:
    a = np.array([1.0, np.nan, np.inf])
    assert max_abs(a, a.copy()) == 0.0
    assert max_abs(np.array([1.0, 2.0]), np.array([1.0, np.nan])) == float("inf")


def test_another_shape_is_infinitely_far() -> None:
    assert difference([np.zeros(3)], [np.zeros(4)]) == float("inf")


def test_a_constant_reference_scales_by_its_size() -> None:
    assert difference([np.array([4.0, 4.0])], [np.array([4.0, 5.0])]) == 0.25
    assert not varies([np.array([4.0, 4.0])])


def test_rounding_grows_when_values_stand_far_from_zero() -> None:
    near = np.array([-1.0, 1.0], dtype=np.float32)
    assert rounding([near + 1000]) > 100 * rounding([near])


def test_regions_cut_prefixes_and_suffixes() -> None:
    array = np.arange(12).reshape(6, 2)
    assert Region((4, None), (Side.RIGHT, Side.RIGHT)).cut(array).tolist() == array[:4].tolist()
    assert Region((4, None), (Side.LEFT, Side.RIGHT)).cut(array).tolist() == array[2:].tolist()


def test_cosine_change_ignores_a_mere_scale() -> None:
    a = np.array([1.0, 2.0, 3.0])
    assert cosine_change([a], [a * 0.5]) < 1e-12
    assert cosine_change([a], [-a]) == 2.0


def test_decisions_are_counted_where_the_output_decides() -> None:
    logits = OutputContract("logits", OutputKind.POOLED, ("batch", None), None, "")
    before = [np.array([1.0, 0.0]), np.array([0.0, 1.0])]
    assert decisions_changed(logits, before, [np.array([0.0, 1.0]), np.array([0.0, 1.0])]) == "1/2"
    hidden = OutputContract("last_hidden_state", OutputKind.SEQUENCE, ("batch", "seq", None), "seq", "")
    assert decisions_changed(hidden, [np.ones((3, 4))], [np.zeros((3, 4))]) is None
    score = OutputContract("score", OutputKind.POOLED, ("batch", None), None, "")
    assert decisions_changed(score, [np.array([0.6]), np.array([0.4])], [np.array([0.4]), np.array([0.4])]) == "1/2"
